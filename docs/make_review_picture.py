"""Takes docs/review.png: the page of `batchemo review` in a real browser, over the examples.

    python docs/make_review_picture.py

Needs chromium and chromedriver. Run it again when the page changes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
sys.path.append(str(REPOSITORY / "tests" / "helpers"))

from app_server import free_port, wait_until  # noqa: E402
from browser import open_chromium  # noqa: E402
from selenium.common.exceptions import WebDriverException  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

import batchemo  # noqa: E402

HEIGHT = 790
SECONDS = 60


def main() -> None:
    """Answer two recordings by keyboard, and take the picture as the third is asked about."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        batchemo.scan(
            REPOSITORY / "examples" / "recordings",
            output=folder / "results.parquet",
            embeddings=folder / "e.parquet",
            progress=False,
        )
        command = [sys.executable, "-c", "from batchemo.cli import main; main()", "review"]
        command += ["results.parquet", "--embeddings", "e.parquet", "--labels", "labels.csv"]
        command += ["--port", str(port), "--no-browser"]
        with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) as server:
            browser = open_chromium(folder / "profile", height=HEIGHT)
            try:
                _take(browser, f"http://localhost:{port}")
            finally:
                browser.quit()
                server.terminate()


def _take(browser, url: str) -> None:  # type: ignore[no-untyped-def]
    def page(key: str) -> str:
        return str(browser.execute_script(f"return document.body.dataset.{key}"))

    def press(*keys: str) -> None:
        ActionChains(browser, duration=0).send_keys(*keys).perform()

    def opened() -> bool:
        try:
            browser.get(url)
        except WebDriverException:  # The server is not up yet.
            return False
        return page("state") == "start"

    wait_until(opened, SECONDS)
    press(*"anna", Keys.ENTER)
    wait_until(lambda: page("state") == "asking", SECONDS)
    for key in ("3", "1"):
        before = page("clip")
        press(key)
        wait_until(
            lambda before=before: page("state") == "asking" and page("clip") != before, SECONDS
        )
    wait_until(lambda: page("unsent") == "0", SECONDS)
    browser.save_screenshot(str(REPOSITORY / "docs" / "review.png"))


if __name__ == "__main__":
    main()
