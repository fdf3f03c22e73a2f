"""Single recordings, analysed in this process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from batchemo.bundles import Bundle
from batchemo.inference.settings import ModelSettings
from batchemo.inference.single import open_predictor
from batchemo.workers.heartbeat import RecordingPosition


def test_the_position_in_a_recording_is_reported_at_every_window(
    voices: Path, tiny_bundle: Bundle
) -> None:
    path = voices / "bert" / "two.wav"
    predictor = open_predictor([path], ModelSettings(str(tiny_bundle.path)))
    positions: list[RecordingPosition] = []
    (row,) = predictor.rows(positions.append)
    assert row.windows is not None
    assert [position.position for position in positions] == row.windows.starts.tolist()
    assert {(position.root, position.file) for position in positions} == {(row.root, row.file)}
    assert {position.duration for position in positions} == {row.duration}


def test_without_room_for_the_libraries_nothing_is_analysed(
    voices: Path, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    monkeypatch.setattr("batchemo.common.memory.has_memory", lambda size: False)

    with pytest.raises(MemoryError):
        open_predictor([voices / "bert" / "two.wav"], ModelSettings(str(tiny_bundle.path)))
