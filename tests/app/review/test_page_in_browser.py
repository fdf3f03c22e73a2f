"""The review's page in a real browser: answers by keyboard alone."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from app_server import free_port, wait_until
from browser import IN_BROWSER, open_chromium
from review_server import running_review, write_review

from batchemo.tables.labels import read_labels

selenium = pytest.importorskip("selenium", reason="needs selenium, of batchemo[test]")
from selenium.common.exceptions import TimeoutException  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

HOSTILE = "<img src=x onerror=document.title='run'>\n\u202e=cmd() \"quoted\",'.wav"

pytestmark = IN_BROWSER


class Reviewer:
    """Somebody with a keyboard before a browser."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.browser = open_chromium(folder / f"profile-{name}")

    def start(self, url: str) -> None:
        self.browser.get(url)
        self.wait(lambda: self.state == "start")
        self.press(*self.name, Keys.ENTER)
        self.wait(lambda: self.state in ("asking", "end"))

    def press(self, *keys: str) -> None:
        ActionChains(self.browser, duration=0).send_keys(*keys).perform()

    def answer(self, key: str) -> None:
        """Answer, and wait until the next clip is asked about."""
        before = self.clip
        self.press(key)
        self.wait(lambda: self.state in ("asking", "end") and self.clip != before)

    def wait(self, condition, seconds: float = 60) -> None:
        try:
            WebDriverWait(self.browser, seconds, poll_frequency=0.05).until(lambda _: condition())
        except TimeoutException:
            pytest.fail(f"not within {seconds} s; the page says: {self.text('review')}")

    def all_sent(self) -> None:
        self.wait(lambda: self.data("unsent") == "0")

    def data(self, name: str) -> str:
        return self.browser.execute_script(f"return document.body.dataset.{name}")

    @property
    def state(self) -> str:
        return self.data("state")

    @property
    def clip(self) -> str:
        return self.data("clip")

    def text(self, name: str) -> str:
        return self.browser.find_element(By.ID, name).text

    def measured(self, name: str) -> list[float]:
        return self.browser.execute_script(f"return window.{name}")


@pytest.fixture
def reviewer(tmp_path: Path) -> Iterator[Reviewer]:
    reviewer = Reviewer(tmp_path, "anna")
    yield reviewer
    reviewer.browser.quit()


def test_answers_by_keyboard_alone_are_kept_without_waiting(
    reviewer: Reviewer, tmp_path: Path
) -> None:
    names = [f"{number:02d}.wav" for number in range(45)]
    results = write_review(tmp_path, names)
    with running_review(results, tmp_path / "run", "--by", "uncertain", "--queue", "40") as (
        url,
        _,
    ):
        reviewer.start(url)
        keys = ("1", "2", "3", "u", "n") * 8
        for key in keys:
            reviewer.answer(key)
        reviewer.all_sent()
        assert reviewer.state == "end"
        assert "Nothing is left" in reviewer.text("clip")
        waited, latencies = reviewer.measured("waited"), reviewer.measured("latencies")
        assert "40 by you · 40 by all · 40 to review" in reviewer.text("progress")

    # 40 a minute leave 1.5 s for each. What the page takes of it is measured in the page, as the
    # keys of this test come from far away.
    assert len(latencies) == 40
    assert (sum(latencies) + sum(waited[1:])) / 40 < 750
    answers = read_labels(tmp_path / "run" / "labels.csv").answers
    labels = {"1": "angry", "2": "happy", "3": "sad", "u": "unsure", "n": "no_speech"}
    assert [a.label for a in answers] == [labels[key] for key in keys]
    assert len({a.file for a in answers}) == 40
    assert {(a.reviewer, a.shown) for a in answers} == {("anna", "")}


def test_an_answer_is_taken_back_and_given_again(reviewer: Reviewer, tmp_path: Path) -> None:
    results = write_review(tmp_path, ["a.wav", "b.wav", "c.wav"])
    with running_review(results, tmp_path / "run", "--by", "uncertain") as (url, _):
        reviewer.start(url)
        first = reviewer.clip
        reviewer.answer("1")
        reviewer.all_sent()
        reviewer.wait(lambda: "You said angry" in reviewer.text("last"))
        reviewer.wait(lambda: "predicted: happy" in reviewer.text("last"))
        reviewer.press("z")
        reviewer.wait(lambda: reviewer.clip == first)
        reviewer.answer("3")
        reviewer.all_sent()
    labels = read_labels(tmp_path / "run" / "labels.csv")
    # The second answer was given after the prediction was shown, and says so.
    assert [(a.label, a.shown) for a in labels.answers] == [
        ("angry", ""),
        ("", ""),
        ("sad", "happy"),
    ]
    assert list(labels.agreed().values()) == ["sad"]


