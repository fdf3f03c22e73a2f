"""Refuses requests that were made for another server: for what is called "DNS rebinding".

The name of a site that a user visits can be made to mean this machine. A script of that site may
then read the page and upload to it, for to the browser both are one site. Its requests still have
the foreign name in the header `Host`, which no script can change.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
EVERY_ADDRESS = ("0.0.0.0", "::", "")
_REFUSAL = b"This page is not served under that name. `batchemo app --allow-host NAME` allows it.\n"


class HostFilter:
    """An ASGI middleware that answers 403 to a `Host` or an `Origin` that is not this server's.

    `host` is where the server listens, `allowed` are further names that it is reached by. Ports
    are not compared: a tunnel may have any on the user's side.
    """

    def __init__(self, app: AsgiApp, *, host: str, allowed: Iterable[str] = ()) -> None:
        self._app = app
        self._allowed = {_normalised(name) for name in allowed}
        self._names = {*LOCAL_NAMES, _normalised(host), *self._allowed}
        self._any_address = host in EVERY_ADDRESS
        if self._any_address:
            self._names |= {_normalised(socket.gethostname())}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] in ("http", "websocket") and not self.allows(_headers(scope)):
            await _refuse(scope, send)
        else:
            await self._app(scope, receive, send)

    def allows(self, headers: Mapping[str, list[str]]) -> bool:
        """Return whether a request with these headers is for this server, and from its own page.

        >>> page = HostFilter(None, host="localhost")
        >>> page.allows({"host": ["localhost:8501"]}), page.allows({"host": ["evil.example"]})
        (True, False)
        """
        hosts, origins = headers.get("host", []), headers.get("origin", [])
        if len(hosts) != 1 or not self._knows(f"//{hosts[0]}"):
            return False
        # A page of another port of this machine is another site, although its name is the same.
        # Servers in front of this one may write a `Host` of their own, but not the `Origin`.
        own = f"//{hosts[0].lower()}"
        return all(
            origin.lower().partition(":")[2] == own or _name_of(origin) in self._allowed
            for origin in origins
        )

    def _knows(self, url: str) -> bool:
        name = _name_of(url)
        return name is not None and (name in self._names or (self._any_address and _is_ip(name)))


def _headers(scope: Scope) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return headers


def _name_of(url: str) -> str | None:
    """Return the name of the server in a URL; None where it has none, or more than that."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # ValueError where it is no number.
    except ValueError:
        return None
    if parts.hostname is None or parts.username is not None or parts.path or parts.query:
        return None
    return _normalised(parts.hostname)


def _normalised(name: str) -> str:
    name = name.lower().rstrip(".").strip("[]")
    return str(ipaddress.ip_address(name)) if _is_ip(name) else name


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _refuse(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        # Before it is accepted, a server turns this into the answer 403.
        await send({"type": "websocket.close", "code": 1008, "reason": ""})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": _REFUSAL})
