"""Every step of a scan's work on disk goes wrong once, in every way there is."""

from __future__ import annotations

import random
import signal
from collections import Counter
from itertools import cycle
from pathlib import Path

import pytest
from fault_steps import Trial

from batchemo.bundles import Bundle

pytestmark = pytest.mark.faults

SEED = 20261121


@pytest.fixture
def trial(corpus: Path, tiny_bundle: Bundle, tmp_path: Path) -> Trial:
    places = (tmp_path / name for name in ("calm", "hit", "store", "log.jsonl"))
    trial = Trial(corpus, tiny_bundle.path, *places)
    trial.run_calm()
    return trial


def steps_of(trial: Trial) -> list[int]:
    """All steps, in an order that makes a sample of those that come first."""
    assert trial.run_faulty("") == 0
    trial.check()
    steps = list(range(1, len(trial.steps()) + 1))
    random.Random(SEED).shuffle(steps)
    return steps


def recover(trial: Trial, told: int, figures: Counter[str]) -> None:
    assert trial.run_again()["kept"] >= told
    trial.check()
    figures["scans that went on after a fault and ended in the same bytes"] += 1


def test_a_kill_or_a_power_cut_at_every_step(trial: Trial, figures: Counter[str]) -> None:
    for step in steps_of(trial):
        assert trial.run_faulty(f"kill@{step}") == -signal.SIGKILL
        told = trial.told()
        cut = [trial.remains(names_survive=names_survive) for names_survive in (True, False)]
        recover(trial, told, figures)
        figures["kills at a step"] += 1
        for listing in cut:
            trial.leave(listing)
            recover(trial, told, figures)
            figures["power cuts at a step"] += 1


def test_a_signal_at_every_step(trial: Trial, figures: Counter[str]) -> None:
    for step, name in zip(steps_of(trial), cycle(["TERM", "INT", "HUP"]), strict=False):
        code = trial.run_faulty(f"{name.lower()}@{step}")
        assert code in (0, 128 + getattr(signal, f"SIG{name}"))
        recover(trial, trial.told(), figures)
        figures["signals at a step"] += 1


def test_a_disk_that_is_full_at_every_step(trial: Trial, figures: Counter[str]) -> None:
    for step in steps_of(trial):
        code = trial.run_faulty(f"full@{step}")
        assert code in (0, 1)
        recover(trial, trial.told(), figures)
        figures["errors of the disk at a step"] += code == 1
