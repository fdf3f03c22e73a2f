"""Every step of a scan's work on disk fails once, in every way there is.

So does every step of an --update, and of the retry of what a fault of the machine failed.
"""

from __future__ import annotations

import random
import signal
from collections import Counter
from itertools import cycle

import pytest
from fault_steps import FaultTrial

pytestmark = [pytest.mark.faults, pytest.mark.process]

SEED = 20261121


def steps_of(trial: FaultTrial) -> list[int]:
    """All steps, shuffled, so that the first few of them are a fair sample."""
    assert trial.run_with_fault("") == 0
    trial.check()
    steps = list(range(1, len(trial.steps()) + 1))
    random.Random(SEED).shuffle(steps)
    return steps


def recover(trial: FaultTrial, reported: int, figures: Counter[str]) -> None:
    assert trial.resume()["analysed"] <= trial.to_do - reported
    trial.check()
    figures["scans that resumed after a fault and ended in the same bytes"] += 1


def test_a_kill_or_a_power_cut_at_every_step(any_trial: FaultTrial, figures: Counter[str]) -> None:
    for step in steps_of(any_trial):
        assert any_trial.run_with_fault(f"kill@{step}") == -signal.SIGKILL
        reported = any_trial.reported_done()
        after_cut = [any_trial.after_power_cut(names_survive=survive) for survive in (True, False)]
        recover(any_trial, reported, figures)
        figures["kills at a step"] += 1
        for contents in after_cut:
            any_trial.restore(contents)
            recover(any_trial, reported, figures)
            figures["power cuts at a step"] += 1


def test_a_signal_at_every_step(any_trial: FaultTrial, figures: Counter[str]) -> None:
    for step, name in zip(steps_of(any_trial), cycle(["TERM", "INT", "HUP"]), strict=False):
        code = any_trial.run_with_fault(f"{name.lower()}@{step}")
        assert code in (0, 128 + getattr(signal, f"SIG{name}"))
        recover(any_trial, any_trial.reported_done(), figures)
        figures["signals at a step"] += 1


def test_a_disk_that_is_full_at_every_step(any_trial: FaultTrial, figures: Counter[str]) -> None:
    for step in steps_of(any_trial):
        code = any_trial.run_with_fault(f"full@{step}")
        assert code in (0, 1)
        recover(any_trial, any_trial.reported_done(), figures)
        figures["errors of the disk at a step"] += code == 1
