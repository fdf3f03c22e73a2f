"""Single recordings, analysed in this process."""

from __future__ import annotations

from pathlib import Path

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
