"""From measurements to costs and ratios, and the rounds that make the measurements."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from speed.commands import Measurement
from speed.contenders import contenders, find_contender
from speed.corpora import Corpora, Folder
from speed.report import corpora_tables
from speed.results import Cost, Results, Spread, ratios
from speed.rounds import (
    Measurements,
    Task,
    load_measurements,
    make_tasks,
    measure_round,
    save_measurements,
)


def folder(recordings: int, seconds: float) -> Folder:
    return Folder(Path(f"/{recordings}"), recordings, recordings * seconds / 60)


@pytest.fixture
def corpora() -> Corpora:
    return Corpora(
        given=folder(1000, 3.0),
        few=folder(10, 3.0),
        short=folder(1000, 1.0),
        thousand=folder(50, 1.0),
        long=folder(2, 3000.0),
        mix=folder(100, 6.0),
        work=Path("/work"),
    )


def test_the_start_is_subtracted_from_the_cost_of_a_recording() -> None:
    cost = Cost.from_runs((10, 3.0), (110, 8.0))
    assert cost.per_recording == pytest.approx(0.05)
    assert cost.start == pytest.approx(2.5)


def test_ratios_are_computed_round_by_round() -> None:
    spread = ratios([1.0, 2.0, 4.0], [10.0, 10.0, 100.0])
    assert spread == Spread(median=10.0, minimum=5.0, maximum=25.0)


def test_different_numbers_of_rounds_are_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


def test_cost_start_and_ratio_follow_from_two_runs_per_round(corpora: Corpora) -> None:
    everyone = [replace(contender, max_recordings=1000) for contender in contenders(2)]
    default, floor = find_contender("default", everyone), find_contender("floor", everyone)
    measurements = {
        "few/default": [Measurement(1.1, 1), Measurement(1.1, 1)],
        "given/default": [Measurement(11.0, 1), Measurement(21.0, 1)],
        "few/floor": [Measurement(0.3, 1), Measurement(0.3, 1)],
        "given/floor": [Measurement(5.25, 1), Measurement(5.25, 1)],
        "short/floor": [Measurement(2.25, 1), Measurement(2.25, 1)],
    }
    results = Results(measurements, corpora, everyone)
    assert results.seconds_per_recording(default, "given") == pytest.approx(
        [0.01, 0.0201], rel=0.01
    )
    assert results.start(floor) == pytest.approx(0.25)
    assert results.seconds_per_recording(floor, "short") == pytest.approx([0.002, 0.002])
    assert results.seconds_per_minute(floor, "short") == pytest.approx([0.12, 0.12])
    assert results.time_ratio(floor, default, "given").median == pytest.approx(0.375, rel=0.01)


def test_a_contender_that_is_not_installed_is_listed_as_skipped(corpora: Corpora) -> None:
    missing = replace(contenders(2)[-1], title="other tool", requires=("no_such_package",))
    default = contenders(2)[0]
    runs = [Measurement(1.0, 1), Measurement(1.0, 1)]
    measurements = {f"{corpus}/default": runs for corpus in ("given", "short", "long", "mix")}
    measurements["few/default"] = [Measurement(0.1, 1)] * 2
    page = corpora_tables(Results(measurements, corpora, [default, missing]))
    assert "| other tool | skipped: no_such_package not installed |" in page
    assert missing.missing == ("no_such_package",)


def test_a_round_is_kept_only_when_all_of_it_is_done(tmp_path: Path) -> None:
    measurements: Measurements = {}
    good = Task("good", lambda: Measurement(1.0, 0.5), repeats=2)
    bad = Task("bad", lambda: Measurement(1 / 0, 0))
    large = Task("large", lambda: Measurement(1.0, 0.5), large=True)
    measure_round([good], measurements, 0, lambda text: None)
    with pytest.raises(ZeroDivisionError):
        measure_round([good, bad], measurements, 0, lambda text: None)
    assert measurements == {"good": [Measurement(1.0, 0.5)] * 2}
    measure_round([large], measurements, 1, lambda text: None)
    assert "large" not in measurements, "it is run in every other round"
    save_measurements(tmp_path / "saved.json", measurements)
    assert load_measurements(tmp_path / "saved.json") == measurements
    assert load_measurements(tmp_path / "none.json") == {}


def test_a_round_has_every_contender_on_all_its_corpora(corpora: Corpora) -> None:
    everyone = [replace(one, max_recordings=10**9, requires=()) for one in contenders(2)]
    names = [task.name for task in make_tasks(corpora, everyone, Path("/out"))]
    assert len(names) == len(set(names))
    expected = {f"{corpus}/{one.name}" for one in everyone for corpus in ("few", *one.corpora)}
    assert expected < set(names)
