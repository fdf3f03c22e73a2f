"""The document: no name runs, nothing is fetched, and a table stands behind every drawing."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import soundfile
from made_tables import analysed, failed
from voices import write_voice

from batchemo.bundles import load_bundle
from batchemo.errors import UsageError
from batchemo.report import ReportOptions, write_report
from batchemo.report.page import model_accuracies

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202egpj.wav"
QUIET = ReportOptions(audio=False)


class Document(HTMLParser):
    """The elements of a page, with their attributes and all text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def report(tmp_path: Path) -> Callable[..., Document]:
    def write(table: Path, options: ReportOptions = QUIET) -> Document:
        write_report(table, tmp_path / "report.html", options)
        return Document(tmp_path / "report.html")

    return write


def test_it_says_how_many_what_failed_and_what_not_to_believe(report: Any, write_table) -> None:
    page = report(
        write_table(
            analysed("a.wav", familiarity=0.1), analysed("b.wav", "angry"), failed("c", "silent")
        )
    )

    assert "1 of 2 recordings (50%) are unlike" in page.text
    assert "their labels are not to be trusted" in page.text
    assert "silent" in page.text
    assert "batchemo review results.csv" in page.text


def test_hostile_names_labels_and_groups_are_text(report: Any, write_table) -> None:
    table = write_table(analysed(f"{EVIL}/a.wav", emotion=EVIL), failed(EVIL, "silent"))

    page = report(table, ReportOptions(audio=False, group_by="folder", against=table))

    assert not page.all("script")
    assert not page.all("img")
    assert not [name for _, of in page.elements for name in of if name.startswith("on")]
    assert "\\u202e" in page.text
    assert "\u202e" not in page.text


def test_nothing_is_fetched(report: Any, write_table) -> None:
    page = report(write_table(analysed("a.wav")))

    (policy,) = [of["content"] for of in page.all("meta") if "http-equiv" in of]
    assert policy.startswith("default-src 'none'")
    links = [of["href"] for of in page.all("a")]
    assert links
    assert all(link.startswith("#") for link in links)
    assert not page.all("link")


def test_every_drawing_has_a_table_or_words_beside_it(report: Any, write_table) -> None:
    page = report(write_table(analysed("a.wav")), ReportOptions(audio=False, group_by="folder"))

    assert all(of["aria-hidden"] == "true" for of in page.all("svg"))
    assert len(page.all("table")) >= 3
    assert [of["lang"] for of in page.all("html")] == ["en"]
    assert len(page.all("h1")) == 1


def test_the_same_table_gives_the_same_bytes(write_table, tmp_path: Path) -> None:
    write_voice(tmp_path / "a.wav")
    table = write_table(analysed("a.wav", root=str(tmp_path)))

    for name in ("one.html", "two.html"):
        write_report(table, tmp_path / name)

    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_recordings_can_be_played_and_what_is_gone_is_told(
    report: Any, write_table, tmp_path: Path
) -> None:
    write_voice(tmp_path / "a.wav")
    table = write_table(
        analysed("a.wav", root=str(tmp_path)), analysed("gone.wav", root=str(tmp_path))
    )

    page = report(table, ReportOptions())

    sounds = page.all("audio")
    # Each stands among the least and among the most certain.
    assert len(sounds) == 2
    assert all(of["src"].startswith("data:audio/mpeg;base64,") for of in sounds)
    assert page.text.count("cannot be read now") == 2


def test_of_a_recording_eight_seconds_are_kept(write_table, tmp_path: Path) -> None:
    from batchemo.report.clips import LONGEST, RATE, clip_of
    from batchemo.report.facts import Example

    write_voice(tmp_path / "a.wav", seconds=20)

    url = clip_of(Example(str(tmp_path), "a.wav", "calm", 0.5, None, 20.0))

    assert url is not None
    import base64
    import io

    sound, rate = soundfile.read(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    assert rate == RATE
    assert len(sound) / rate == pytest.approx(LONGEST, abs=0.2)


def test_long_recordings_are_shown_over_time(report: Any, write_table, tmp_path: Path) -> None:
    windows = tmp_path / "windows.csv"
    lines = ["root,file,start,end,emotion,confidence,p_calm,p_angry"]
    lines += [f"/rec,a.wav,{n * 30},{n * 30 + 30},x,1,{1 - n},{n}" for n in range(2)]
    windows.write_text("\n".join(lines))

    page = report(write_table(analysed("a.wav")), ReportOptions(audio=False, segments=windows))

    assert "a.wav (1:00)" in page.text
    assert "Speaking time 1:00: calm 50%, angry 50%" in page.text
    assert "Longest: calm from 0:00 to 0:30, angry from 0:30 to 1:00." in page.text


def test_turns_are_named_with_where_they_begin(report: Any, write_table) -> None:
    table = write_table(analysed("a.wav"))
    text = table.read_text().replace("root,file,", "root,file,start,end,speaker,")
    table.write_text(text.replace("a.wav,", "a.wav,75,80,anna,"))

    page = report(table, ReportOptions(audio=False))

    assert "a.wav, from 1:15" in page.text


def test_drift_is_told_in_words(report: Any, write_table) -> None:
    before = write_table(*(analysed(f"{n}.wav") for n in range(50)), name="before.csv")
    now = write_table(*(analysed(f"{n}.wav", "angry") for n in range(50)))

    page = report(now, ReportOptions(audio=False, against=before))

    assert "Chance does not explain how the shares of the labels changed" in page.text
    assert "50 with another label" in page.text


def test_an_empty_table_has_a_report_too(report: Any, write_table) -> None:
    assert "recordings analysed" in report(write_table()).text


def test_a_report_is_an_html_file(write_table, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is an \.html file"):
        write_report(write_table(), tmp_path / "report.pdf")


def test_behind_the_histogram_of_confidence_stands_a_table(report: Any, write_table) -> None:
    rows = [analysed(f"{n}.wav", confidence=n / 10) for n in (1, 3, 4, 9)]
    assert "calm1201" in report(write_table(*rows)).text


def test_it_says_how_often_an_installed_model_is_right() -> None:
    digest = load_bundle("default").digest
    [sentence] = model_accuracies({"models": [{"model": "default", "digest": digest}]})
    assert sentence.startswith("The model default finds the right one of 8 labels")
