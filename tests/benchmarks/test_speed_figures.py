"""Medians, ratios, tables and targets: what the benchmarks make of seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
from peers import TABLES
from speed.figures import Line, Spread, ratios
from speed.markdown import into_page, number, table
from speed.targets import Target


def test_the_start_is_taken_off_what_a_recording_costs() -> None:
    line = Line.through((10, 3.0), (110, 8.0))
    assert line.each == pytest.approx(0.05)
    assert line.start == pytest.approx(2.5)


def test_ratios_are_taken_round_by_round_and_the_median_counts() -> None:
    found = ratios([1.0, 2.0, 4.0], [10.0, 10.0, 100.0])
    assert found == Spread(median=10.0, least=5.0, most=25.0)


def test_rounds_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


def test_a_table_is_markdown() -> None:
    assert table(["who", "ms"], [["we", "1"], ["they", "2"]]).splitlines() == [
        "| who | ms |",
        "| --- | ---: |",
        "| we | 1 |",
        "| they | 2 |",
    ]


@pytest.mark.parametrize(
    ("figure", "written"),
    [(12345.6, "12,346"), (99.96, "100.0"), (1.234, "1.23"), (0.25, "0.250"), (0.0123, "0.0123")],
)
def test_numbers_are_written_with_about_three_digits(figure: float, written: str) -> None:
    assert number(figure) == written


def test_text_goes_between_the_markers_and_leaves_the_rest() -> None:
    page = "before\n<!-- t -->\nold\n<!-- /t -->\nafter\n"
    written = into_page(page, "t", "new")
    assert written == "before\n<!-- t -->\nnew\n<!-- /t -->\nafter\n"
    assert into_page(written, "t", "new") == written


def test_a_page_without_the_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="no <!-- t -->"):
        into_page("nothing here", "t", "new")


@pytest.mark.parametrize(
    ("sense", "median", "met"),
    [
        ("at least", 2.0, True),
        ("at least", 1.9, False),
        ("at most", 2.0, True),
        ("at most", 2.1, False),
    ],
)
def test_the_median_meets_a_target_or_misses_it(sense, median, met) -> None:
    target = Target("speed", sense, 2.0, "×", Spread(median, 0.0, 9.0))
    assert target.met is met
    assert target.row()[-1] == ("yes" if met else "**no**")


def test_a_target_that_was_not_measured_is_neither_met_nor_missed() -> None:
    target = Target("speed", "at least", 40, "×", None)
    assert target.row() == ["speed", "at least 40×", "not measured", ""]


def test_the_page_has_a_place_for_each_of_the_tables() -> None:
    page = (Path(__file__).parents[2] / "docs" / "performance.md").read_text(encoding="utf-8")
    for name in TABLES:
        page = into_page(page, name, f"the table of {name}")
    assert page.count("the table of ") == len(TABLES)
