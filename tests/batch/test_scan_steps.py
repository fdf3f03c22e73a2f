"""A scan comes through a fault at any step of its work on disk; tests/faults tries all of them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from fault_steps import Trial

from batchemo.bundles import Bundle

WRITING_A_PART = "before fsync .000000001.part.arrow.unfinished"
WRITING_THE_TABLE = "before fsync .r.parquet.unfinished"
TIDYING_UP = "before unlink 000000000.part.arrow"
NAMING_THE_FIRST = "after replace .windows.parquet.unfinished"


@pytest.fixture
def trial(corpus: Path, tiny_bundle: Bundle, tmp_path: Path) -> Trial:
    places = (tmp_path / name for name in ("calm", "hit", "store", "log.jsonl"))
    trial = Trial(corpus, tiny_bundle.path, *places)
    trial.run_calm()
    return trial


@pytest.mark.parametrize(
    "step", [WRITING_A_PART, WRITING_THE_TABLE, TIDYING_UP], ids=["part", "table", "tidying"]
)
def test_what_was_finished_is_kept_and_nothing_else_is_left(trial: Trial, step: str) -> None:
    assert trial.run_faulty(f"kill@{step}") == -signal.SIGKILL
    told = trial.told()
    assert trial.run_again()["kept"] >= told
    trial.check()


def test_want_of_memory_is_told_and_costs_nothing_that_was_done(trial: Trial) -> None:
    assert trial.run_faulty(f"memory@{WRITING_THE_TABLE}") == 1
    assert trial.complaint().startswith("batchemo: there is not enough memory")
    assert "What was finished is kept" in trial.complaint()
    assert trial.run_again()["kept"] == 12
    trial.check()


@pytest.mark.parametrize("step", [NAMING_THE_FIRST, None], ids=["naming", "done"])
def test_a_power_cut_costs_nothing_that_was_told_to_be_done(trial: Trial, step: str | None) -> None:
    trial.run_faulty(f"kill@{step}" if step else "")
    told = trial.told()
    assert told == 12
    left = [trial.remains(names_survive=names_survive) for names_survive in (True, False)]
    for listing in left:
        trial.leave(listing)
        if step is None:
            trial.check_tables()  # The command had said that all is done.
        assert trial.run_again()["kept"] == told
        trial.check()
