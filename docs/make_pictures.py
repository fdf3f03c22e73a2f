"""Makes the pictures of the documentation, in a real terminal and a real browser.

    python docs/make_pictures.py [terminal] [report] [review] [page]

`terminal` makes scan.svg, what a terminal of 80 columns shows after a scan of the examples, also
of the broken ones; the others make report.png, review.png and app.png. By default all are made.
The last three need chromium and chromedriver. Run it again when what they show changes; the times
are those of this machine.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

REPOSITORY = Path(__file__).parents[1]
sys.path.append(str(REPOSITORY / "tests" / "helpers"))

from app_server import COMMAND, free_port, running_server, wait_until  # noqa: E402
from browser import open_chromium  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.text import Text  # noqa: E402
from terminal import run_on_terminal  # noqa: E402

import batchemo  # noqa: E402
from batchemo.report import write_report  # noqa: E402

if TYPE_CHECKING:
    from selenium import webdriver

DOCS = REPOSITORY / "docs"
EXAMPLES = "examples/recordings"
BROKEN = "examples/broken"
COLUMNS = 80
SECONDS = 120
BATCHEMO = COMMAND[:-1]


def main() -> None:
    """Make the pictures that are named, or all."""
    known = (terminal, report, review, page)
    pictures: dict[str, Callable[[Path], None]] = {each.__name__: each for each in known}
    for name in sys.argv[1:] or pictures:
        with tempfile.TemporaryDirectory() as folder:
            pictures[name](Path(folder))


def terminal(folder: Path) -> None:
    """Draw what a scan prints to a terminal at its end."""
    shown = f"scan {EXAMPLES} {BROKEN} -o results.parquet"
    sources = [REPOSITORY / EXAMPLES, REPOSITORY / BROKEN]
    command = ["scan", *sources, "-o", folder / "results.parquet"]
    printed = run_on_terminal(command, columns=COLUMNS, TERM="xterm-256color")
    # The progress display hides the cursor while it is shown; the report follows its return.
    summary = printed.rpartition("\x1b[?25h")[2].replace(f"{folder}/", "").strip()
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(f"$ batchemo {shown}", style="bold", highlight=False)
    console.print(Text.from_ansi(summary))
    console.save_svg(str(DOCS / "scan.svg"), title="batchemo")


def report(folder: Path) -> None:
    """Show the report on the examples."""
    sources = [REPOSITORY / EXAMPLES, REPOSITORY / BROKEN]
    batchemo.scan(sources, output=folder / "results.parquet", progress=False)
    write_report(folder / "results.parquet", folder / "report.html")
    with chromium(folder, height=1150) as browser:
        browser.get((folder / "report.html").as_uri())
        browser.save_screenshot(str(DOCS / "report.png"))


def review(folder: Path) -> None:
    """Answer two recordings by keyboard, and show the page as the third is asked about."""
    from selenium.webdriver.common.keys import Keys

    batchemo.scan(
        REPOSITORY / EXAMPLES,
        output=folder / "results.parquet",
        embeddings=folder / "e.parquet",
        progress=False,
    )
    port = free_port()
    command = [*BATCHEMO, "review", "results.parquet", "--embeddings", "e.parquet"]
    command += ["--labels", "labels.csv", "--port", str(port), "--no-browser"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) as server:
        try:
            with chromium(folder, height=790) as browser:
                wait_until(lambda: is_open(browser, f"http://localhost:{port}"), SECONDS)
                wait_until(lambda: data_of(browser, "state") == "start", SECONDS)
                press(browser, *"anna", Keys.ENTER)
                wait_until(lambda: data_of(browser, "state") == "asking", SECONDS)
                for key in ("3", "1"):
                    before = data_of(browser, "clip")
                    press(browser, key)
                    wait_until(lambda was=before: is_next(browser, was), SECONDS)
                wait_until(lambda: data_of(browser, "unsent") == "0", SECONDS)
                browser.save_screenshot(str(DOCS / "review.png"))
        finally:
            server.terminate()


def page(folder: Path) -> None:
    """Show the sample on the page of `batchemo app`, half played."""
    with (
        running_server(("default", "functionals"), folder / "server") as server,
        chromium(folder, height=1750) as browser,
    ):
        browser.get(server.url)
        sample = (
            "[...document.querySelectorAll('button')].find((b) => /sample/.test(b.textContent))"
        )
        wait_until(lambda: browser.execute_script(f"return !!{sample}"), SECONDS)
        browser.execute_script(f"{sample}.click()")
        charts = "return document.querySelectorAll('[data-testid=stVegaLiteChart] svg').length"
        wait_until(lambda: browser.execute_script(charts) == 4, SECONDS)
        played = "return document.querySelector('audio').duration > 0"
        wait_until(lambda: browser.execute_script(played), SECONDS)
        browser.execute_script("document.querySelector('audio').currentTime = 4.4")
        time.sleep(2)  # Until the charts have faded in.
        browser.save_screenshot(str(DOCS / "app.png"))


@contextmanager
def chromium(folder: Path, *, height: int) -> Iterator[webdriver.Chrome]:
    """Run a browser with a profile of its own."""
    browser = open_chromium(folder / "profile", height=height)
    try:
        yield browser
    finally:
        browser.quit()


def is_open(browser: webdriver.Chrome, url: str) -> bool:
    """Open a page; return whether its server is up."""
    from selenium.common.exceptions import WebDriverException

    try:
        browser.get(url)
    except WebDriverException:
        return False
    return True


def data_of(browser: webdriver.Chrome, key: str) -> str:
    """Return what the page of a review says of its state."""
    return str(browser.execute_script(f"return document.body.dataset.{key}"))


def is_next(browser: webdriver.Chrome, clip: str) -> bool:
    """Return whether a review asks about another recording than this."""
    return data_of(browser, "state") == "asking" and data_of(browser, "clip") != clip


def press(browser: webdriver.Chrome, *keys: str) -> None:
    """Press keys, one after another."""
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser, duration=0).send_keys(*keys).perform()


if __name__ == "__main__":
    main()
