"""Starts the Streamlit server of the page, with settings that keep it private."""

from __future__ import annotations

import errno
import os
import signal
import socket
from pathlib import Path
from types import FrameType
from typing import Any

from batchemo.app.config import AppOptions
from batchemo.app.worker_pool import shared_pool
from batchemo.errors import UsageError

APPLICATION = Path(__file__).with_name("asgi.py")

_NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""What an address of IPv6 gives on a machine that has only IPv4."""


def check_address(host: str, port: int) -> None:
    """Raise `UsageError` if the server cannot listen at an address, before anything is started.

    A name may stand for several addresses, as `localhost` for 127.0.0.1 and ::1: the server listens
    at all of them that this machine has.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        errors = [_try_to_listen(family, address) for family, _, _, _, address in found]
        failed = [error for error in errors if error is not None]
        for error in failed:
            if error.errno not in _NO_SUCH_ADDRESS or len(failed) == len(errors):
                raise error
    except OSError as error:
        raise UsageError(
            f"the page cannot listen at {host}, port {port}: {error.strerror}. Choose another "
            "with --host and --port"
        ) from error


def _try_to_listen(family: int, address: Any) -> OSError | None:
    """Return why a server could not listen at an address; None if it could."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As Streamlit does, or a server that just ended would keep its port for a minute.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                # Or it would ask for the port of IPv4 as well.
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(address)
    except OSError as error:
        return error
    return None


def serve(options: AppOptions, *, host: str, port: int, browser: bool) -> None:
    """Serve the page until a signal ends the server."""
    from streamlit.web.cli import main

    settings = streamlit_settings(options, host=host, port=port, browser=browser)
    flags = [f"--{name}={value}" for name, value in settings.items()]
    arguments = ["run", *flags, str(APPLICATION), "--", options.to_argument()]
    # ONNX Runtime stores an identifier of the machine and reports its use to its maker.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    pool = shared_pool(options.jobs)
    for number in (signal.SIGINT, signal.SIGTERM):
        # Once the server has shut down because of a signal, it raises it again for this handler.
        signal.signal(number, _end)
    try:
        main(arguments, prog_name="streamlit", standalone_mode=False)
    finally:
        pool.close()


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def streamlit_settings(
    options: AppOptions, *, host: str, port: int, browser: bool
) -> dict[str, str]:
    """Return Streamlit's settings; as flags they win over any `config.toml` of the user."""
    # These mean "all addresses", which no browser can open.
    browser_host = "localhost" if host in ("0.0.0.0", "::", "") else host
    return {
        "server.address": host,
        "server.port": str(port),
        "server.headless": str(not browser).lower(),
        "server.maxUploadSize": str(options.max_upload_mb),
        "server.enableXsrfProtection": "true",
        "server.enableCORS": "true",
        "server.enableStaticServing": "false",
        # A watcher would look through every imported package for changes.
        "server.fileWatcherType": "none",
        "server.showEmailPrompt": "false",
        # If it is not set, Streamlit asks a web service for the external address.
        "browser.serverAddress": browser_host,
        "browser.gatherUsageStats": "false",
        # Tracebacks would show visitors the paths of the server.
        "client.showErrorDetails": "none",
        "client.toolbarMode": "minimal",
        "global.developmentMode": "false",
        "logger.level": "warning",
        "logger.hideWelcomeMessage": "true",
    }
