"""The page in a real browser: a recording goes in, its result stands on the page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import tiny_graph, tiny_info
from serving import Served, serving, wav

from batchemo.bundles import write_bundle

selenium = pytest.importorskip("selenium", reason="needs selenium, of batchemo[test]")
from selenium import webdriver  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1000,1900",
)
HOSTILE = "<img src=x onerror=alert(1)>[x](javascript:alert(1)) **b** :red[r] $l$.wav"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver on the PATH"
    ),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    shelf = tmp_path_factory.mktemp("models")
    models = []
    for seed, name in enumerate(("first", "second")):
        files = {"model.onnx": tiny_graph(64, 4, seed=seed), "README.md": b"# tiny\n"}
        models.append(str(write_bundle(shelf / name, tiny_info(name=name), files).path))
    with serving(tuple(models), tmp_path_factory.mktemp("server") / "scratch") as served:
        yield served


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(switch)
    browser = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield browser
    browser.quit()


def upload(browser: webdriver.Chrome, *paths: Path) -> None:
    wait = WebDriverWait(browser, 60)
    wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "input[type=file]"))
    browser.find_element(By.CSS_SELECTOR, "input[type=file]").send_keys("\n".join(map(str, paths)))
    wait.until(lambda b: "Table as CSV" in shown(b))
    wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "[data-testid=stVegaLiteChart] svg"))


def shown(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.TAG_NAME, "body").text


def test_an_uploaded_recording_gets_its_result_on_the_page(
    served: Served, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    path = tmp_path / "voice.wav"
    path.write_bytes(wav(6))
    browser.get(served.url)
    upload(browser, path)

    text = shown(browser)
    assert "voice.wav" in text
    assert "6.0 s" in text
    assert any(label in text for label in ("neutral", "happy", "sad", "angry"))
    assert len(browser.find_elements(By.CSS_SELECTOR, "[data-testid=stVegaLiteChart]")) == 3
    player = browser.find_element(By.TAG_NAME, "audio")
    WebDriverWait(browser, 20).until(lambda _: player.get_property("duration") == 6)
    browser.save_screenshot(str(tmp_path / "page.png"))


def test_a_name_is_shown_as_it_is_and_does_nothing(
    served: Served, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    paths = [tmp_path / HOSTILE, tmp_path / "other.wav"]
    for path in paths:
        path.write_bytes(wav())
    browser.get(served.url)
    upload(browser, *paths)

    assert HOSTILE in shown(browser)
    assert not browser.find_elements(By.CSS_SELECTOR, "img[src=x]")
    assert not browser.find_elements(By.CSS_SELECTOR, "a[href^=javascript]")
    links = [a.get_attribute("href") for a in browser.find_elements(By.TAG_NAME, "a")]
    assert not any("alert" in (link or "") for link in links)


def test_two_models_stand_side_by_side(
    served: Served, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    path = tmp_path / "voice.wav"
    path.write_bytes(wav(2))
    browser.get(served.url)
    upload(browser, path)
    browser.find_element(By.CSS_SELECTOR, "[data-testid=stCheckbox] label").click()
    WebDriverWait(browser, 60).until(lambda b: "All models beside each other" in shown(b))
    charts = "[data-testid=stVegaLiteChart]"
    WebDriverWait(browser, 20).until(lambda b: len(b.find_elements(By.CSS_SELECTOR, charts)) == 3)


def test_the_browser_asks_nobody_but_the_page(
    served: Served, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    path = tmp_path / "voice.wav"
    path.write_bytes(wav(2))
    browser.get(served.url)
    upload(browser, path)
    asked = browser.execute_script(
        "return performance.getEntriesByType('resource').map(entry => entry.name)"
    )
    assert asked
    assert [url for url in asked if not url.startswith((served.url, "data:", "blob:"))] == []
