"""A server of S3 on the loopback, and a proxy before it that delays, refuses and breaks off."""

from __future__ import annotations

import http.client
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property, partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from batchemo.storage import requests

__all__ = ["Bucket", "Proxy", "bucket", "s3_server", "serve_files"]

Fault = Callable[[str, str], int | str | None]
"""Takes a method and a path; returns a status to answer, "cut" to break off, None to pass it on.

What breaks off has been done by the server: half of its answer comes, or none if that is empty."""

_SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request,"
    " SignedHeaders=host, Signature=0"
}
"""What the server takes for somebody who may do anything."""


class _Listener(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that have gone: they may have been killed."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@dataclass
class Proxy:
    """Passes requests on to a server, but for those that `fault` names."""

    server: tuple[str, int]
    fault: Fault = lambda method, path: None
    delay: float = 0.0
    requests: list[tuple[str, str]] = field(default_factory=list)

    @cached_property
    def listener(self) -> ThreadingHTTPServer:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                pass

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                path = unquote(self.path)
                proxy.requests.append((self.command, path))
                time.sleep(proxy.delay)
                fault = proxy.fault(self.command, path)
                if isinstance(fault, int):
                    self.reply(fault, {}, b"refused")
                    return
                connection = http.client.HTTPConnection(*proxy.server)
                connection.request(self.command, self.path, body, dict(self.headers))
                response = connection.getresponse()
                content = response.read()
                connection.close()
                self.reply(response.status, dict(response.getheaders()), content, cut=bool(fault))

            def reply(
                self, status: int, headers: dict[str, str], content: bytes, *, cut: bool = False
            ) -> None:
                if cut and not content:
                    self.close_connection = True
                    return
                own = ("content-length", "connection", "transfer-encoding", "server", "date")
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in own:
                        self.send_header(name, value)
                is_head = self.command == "HEAD"
                length = headers.get("Content-Length") if is_head else str(len(content))
                self.send_header("Content-Length", length or "0")
                self.end_headers()
                if not is_head:
                    self.wfile.write(content[: len(content) // 2] if cut else content)
                if cut:
                    self.wfile.flush()
                    self.close_connection = True

        for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.answer)

        listener = _Listener(("127.0.0.1", 0), Handler)
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        return listener

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.server_port}"


@dataclass(frozen=True)
class Bucket:
    """A bucket of its own for a test, reached through a proxy."""

    name: str
    proxy: Proxy

    @property
    def url(self) -> str:
        return f"s3://{self.name}"

    def ask(self, method: str, key: str, body: bytes = b"") -> tuple[int, bytes]:
        """Make a request to the server itself, of which the proxy knows nothing."""
        connection = http.client.HTTPConnection(*self.proxy.server)
        connection.request(method, f"/{self.name}/{quote(key)}", body, _SIGNED)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, content

    def put(self, key: str, content: bytes) -> None:
        assert self.ask("PUT", key, content)[0] == 200

    def get(self, key: str) -> bytes:
        status, content = self.ask("GET", key)
        assert status == 200, key
        return content

    def delete(self, key: str) -> None:
        assert self.ask("DELETE", key)[0] == 204

    def upload(self, folder: Path, prefix: str = "") -> None:
        """Put all files of a folder below a prefix."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{prefix}{path.relative_to(folder)}", path.read_bytes())

    def listed(self) -> list[str]:
        return [info.key for info in requests.list_objects(self.url)]


@contextmanager
def serve_files(folder: Path) -> Iterator[tuple[str, int]]:
    """Serve a folder as a plain web server does, without ETags; yield the address."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        yield "127.0.0.1", listener.server_port
        listener.shutdown()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[tuple[str, int]]:
    """The address of a server of S3; the test is skipped where none is installed."""
    pytest.importorskip("obstore", reason="needs batchemo[cloud]")
    server = pytest.importorskip("moto.server", reason="needs moto[s3], flask and flask-cors")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    yield moto.get_host_and_port()
    moto.stop()


@pytest.fixture
def bucket(
    s3_server: tuple[str, int], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Bucket]:
    """An empty bucket, and the environment in which commands find its server."""
    proxy = Proxy(s3_server)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    quick = {"init_backoff": timedelta(milliseconds=5), "max_backoff": timedelta(milliseconds=20)}
    monkeypatch.setitem(requests.RETRY, "backoff", {**quick, "base": 2})
    requests.open_store.cache_clear()
    made = Bucket(f"calls-{abs(hash(request.node.nodeid)):x}", proxy)
    made.ask("PUT", "")
    yield made
    requests.open_store.cache_clear()
    proxy.listener.shutdown()
    proxy.listener.server_close()
