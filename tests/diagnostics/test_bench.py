"""What a bench recommends follows from its figures alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from batchemo.bundles import BATCH_SIZE, GPU_BATCH_SIZE
from batchemo.diagnostics.bench import BenchOptions, BenchResult, Sample, Throughput
from batchemo.errors import UsageError

RESULT = BenchResult(
    model="default",
    device="cpu",
    sample=Sample(count=24, mean_seconds=3.5, synthetic=True),
    stages={"decode": 0.001, "features": 0.006, "model": 0.003},
    reading=None,
    throughputs=(Throughput(1, 100, 350), Throughput(2, 190, 665), Throughput(4, 195, 682)),
    batches={1: 0.004, BATCH_SIZE: 0.002, 64: 0.0019},
)


def test_the_fewest_processes_that_are_nearly_the_fastest_are_best() -> None:
    assert RESULT.best_jobs == 2
    assert RESULT.best_throughput.recordings_per_second == 190


def test_more_processes_that_are_slower_are_not_best() -> None:
    slower = replace(RESULT, throughputs=(Throughput(1, 100, 350), Throughput(2, 60, 210)))
    assert slower.best_jobs == 1


def test_another_batch_size_must_be_clearly_faster() -> None:
    assert RESULT.best_batch == BATCH_SIZE
    assert replace(RESULT, batches={**RESULT.batches, 64: 0.001}).best_batch == 64


def test_on_a_gpu_the_default_is_larger() -> None:
    on_gpu = replace(RESULT, device="cuda", batches={BATCH_SIZE: 0.001, GPU_BATCH_SIZE: 0.00095})
    assert on_gpu.best_batch == on_gpu.default_batch == GPU_BATCH_SIZE


def test_the_stage_that_takes_most_time_is_the_bottleneck() -> None:
    assert RESULT.bottleneck == "features"
    assert list(RESULT.shares.items()) == [
        ("features", pytest.approx(0.6)),
        ("model", pytest.approx(0.3)),
        ("decode", pytest.approx(0.1)),
    ]


def test_a_disk_that_is_slower_than_all_processes_together_is_the_bottleneck() -> None:
    assert replace(RESULT, reading=1 / 300).bottleneck == "features"
    assert replace(RESULT, reading=1 / 100).bottleneck == "reading"


@pytest.mark.parametrize("seconds", [0.1, 601.0, float("nan")])
def test_a_duration_out_of_range_is_refused(seconds: float) -> None:
    with pytest.raises(UsageError, match=r"measuring takes from 0.5 to 600 s"):
        BenchOptions(seconds=seconds)
