"""What a recording can do to its worker, and what that costs others."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from app_server import upload_of, wait_until, wav_bytes

from batchemo.app import results
from batchemo.app.results import analyse_upload
from batchemo.app.worker_pool import WorkerPool
from batchemo.errors import BatchemoError
from batchemo.workers.executor import InlineExecutor

POISON = Path(__file__).parents[1] / "helpers" / "poison"


@pytest.fixture
def harmful_pool(monkeypatch):
    """Make pools whose decoder does harm: `harmful_pool("hang", jobs=2)`."""
    monkeypatch.syspath_prepend(str(POISON))
    pools = []

    def make(harm: str, jobs: int = 1) -> WorkerPool:
        # The decoder of the tests finds in the file's name what to do.
        monkeypatch.setattr(results, "FILE", harm)
        pools.append(WorkerPool(jobs))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


@pytest.mark.process
@pytest.mark.parametrize("harm", ["kill", "segfault", "hang"])
def test_a_crash_of_the_decoder_costs_only_its_own_recording(
    harm, harmful_pool, tiny_bundle, options, temporary_folder, monkeypatch
):
    pool = harmful_pool(harm)
    impatient = replace(options, timeout=1.0)
    row = analyse_upload(upload_of(wav_bytes()), [tiny_bundle], pool, impatient).rows[
        tiny_bundle.digest
    ]
    assert row.reason == ("timeout" if harm == "hang" else "worker_died")

    monkeypatch.setattr(results, "FILE", "recording")
    view = analyse_upload(upload_of(wav_bytes()), [tiny_bundle], pool, options)
    assert view.rows[tiny_bundle.digest].reason is None
    (left,) = temporary_folder.iterdir()
    assert left.name.startswith("batchemo-scratch-")


@pytest.mark.process
def test_a_hanging_recording_does_not_delay_another_visitor(
    harmful_pool, tiny_bundle, options, temporary_folder, monkeypatch
):
    pool = harmful_pool("hang", jobs=2)
    patient = replace(options, timeout=30.0)
    errors = []

    def visit():
        with pytest.raises(BatchemoError) as error:
            analyse_upload(upload_of(wav_bytes()), [tiny_bundle], pool, patient)
        errors.append(str(error.value))

    visitor = threading.Thread(target=visit)
    visitor.start()
    wait_until(lambda: any(temporary_folder.rglob("*.hangs")), 60)
    assert pool.free == 1
    monkeypatch.setattr(results, "FILE", "recording")
    view = analyse_upload(upload_of(wav_bytes()), [tiny_bundle], pool, options)
    assert view.rows[tiny_bundle.digest].reason is None
    pool.close()
    visitor.join(60)
    assert errors == ["the server is being closed"]


def test_a_visitor_who_waits_too_long_for_a_worker_gets_an_error(monkeypatch):
    monkeypatch.setattr("batchemo.app.worker_pool.BORROW_TIMEOUT", 0.01)
    pool = WorkerPool(1, InlineExecutor)
    with pool.borrow(), pytest.raises(BatchemoError, match="try again later"), pool.borrow():
        pass
    assert pool.free == 1


def test_a_closed_pool_takes_no_recording(tiny_bundle, options):
    pool = WorkerPool(1, InlineExecutor)
    pool.close()
    with pytest.raises(BatchemoError, match="is being closed"):
        analyse_upload(upload_of(wav_bytes()), [tiny_bundle], pool, options)
