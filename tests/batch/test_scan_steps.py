"""A scan resumes after a fault at any step of its work on disk; tests/faults tries all of them."""

from __future__ import annotations

import signal

import pytest
from fault_steps import FaultTrial

pytestmark = pytest.mark.process

WRITING_A_CHUNK = "before fsync .000000001.chunk.arrow.unfinished"
WRITING_THE_TABLE = "before fsync .r.parquet.unfinished"
DISCARDING_CHUNKS = "before unlink 000000000.chunk.arrow"
NAMING_THE_FIRST = "after replace .windows.parquet.unfinished"


@pytest.mark.parametrize(
    "step",
    [WRITING_A_CHUNK, WRITING_THE_TABLE, DISCARDING_CHUNKS],
    ids=["chunk", "table", "discard"],
)
def test_after_a_kill_what_was_finished_is_kept_and_nothing_else_is_left(
    trial: FaultTrial, step: str
) -> None:
    assert trial.run_with_fault(f"kill@{step}") == -signal.SIGKILL
    reported = trial.reported_done()
    assert trial.resume()["kept"] >= reported
    trial.check()


@pytest.mark.parametrize(
    "step",
    [WRITING_A_CHUNK, NAMING_THE_FIRST, DISCARDING_CHUNKS],
    ids=["chunk", "naming", "discard"],
)
def test_after_a_kill_of_a_retry_the_same_command_goes_on_with_it(
    retry_trial: FaultTrial, step: str
) -> None:
    assert retry_trial.run_with_fault(f"kill@{step}") == -signal.SIGKILL
    reported = retry_trial.reported_done()
    assert retry_trial.resume()["analysed"] <= retry_trial.to_do - reported
    retry_trial.check()


def test_an_update_that_was_killed_while_it_named_its_tables_analyses_nothing_again(
    update_trial: FaultTrial,
) -> None:
    # The segments table is new, the recordings table is not: their rows do not belong together.
    assert update_trial.run_with_fault(f"kill@{NAMING_THE_FIRST}") == -signal.SIGKILL
    assert update_trial.resume()["analysed"] == 0
    update_trial.check()


def test_lack_of_memory_is_reported_and_loses_nothing_that_was_done(trial: FaultTrial) -> None:
    assert trial.run_with_fault(f"memory@{WRITING_THE_TABLE}") == 1
    assert trial.stderr().startswith("batchemo: there is not enough memory")
    assert "What was finished is kept" in trial.stderr()
    assert trial.resume()["kept"] == 12
    trial.check()


@pytest.mark.parametrize("step", [NAMING_THE_FIRST, None], ids=["naming", "done"])
def test_a_power_cut_loses_nothing_that_was_reported_as_done(
    trial: FaultTrial, step: str | None
) -> None:
    trial.run_with_fault(f"kill@{step}" if step else "")
    reported = trial.reported_done()
    assert reported == 12
    for contents in [trial.after_power_cut(names_survive=survive) for survive in (True, False)]:
        trial.restore(contents)
        if step is None:
            trial.check_tables()  # The command had ended and reported that all is done.
        assert trial.resume()["kept"] == reported
        trial.check()
