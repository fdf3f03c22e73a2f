"""docs/features.md documents the feature sets and tolerances of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tolerances import TOLERANCES

from batchemo.features import FEATURE_SETS
from batchemo.features.descriptors import DESCRIPTORS

PAGE = (Path(__file__).parents[2] / "docs" / "features.md").read_text(encoding="utf-8")
ROWS = {
    match[1]: [cell.strip() for cell in match[0].strip("|").split("|")]
    for match in re.finditer(r"^\| `(\w+)` .*$", PAGE, flags=re.MULTILINE)
}
_POWERS = str.maketrans("⁻0123456789⁰¹²³⁴⁵⁶⁷⁸⁹", "-01234567890123456789")


def number(cell: str) -> float:
    """The number that a cell begins with: `0.02 dB`, `2·10⁻⁶ of …`, `10⁻⁵ of …`."""
    word = cell.split()[0]
    if power := re.fullmatch(r"(?:(\d+)·)?10(⁻[⁰¹²³⁴⁵⁶⁷⁸⁹]+)", word):
        return float(f"{power[1] or 1}e{power[2].translate(_POWERS)}")
    return float(word)


def test_every_feature_set_and_descriptor_has_a_row() -> None:
    assert set(ROWS) == set(FEATURE_SETS) | set(DESCRIPTORS) | set(TOLERANCES)


@pytest.mark.parametrize("name", FEATURE_SETS)
def test_feature_set_is_documented_with_its_rate_window_and_columns(name: str) -> None:
    _, rate, window, shape, *_ = ROWS[name]
    feature_set = FEATURE_SETS[name]
    assert rate == f"{feature_set.rate:,}"
    assert float(window.split()[0]) == feature_set.window
    assert int(re.findall(r"\d+", shape)[-1]) == feature_set.shape()[-1]


@pytest.mark.parametrize("name", TOLERANCES)
def test_tolerance_is_documented(name: str) -> None:
    _, _, _, largest, left_out = ROWS[name]
    assert number(largest) == TOLERANCES[name].largest
    assert left_out == ", ".join(TOLERANCES[name].meaningless_on)
