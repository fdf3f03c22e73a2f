"""Values of options as people write them."""

from __future__ import annotations

import click
import pytest

from batchemo.cli.shared_options import parse_duration, parse_jobs, split_commas


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200), ("1d", 86400)]
)
def test_durations_have_an_optional_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1w", "1e3", "\u0663", "nan"])
def test_other_texts_are_not_durations(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a duration"):
        parse_duration(text)


def test_jobs_are_a_number_or_auto() -> None:
    assert (parse_jobs("auto"), parse_jobs("3")) == (0, 3)


def test_lists_are_separated_by_commas() -> None:
    assert split_commas(("wav,flac", " mp3 ,")) == ("wav", "flac", "mp3")
