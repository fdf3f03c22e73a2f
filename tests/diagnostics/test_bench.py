"""What a bench recommends follows from its figures alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from batchemo.diagnostics.bench import Findings, Pace, Sample
from batchemo.inference.settings import BATCH_SIZE

FOUND = Findings(
    model="default",
    sample=Sample(count=24, seconds=3.5, made=True),
    stages={"decode": 0.001, "features": 0.006, "model": 0.003},
    reading=None,
    paces=(Pace(1, 100, 350), Pace(2, 190, 665), Pace(4, 195, 682)),
    batches={1: 0.004, BATCH_SIZE: 0.002, 64: 0.0019},
)


def test_the_fewest_processes_that_are_nearly_the_fastest_are_best() -> None:
    assert FOUND.best_jobs == 2
    assert FOUND.best_pace.recordings == 190


def test_more_processes_that_are_slower_are_not_best() -> None:
    slower = replace(FOUND, paces=(Pace(1, 100, 350), Pace(2, 60, 210)))
    assert slower.best_jobs == 1


def test_another_size_of_batch_must_gain_clearly() -> None:
    assert FOUND.best_batch == BATCH_SIZE
    assert replace(FOUND, batches={**FOUND.batches, 64: 0.001}).best_batch == 64


def test_the_stage_that_takes_most_is_the_bound() -> None:
    assert FOUND.bound == "features"
    assert list(FOUND.shares.items()) == [
        ("features", pytest.approx(0.6)),
        ("model", pytest.approx(0.3)),
        ("decode", pytest.approx(0.1)),
    ]


def test_a_disk_that_is_slower_than_all_processes_together_is_the_bound() -> None:
    assert replace(FOUND, reading=1 / 300).bound == "features"
    assert replace(FOUND, reading=1 / 100).bound == "reading"
