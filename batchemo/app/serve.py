"""Starts the server of the page, with the settings that keep it private."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from batchemo.app.config import AppOptions
from batchemo.app.worker_pool import shared_pool
from batchemo.errors import UsageError

PAGE = Path(__file__).with_name("page.py")


def check_address(host: str, port: int) -> None:
    """Refuse an address that cannot be listened at, before anything is started."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise UsageError(
            f"the page cannot listen at {host}, port {port}: {error.strerror}. Choose another "
            "with --host and --port"
        ) from error


def serve(options: AppOptions, *, host: str, port: int, browser: bool) -> None:
    """Serve the page until a signal ends it."""
    from streamlit.web.cli import main

    settings = streamlit_settings(options, host=host, port=port, browser=browser)
    flags = [f"--{name}={value}" for name, value in settings.items()]
    words = ["run", *flags, str(PAGE), "--", options.to_word()]
    # ONNX Runtime would write down an identifier of the machine and call home.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    pool = shared_pool(options.jobs)
    try:
        main(words, prog_name="streamlit", standalone_mode=False)
    finally:
        pool.close()


def streamlit_settings(
    options: AppOptions, *, host: str, port: int, browser: bool
) -> dict[str, str]:
    """Give Streamlit's settings; as flags they win over any config.toml that lies about."""
    shown = "localhost" if host in ("0.0.0.0", "::", "") else host
    return {
        "server.address": host,
        "server.port": str(port),
        "server.headless": str(not browser).lower(),
        "server.maxUploadSize": str(options.max_upload_mb),
        "server.enableXsrfProtection": "true",
        "server.enableCORS": "true",
        "server.enableStaticServing": "false",
        "server.fileWatcherType": "none",
        "server.showEmailPrompt": "false",
        # Told its address, Streamlit asks no service on the net what it might be.
        "browser.serverAddress": shown,
        "browser.gatherUsageStats": "false",
        "client.showErrorDetails": "none",
        "client.toolbarMode": "minimal",
        "global.developmentMode": "false",
        "logger.level": "warning",
        "logger.hideWelcomeMessage": "true",
    }
