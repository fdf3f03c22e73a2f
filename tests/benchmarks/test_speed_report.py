"""What benchmarks/peers.py writes: tables, numbers, targets and sections of the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from peers import SECTIONS
from speed.markdown import number, replace_section, table
from speed.results import Spread
from speed.targets import Target


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
