"""Long recordings are left to several workers, and the tables have the bytes of a single one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from command_line import RunCommand
from scan_commands import Scan, reasons_by_file
from voices import voice, write_voice

from batchemo.audio import pieces
from batchemo.bundles import Bundle
from batchemo.features import get_feature_set
from batchemo.inference import predict
from batchemo.inference.predict_task import PredictTask, predict_pieces
from batchemo.inference.recording_output import PieceResult, join_pieces
from batchemo.inference.settings import ModelSettings
from batchemo.sources import Recording
from batchemo.tables.rows import RecordingRows

RATE = 16_000
SECONDS = 20
TABLES = ("r.parquet", "s.parquet", "e.parquet")

Make = Callable[..., Bundle]


@pytest.fixture(autouse=True)
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of four seconds."""
    monkeypatch.setattr(pieces, "PIECE_SECONDS", 4)


def long_voice(rate: int) -> np.ndarray:
    return np.tile(voice(2.5, rate), SECONDS * 2 // 5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five long recordings, of which three fail, beside short ones."""
    corpus, signal = tmp_path / "long", long_voice(RATE)
    write_voice(corpus / "a short.wav")
    soundfile.write(corpus / "b call.flac", np.stack([signal, 0.2 * signal], axis=1), RATE)
    soundfile.write(corpus / "c 44 kHz.wav", long_voice(44_100), 44_100)
    signal[150_000:220_000] = 0
    soundfile.write(corpus / "d pause.wav", signal, RATE, subtype="PCM_24")
    signal[200_000] = np.nan
    soundfile.write(corpus / "e nan.wav", signal, RATE, subtype="FLOAT")
    soundfile.write(corpus / "f silent.wav", 0 * np.nan_to_num(signal), RATE)
    soundfile.write(corpus / "g tone.wav", np.sin(np.arange(SECONDS * RATE) / 9), RATE)
    write_voice(corpus / "h short.wav", seed=7)
    return corpus


def scan_to(
    target: Path, batchemo: RunCommand, folder: Path, *words: object, code: int = 3
) -> dict[str, bytes]:
    """Scan to all tables that are asked for by `words`; return their bytes."""
    target.mkdir()
    named = [target / word if word in TABLES else word for word in words]
    ran = batchemo("scan", folder, *named)
    assert ran.code == code, ran.err
    return {path.name: path.read_bytes() for path in target.iterdir()}


ABLE = {"waveform": True, "outputs": {"embedding": {"name": "hidden", "size": 5}}}
OTHER_RATE = {"name": "other", "features": get_feature_set("mfcc40").to_dict()}


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize(
    ("models", "other_tables", "left"),
    [
        ([ABLE], ["--segments", "s.parquet", "--embeddings", "e.parquet"], "bcdefg"),
        # Where resamplers to both rates may begin is minutes apart at 44.1 kHz.
        ([{}, OTHER_RATE], ["--segments", "s.parquet"], "bdefg"),
    ],
    ids=["embeddings", "two models"],
)
def test_the_tables_do_not_depend_on_whether_recordings_are_left_to_several_workers(
    folder: Path,
    tmp_path: Path,
    batchemo: RunCommand,
    inline_workers: None,
    make_bundle: Make,
    monkeypatch: pytest.MonkeyPatch,
    models: list[dict[str, Any]],
    other_tables: list[str],
    left: str,
    jobs: int,
) -> None:
    words = ["-j", jobs, "--window", 2, "-o", "r.parquet", *other_tables]
    for changes in models:
        words += ["-m", make_bundle(**changes).path]
    joined = []

    def join(recording: Recording, results: Sequence[PieceResult]) -> RecordingRows:
        joined.append(recording.file[0])
        return join_pieces(recording, results)

    monkeypatch.setattr("batchemo.inference.predict_task.join_pieces", join)
    monkeypatch.setattr(predict, "MOST_PIECES", 100)
    whole = scan_to(tmp_path / "whole", batchemo, folder, *words)
    assert not joined
    monkeypatch.setattr(predict, "MOST_PIECES", 1)
    assert scan_to(tmp_path / "left", batchemo, folder, *words) == whole
    assert sorted(joined) == list(left)
    reasons = reasons_by_file(tmp_path / "left" / "r.parquet")
    assert {file[0]: reason for file, reason in reasons.items() if reason} == {
        "e": "non_finite",
        "f": "silent",
        "g": "no_speech",
    }


def test_a_recording_that_changes_while_its_pieces_are_read_is_unreadable(
    tmp_path: Path, tiny_bundle: Bundle
) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, voice(SECONDS, RATE), RATE)
    recording = Recording(str(tmp_path), "a.wav", 1, 1)
    task = PredictTask((ModelSettings(str(tiny_bundle.path), window=2.0),))
    first = predict_pieces(task, (0, 1, 2), [recording]).rows
    whole = [*first, *predict_pieces(task, (3, 4), [recording]).rows]
    rows = [row for _ in range(2) for row in join_pieces(recording, whole)]
    assert rows[0].windows is not None
    assert rows[0].duration == rows[1].duration == SECONDS
    soundfile.write(path, long_voice(RATE)[:-1000], RATE)
    results = [*first, *predict_pieces(task, (3, 4), [recording]).rows]
    (row,) = join_pieces(recording, results)
    assert (row.reason, row.detail) == ("unreadable", "the file changed while it was read")
    (row,) = join_pieces(recording, first)
    assert row.reason == "unreadable"


@pytest.mark.process
def test_workers_that_die_and_hang_at_pieces_cost_only_the_recordings_to_blame(
    tmp_path: Path, scan: Scan, scan_inline: Scan
) -> None:
    corpus = tmp_path / "corpus"
    minutes = np.tile(voice(), 420)  # Ten and a half: processes have pieces of two minutes.
    for name in ("hang", "kill", "once-kill", "well"):
        path = write_voice(corpus / f"{name}.wav")
        soundfile.write(path, minutes, RATE)
    scan(corpus, "-o", tmp_path / "r.parquet", "-j", 2, "--timeout", 10, code=3, poison=True)
    assert reasons_by_file(tmp_path / "r.parquet") == {
        "hang.wav": "timeout",
        "kill.wav": "worker_died",
        "once-kill.wav": None,
        "well.wav": None,
    }
    for name in ("hang", "kill"):
        (corpus / f"{name}.wav").unlink()
    scan_inline(corpus, "-o", tmp_path / "clean.parquet")
    rows = pq.read_table(tmp_path / "r.parquet").to_pylist()
    clean = pq.read_table(tmp_path / "clean.parquet").to_pylist()
    assert [row for row in rows if row["status"] == "ok"] == clean
