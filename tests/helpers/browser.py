"""A real browser for tests: headless Chromium."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from selenium import webdriver

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

IN_BROWSER = [
    pytest.mark.browser,
    pytest.mark.process,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver on the PATH"
    ),
]
"""The `pytestmark` of tests in a browser."""


def open_chromium(
    profile: Path,
    *,
    width: int = 1000,
    height: int = 1200,
    downloads: Path | None = None,
    microphone: Path | None = None,
) -> webdriver.Chrome:
    """Open a browser with a profile of its own; the caller quits it.

    `microphone` is a WAV file that the browser takes for its microphone, again and again.
    """
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for option in (*_OPTIONS, f"--window-size={width},{height}", f"--user-data-dir={profile}"):
        options.add_argument(option)
    if microphone is not None:
        for option in ("use-fake-ui-for-media-stream", "use-fake-device-for-media-stream"):
            options.add_argument(f"--{option}")
        options.add_argument(f"--use-file-for-fake-audio-capture={microphone}")
    if downloads is not None:
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    return webdriver.Chrome(options=options, service=Service(DRIVER))
