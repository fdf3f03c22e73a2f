"""Which requests are for this server and from its own page, by their headers."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from batchemo.app.hosts import HostFilter


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """Stands for the application."""


def allows(host: str, origin: str | None = None, **options: Any) -> bool:
    headers = {"host": [host], **({} if origin is None else {"origin": [origin]})}
    return HostFilter(nothing, host="localhost", **options).allows(headers)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8501", "localhost.", "127.0.0.1:8501", "[::1]:8501", "[0:0::1]"],
)
def test_the_names_of_this_machine_are_allowed_with_any_port(host: str) -> None:
    assert allows(host)


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8501", "localhost.evil.example", "evil-localhost", ""),
        *("localhost:x", "localhost:99999", "a@localhost", "localhost/x", "192.168.1.5", "[::1"),
        *("localhost?x", "127.0.0.1.evil.example", "0x7f000001"),
    ],
)
def test_other_names_are_refused(host: str) -> None:
    assert not allows(host)


def test_a_request_without_a_name_or_with_two_is_refused() -> None:
    page = HostFilter(nothing, host="localhost")
    assert not page.allows({})
    assert not page.allows({"host": ["localhost", "evil.example"]})


def test_a_server_on_every_address_is_reached_by_numbers_and_by_the_machines_name() -> None:
    page = HostFilter(nothing, host="0.0.0.0")
    for host in ("192.168.1.5:8501", "[fe80::1]", socket.gethostname()):
        assert page.allows({"host": [host]})
    assert not page.allows({"host": ["evil.example"]})


def test_further_names_are_allowed_if_they_are_given() -> None:
    assert allows("speech.example.org", allowed=["Speech.example.org"])
    assert not allows("other.example.org", allowed=["speech.example.org"])


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://localhost:8501", True),
        ("https://localhost:8501", True),
        ("http://localhost:3000", False),
        ("http://localhost", False),
        ("http://evil.example", False),
        ("null", False),
        ("https://speech.example.org", True),
    ],
)
def test_only_the_servers_own_page_may_send_requests(origin: str | None, allowed: bool) -> None:
    found = allows("localhost:8501", origin, allowed=["speech.example.org"])
    assert found == allowed


def test_a_refused_request_never_reaches_the_application() -> None:
    reached: list[str] = []
    sent: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["type"])

    async def send(message: Any) -> None:
        sent.append(message)

    page = HostFilter(application, host="localhost")
    for kind in ("http", "websocket"):
        scope = {"type": kind, "headers": [(b"host", b"evil.example")]}
        asyncio.run(page(scope, None, send))  # type: ignore[arg-type]
    asyncio.run(page({"type": "lifespan"}, None, send))  # type: ignore[arg-type]

    assert reached == ["lifespan"]
    assert [message.get("status") for message in sent if "status" in message] == [403]
    assert sent[-1]["type"] == "websocket.close"
