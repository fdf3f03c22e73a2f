"""What benchmarks/peers.py writes: tables, numbers, targets and sections of the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from peers import SECTIONS
from speed.commands import Measurement
from speed.contenders import ALL, contenders
from speed.corpora import Corpora, Folder
from speed.gains import gains_table
from speed.markdown import number, replace_section, table
from speed.results import Results, Spread
from speed.targets import Target, targets


def test_a_table_is_markdown() -> None:
    assert table(["model", "ms"], [["one", "1"], ["two", "2"]]).splitlines() == [
        "| model | ms |",
        "| --- | ---: |",
        "| one | 1 |",
        "| two | 2 |",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(12345.6, "12,346"), (99.96, "100.0"), (1.234, "1.23"), (0.25, "0.250"), (0.0123, "0.0123")],
)
def test_numbers_have_about_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_a_section_is_replaced_and_the_rest_of_the_page_is_kept() -> None:
    page = "before\n<!-- t -->\nold\n<!-- /t -->\nafter\n"
    replaced = replace_section(page, "t", "new")
    assert replaced == "before\n<!-- t -->\nnew\n<!-- /t -->\nafter\n"
    assert replace_section(replaced, "t", "new") == replaced


def test_a_page_without_the_markers_is_an_error() -> None:
    with pytest.raises(ValueError, match="no <!-- t -->"):
        replace_section("nothing here", "t", "new")


@pytest.mark.parametrize(
    ("kind", "median", "met"),
    [
        ("at least", 2.0, True),
        ("at least", 1.9, False),
        ("at most", 2.0, True),
        ("at most", 2.1, False),
    ],
)
def test_a_target_is_met_by_the_median(kind, median, met) -> None:
    target = Target("speed", kind, 2.0, "×", Spread(median, 0.0, 9.0))
    assert target.met is met
    assert target.row()[-1] == ("yes" if met else "**no**")


def test_a_target_that_was_not_measured_is_neither_met_nor_missed() -> None:
    target = Target("speed", "at least", 40, "×", None)
    assert target.row() == ["speed", "at least 40×", "not measured", ""]


def test_the_page_has_the_markers_of_all_sections() -> None:
    page = (Path(__file__).parents[2] / "docs" / "performance.md").read_text(encoding="utf-8")
    for name in SECTIONS:
        page = replace_section(page, name, f"the section {name}")
    assert page.count("the section ") == len(SECTIONS)


EXPECTED = {
    "time of `default`, over the floor (4)": (2, 2.5),
    "times as fast as the loop (1), `melattn`'s features and net": (60, 60.0),
    "times as fast as joblib + librosa (2)": (10, 12.0),
    "times as fast as the loop (1), `frames62`": (30, 25.0),
    "2,000 short files, over the floor (4)": (3, 2.5),
    "3 files of an hour, over the floor (4)": (3, 2.5),
    "2 processes against one": (1.85, 2.0),
    "2 processes against one, 3 files of an hour": (1.85, 2.0),
    '10 recordings, everything included, over `python -c "import numpy"`': (6, 4.12),
    "resident memory, parent, maximum over all corpora": (130, 100.0),
    "resident memory, worker, maximum over all corpora": (140, 100.0),
    "cost per file, 2,000 files over 100": (1.05, 1.0),
    "`--update`, 2,000 unchanged files, beyond the walk's own `stat`": (10, 5.03),
}
"""The limit and the measured value of each target, with the measurements of the test."""


def test_gains_and_targets_follow_from_the_measurements() -> None:
    def folder(recordings: int, seconds: float) -> Folder:
        return Folder(Path(f"/{recordings}"), recordings, recordings * seconds / 60)

    corpora = Corpora(
        given=folder(1010, 3.0),
        few=folder(10, 3.0),
        short=folder(2000, 1.0),
        thousand=folder(100, 1.0),
        long=folder(3, 3600.0),
        mix=folder(604, 3.0),
        work=Path("/work"),
    )
    everyone = [replace(each, max_recordings=ALL, requires=()) for each in contenders(2)]
    # A start of 1 s, and then so many milliseconds for a second of audio.
    costs = {"default": 1, "default-1": 2, "frames62": 2, "loop": 60, "loop-frames62": 50}
    costs |= {"batch": 12, "floor": 0.4}
    amounts = {name: getattr(corpora, name) for name in ("few", "given", "short", "long")}
    runs = {
        f"{corpus}/{name}": [Measurement(1 + amount.minutes * 60 * cost / 1000, 1.0, 10**8, 10**8)]
        for corpus, amount in amounts.items()
        for name, cost in costs.items()
    }
    runs["thousand/default"] = [Measurement(1.1, 1.0)]
    runs["import numpy"] = [Measurement(0.25, 0.2)] * 3
    for name, seconds in (("update/few", 1.0), ("update/short", 1.02), ("walk/few", 0.1)):
        runs[name] = [Measurement(seconds, 1.0)] * 3
    runs["walk/short"] = [Measurement(0.11, 0.1)] * 3
    results = Results(runs, corpora, everyone)

    found = {}
    for target in targets(results):
        assert target.measured is not None
        found[target.title] = target.limit, target.measured.median
    assert found == {title: pytest.approx(values, rel=0.001) for title, values in EXPECTED.items()}
    gains = gains_table(results).splitlines()
    assert "| a recording of 3.00 s | 3.00 ms | 180 ms |" in gains
    assert "| an hour in one file, of several | 3.60 s |  |" in gains
    assert "| 10 recordings, from the command to its end | 1.03 s | 2.80 s |" in gains
