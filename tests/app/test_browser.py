"""The page in a real browser."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from app_server import RunningServer, running_server, wav_bytes
from browser import IN_BROWSER, open_chromium
from tiny_bundle import LABELS, tiny_graph, tiny_info

from batchemo.bundles import write_bundle
from batchemo.features import get_feature_set

selenium = pytest.importorskip("selenium", reason="needs selenium, of batchemo[test]")
from selenium import webdriver  # noqa: E402
from selenium.common.exceptions import StaleElementReferenceException  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

MODELS = {
    "default": "logmel64",
    "cnn1d": "stats162",
    "melattn": "logmel128",
    "stats162": "stats162",
    "frames62": "frames62",
    "mfcc40": "mfcc40",
}
"""Models with the feature sets of the shipped ones, and random weights."""
HOSTILE_NAME = "<img src=x onerror=alert(1)>[x](javascript:alert(1)) **b** :red[r] $l$.wav"

pytestmark = IN_BROWSER


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("models")
    models = []
    for seed, (name, features) in enumerate(MODELS.items()):
        feature_set = get_feature_set(features)
        frames = len(feature_set.shape()) > 1
        graph = tiny_graph(len(feature_set.names), 4, seed=seed, frames=frames)
        info = tiny_info(name=name, features=feature_set.to_dict(), window=feature_set.window)
        files = {"model.onnx": graph, "README.md": b"# tiny\n"}
        models.append(str(write_bundle(folder / name, info, files).path))
    with running_server(tuple(models), tmp_path_factory.mktemp("server") / "temporary") as server:
        yield server


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    browser = open_chromium(tmp_path / "profile", height=1900, downloads=tmp_path / "downloads")
    yield browser
    browser.quit()


def upload(browser: webdriver.Chrome, *paths: Path) -> None:
    wait = WebDriverWait(browser, 60)
    wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "input[type=file]"))
    browser.find_element(By.CSS_SELECTOR, "input[type=file]").send_keys("\n".join(map(str, paths)))
    wait.until(lambda b: "Table as CSV" in page_text(b))
    wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "[data-testid=stVegaLiteChart] svg"))


def page_text(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.TAG_NAME, "body").text


def test_an_uploaded_recording_gets_its_result_on_the_page(
    server: RunningServer, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    path = tmp_path / "voice.wav"
    path.write_bytes(wav_bytes(6))
    browser.get(server.url)
    upload(browser, path)

    text = page_text(browser)
    assert "voice.wav" in text
    assert "6.0 s" in text
    assert any(label in text for label in ("neutral", "happy", "sad", "angry"))
    assert len(browser.find_elements(By.CSS_SELECTOR, "[data-testid=stVegaLiteChart]")) == 4
    player = browser.find_element(By.TAG_NAME, "audio")
    WebDriverWait(browser, 20).until(lambda _: player.get_property("duration") == 6)
    browser.save_screenshot(str(tmp_path / "page.png"))


def test_a_file_name_is_shown_as_plain_text(
    server: RunningServer, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    paths = [tmp_path / HOSTILE_NAME, tmp_path / "other.wav"]
    for path in paths:
        path.write_bytes(wav_bytes())
    browser.get(server.url)
    upload(browser, *paths)

    assert HOSTILE_NAME in page_text(browser)
    assert not browser.find_elements(By.CSS_SELECTOR, "img[src=x]")
    assert not browser.find_elements(By.CSS_SELECTOR, "a[href^=javascript]")
    links = [a.get_attribute("href") for a in browser.find_elements(By.TAG_NAME, "a")]
    assert not any("alert" in (link or "") for link in links)


def compare(browser: webdriver.Chrome) -> None:
    browser.find_element(By.CSS_SELECTOR, "[data-testid=stCheckbox] label").click()
    WebDriverWait(browser, 60).until(lambda b: "All models side by side" in page_text(b))


def test_all_models_can_be_compared(
    server: RunningServer, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    path = tmp_path / "voice.wav"
    path.write_bytes(wav_bytes(2))
    browser.get(server.url)
    upload(browser, path)
    compare(browser)
    charts = "[data-testid=stVegaLiteChart]"
    WebDriverWait(browser, 20).until(lambda b: len(b.find_elements(By.CSS_SELECTOR, charts)) == 4)
    assert "All models side by side" in page_text(browser)


def test_the_downloaded_table_holds_all_compared_models(
    server: RunningServer, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    names = ["=cmd().wav", "other.wav"]
    for seed, name in enumerate(names):
        (tmp_path / name).write_bytes(wav_bytes(2, seed=seed))
    browser.get(server.url)
    upload(browser, *(tmp_path / name for name in names))
    compare(browser)
    table = tmp_path / "downloads" / "batchemo.csv"
    wait = WebDriverWait(browser, 20, ignored_exceptions=[StaleElementReferenceException])
    wait.until(lambda b: not b.find_elements(By.CSS_SELECTOR, "[data-stale=true]"))
    button = "//button[contains(., 'Table as CSV')]"
    wait.until(lambda b: b.find_element(By.XPATH, button).click() or True)
    wait.until(lambda _: table.exists())

    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == ["'=cmd().wav", "other.wav"]
    for row in rows:
        labels = [row[f"emotion_{model}"] for model in MODELS]
        assert set(labels) <= set(LABELS)
        agreement = labels.count(row["emotion"]) / len(labels)
        assert float(row["agreement"]) == pytest.approx(agreement, abs=1e-6)
        for model in MODELS:
            assert sum(float(row[f"p_{label}_{model}"]) for label in LABELS) == pytest.approx(1)


def test_the_browser_loads_nothing_from_other_servers(
    server: RunningServer, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    path = tmp_path / "voice.wav"
    path.write_bytes(wav_bytes(2))
    browser.get(server.url)
    upload(browser, path)
    urls = browser.execute_script(
        "return performance.getEntriesByType('resource').map(entry => entry.name)"
    )
    assert urls
    assert [url for url in urls if not url.startswith((server.url, "data:", "blob:"))] == []


LIVE = """
const inside = (root) => [...root.querySelectorAll("*")].flatMap(
    (each) => each.shadowRoot ? [each, ...inside(each.shadowRoot)] : [each]);
