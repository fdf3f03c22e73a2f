"""Progress of training: one bar on a terminal, one line an epoch elsewhere."""

from __future__ import annotations

import io
import sys

import pytest
from terminal import without_escapes

from batchemo.cli.output.training_progress import training_progress
from batchemo.training.data.protocols import Split
from batchemo.training.fit.history import Epoch


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def epoch(number: int, validation: float | None = 0.5) -> Epoch:
    known = None if validation is None else 1.25
    return Epoch(
        number=number,
        learning_rate=0.001,
        loss=1.5,
        accuracy=0.25,
        validation_loss=known,
        validation_accuracy=validation,
        validation_uar=validation,
    )


SPLIT = Split(fold="speakers-1", seed=0, train=(), validation=(), test=())


def test_lines_for_features_epochs_and_runs(capsys: pytest.CaptureFixture[str]) -> None:
    with training_progress(quiet=False, epochs=2) as display:
        display.on_features(1, 2)
        display.on_features(2, 2)
        display.on_epoch(SPLIT, epoch(0))
        display.on_epoch(SPLIT, epoch(1, validation=None))
        display.on_run(1, 4, SPLIT, ())
    assert capsys.readouterr().err.splitlines() == [
        "batchemo: features of 2 recordings computed",
        "batchemo: epoch 1/2: loss 1.500, accuracy 0.250; "
        "validation: loss 1.250, accuracy 0.500, UAR 0.500",
        "batchemo: epoch 2/2: loss 1.500, accuracy 0.250",
        "batchemo: run 1/4 trained and tested: speakers-1, seed 0",
    ]


def test_resumed_training_says_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    with training_progress(quiet=False, epochs=9) as display:
        display.on_epoch(SPLIT, epoch(7))
        display.on_epoch(SPLIT, epoch(8))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "batchemo: resumed from epoch 7, where an earlier run was stopped"
    assert len(lines) == 3


def test_quiet_training_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with training_progress(quiet=True, epochs=2) as display:
        display.on_features(2, 2)
        display.on_epoch(SPLIT, epoch(0))
        display.on_run(1, 1, SPLIT, ())
        display.message("a line")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_terminal_has_a_bar_and_no_line_for_each_epoch(
    monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    terminal = Terminal()
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    with training_progress(quiet=False, epochs=2) as display:
        display.on_features(1, 2)
        display.on_features(2, 2)
        display.on_epoch(SPLIT, epoch(1))
        display.progress.refresh()
        display.on_run(1, 1, SPLIT, ())
    output = without_escapes(terminal.getvalue())
    assert "resumed from epoch 1" in output
    assert "batchemo: epoch" not in output
    assert "epoch 2/2: loss 1.5" in " ".join(output.split())
    assert ("━" in output) == (columns != "40")