def test_a_kill_of_the_server_loses_no_answer_and_the_page_goes_on(
    reviewer: Reviewer, tmp_path: Path
) -> None:
    results = write_review(tmp_path, [f"{number:02d}.wav" for number in range(12)])
    port = free_port()
    options = ("--by", "uncertain", "--label-names", "yes,no")
    with running_review(results, tmp_path / "run", *options, port=port) as (url, process):
        reviewer.start(url)
        for key in "121":
            reviewer.answer(key)
        reviewer.all_sent()
        reviewer.wait(lambda: int(reviewer.data("loaded")) > 2)
        process.kill()
        process.wait()
        # Clips that are loaded already can be answered while nobody keeps the answers.
        reviewer.answer("2")
        reviewer.answer("1")
        reviewer.wait(lambda: "not kept yet" in reviewer.text("message"))
        kept = read_labels(tmp_path / "run" / "labels.csv").answers
        assert [a.label for a in kept] == ["yes", "no", "yes"]
    with running_review(results, tmp_path / "run", *options, port=port):
        reviewer.all_sent()
        while reviewer.state != "end":
            reviewer.answer("1")
        reviewer.all_sent()
    answers = read_labels(tmp_path / "run" / "labels.csv").answers
    assert [a.label for a in answers] == ["yes", "no", "yes", "no", "yes"] + ["yes"] * 7
    assert len({a.file for a in answers}) == 12


def test_two_reviewers_share_the_queue(reviewer: Reviewer, tmp_path: Path) -> None:
    results = write_review(tmp_path, [f"{number:02d}.wav" for number in range(14)])
    ben = Reviewer(tmp_path, "ben")
    try:
        with running_review(results, tmp_path / "run", "--by", "uncertain") as (url, _):
            for each in (reviewer, ben):
                each.start(url)
            while "asking" in (reviewer.state, ben.state):
                for each in (reviewer, ben):
                    if each.state == "asking":
                        each.answer("1")
            for each in (reviewer, ben):
                each.all_sent()
    finally:
        ben.browser.quit()
    answers = read_labels(tmp_path / "run" / "labels.csv").answers
    assert sorted(a.file for a in answers) == [f"{number:02d}.wav" for number in range(14)]
    assert {a.reviewer for a in answers} == {"anna", "ben"}


def test_hostile_names_are_shown_as_text_and_kept(reviewer: Reviewer, tmp_path: Path) -> None:
    results = write_review(tmp_path, [HOSTILE])
    label = "<b>=1"
    options = ("--by", "uncertain", "--label-names", label)
    with running_review(results, tmp_path / "run", *options) as (url, _):
        reviewer.start(url)
        reviewer.press("i")
        assert "<img src=x onerror=document.title='run'>\\x0a\\u202e=cmd()" in reviewer.text("clip")
        assert label in reviewer.text("labels")
        reviewer.answer("1")
        reviewer.all_sent()
        reviewer.wait(lambda: "<img" in reviewer.text("last"))
        reviewer.press("f")
        reviewer.wait(lambda: "Confusion: labels and predictions" in reviewer.text("figures"))
        assert "<img" in reviewer.text("figures")
        assert reviewer.browser.find_elements(By.TAG_NAME, "img") == []
        assert reviewer.browser.title == "Review"
        urls = reviewer.browser.execute_script(
            "return performance.getEntriesByType('resource').map(entry => entry.name)"
        )
        assert urls
        assert [each for each in urls if not each.startswith(url)] == []
    (answer,) = read_labels(tmp_path / "run" / "labels.csv").answers
    assert (answer.file, answer.label) == (HOSTILE, label)
    with (tmp_path / "run" / "labels.csv").open(newline="") as stream:
        assert [row["label"] for row in csv.DictReader(stream)] == [label]


def test_the_sound_plays_at_once_stops_and_plays_again(reviewer: Reviewer, tmp_path: Path) -> None:
    results = write_review(tmp_path, ["a.wav", "b.wav"], seconds=60)
    with running_review(results, tmp_path / "run", "--by", "uncertain") as (url, _):
        reviewer.start(url)
        script = "return document.getElementById('cursor').style.visibility"

        def plays() -> bool:
            return reviewer.browser.execute_script(script) == "visible"

        reviewer.wait(plays)
        reviewer.press(Keys.SPACE)
        reviewer.wait(lambda: not plays())
        reviewer.press(Keys.SPACE)
        reviewer.wait(plays)
        reviewer.press("a")
        reviewer.answer("1")
        wait_until(lambda: not plays(), 5)