const live = inside(document).find((each) => each.className === "live");
if (!live) return null;
"""


def test_a_label_is_shown_while_one_speaks_into_the_microphone(
    server: RunningServer, tmp_path: Path
) -> None:
    microphone = tmp_path / "spoken.wav"
    microphone.write_bytes(wav_bytes(5))
    browser = open_chromium(tmp_path / "profile", microphone=microphone)
    try:
        wait = WebDriverWait(browser, 60)
        browser.get(server.url)
        wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "[role=tab]"))
        browser.find_elements(By.CSS_SELECTOR, "[role=tab]")[2].click()
        start = LIVE + "live.querySelector('button').click(); return true;"
        wait.until(lambda b: b.execute_script(start))
        lines = LIVE + "return [...live.querySelectorAll('.heard li')].map((li) => li.textContent);"
        wait.until(lambda b: len(b.execute_script(lines)) >= 2)
        [last, *_] = browser.execute_script(lines)
        assert any(label in last for label in LABELS)
        assert browser.execute_script(LIVE + "return live.querySelectorAll('i').length") == 4
        assert not browser.execute_script(
            LIVE + "return live.querySelector('.problem').textContent"
        )
    finally:
        browser.quit()


def test_the_player_moves_a_line_over_all_charts_over_time(
    server: RunningServer, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    path = tmp_path / "voice.wav"
    path.write_bytes(wav_bytes(6))
    browser.get(server.url)
    upload(browser, path)
    # Where the line is in the plot, as a share of its width; and how high the plot is.
    places = """
        return [...document.querySelectorAll(".batchemo-playhead")].map((line) => {
            const plot = line.parentElement.querySelector(".background").getBoundingClientRect();
            const at = line.getBoundingClientRect();
            return [(at.left + 1 - plot.left) / plot.width, at.height];
        });
    """
    wait = WebDriverWait(browser, 20)
    wait.until(lambda b: b.execute_script("return document.querySelector('audio').duration") == 6)
    browser.execute_script("document.querySelector('audio').currentTime = 3")
    wait.until(lambda b: any(height for _, height in b.execute_script(places)))
    found = browser.execute_script(places)
    assert len(found) == 3
    for share, height in found:
        assert share == pytest.approx(0.5, abs=0.01)
        assert height > 50, "the chart has room beside its title, its axis and its legend"
