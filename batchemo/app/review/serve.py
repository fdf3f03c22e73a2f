"""Starts the server of the review."""

from __future__ import annotations

import signal
import threading
import webbrowser
from collections.abc import Sequence
from types import FrameType

from batchemo.app.review.server import ReviewPage, application

SHUTDOWN_SECONDS = 2


def serve(page: ReviewPage, *, host: str, port: int, hosts: Sequence[str], browser: bool) -> None:
    """Serve the page until a signal ends the server."""
    import uvicorn

    app = application(page, host=host, hosts=hosts)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        # Once the server has shut down because of a signal, it raises it again for this handler.
        signal.signal(number, _end)
    if browser:
        # A moment later, when the server listens.
        threading.Timer(0.5, webbrowser.open, [f"http://{browser_host(host)}:{port}"]).start()
    try:
        uvicorn.Server(config).run()
    finally:
        page.pool.close()


def browser_host(host: str) -> str:
    """Return the name under which a browser of this machine reaches the server.

    >>> browser_host("0.0.0.0"), browser_host("::1")
    ('localhost', '[::1]')
    """
    if host in ("0.0.0.0", "::", ""):
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)
