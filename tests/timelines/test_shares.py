"""Long recordings are told by shares of their speaking time, and no mean is called an emotion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from command_line import RunCommand
from hypothesis import given
from hypothesis import strategies as st
from voices import voice

from batchemo.bundles import Bundle
from batchemo.tables.derived import with_derived_columns
from batchemo.timelines.read import read_timelines
from batchemo.timelines.shares import speaking_shares
from batchemo.timelines.stretches import Joining

RATE = 16_000


@given(st.lists(st.sampled_from([0, 1, 2, None]), min_size=1, max_size=40))
def test_shares_are_those_of_the_windows_with_speech(labels: list[int | None]) -> None:
    if all(label is None for label in labels):
        return
    p = np.full((len(labels), 3), np.nan, np.float32)
    for row, label in enumerate(labels):
        if label is not None:
            p[row] = np.where(np.arange(3) == label, 0.8, 0.1)
    starts = np.arange(len(labels)) * 5.0
    counted = np.array([labels.count(label) for label in range(3)])
    np.testing.assert_allclose(
        speaking_shares(starts, starts + 5, p), counted / counted.sum(), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("p_sad", "duration", "emotion"),
    [(0.6, 3000.0, "sad"), (0.5, 3000.0, "mixed"), (0.5, 100.0, "happy"), (0.45, 121.0, "happy")],
)
def test_a_long_recording_has_a_label_only_if_most_of_it_has(
    p_sad: float, duration: float, emotion: str
) -> None:
    columns = {"p_happy": 1 - p_sad, "p_sad": p_sad, "duration": duration}
    table = pa.table({name: [value] for name, value in columns.items()})
    table = table.set_column(0, "p_happy", table["p_happy"].cast(pa.float32()))
    table = table.set_column(1, "p_sad", table["p_sad"].cast(pa.float32()))
    derived = with_derived_columns(table, ["happy", "sad"])
    assert derived["emotion"].to_pylist() == [emotion]


def test_a_scan_writes_the_shares_of_its_stretches(
    tmp_path: Path, batchemo: RunCommand, inline_workers: None, tiny_bundle: Bundle
) -> None:
    folder, out = tmp_path / "talks", tmp_path / "r.parquet"
    folder.mkdir()
    signal = np.concatenate([voice(10.0, RATE, seed=seed) for seed in range(13)])
    signal[30 * RATE : 50 * RATE] = 0
    soundfile.write(folder / "long.wav", signal, RATE)
    soundfile.write(folder / "short.wav", signal[: 20 * RATE], RATE)
    windows = tmp_path / "s.parquet"
    words = (folder, "-m", tiny_bundle.path, "-o", out, "--segments", windows)
    ran = batchemo("scan", *words, "--class-shares", "even")
    assert ran.code == 0, ran.err
    table = pq.read_table(out)
    names = [name for name in table.column_names if name.startswith("p_")]
    long, short = table.to_pylist()
    (of_long, _) = read_timelines(windows, Joining())
    (stretches,) = of_long.tiers.values()
    spoken = sum(one.end - one.start for one in stretches)
    for name in names:
        own = sum(one.end - one.start for one in stretches if one.label == name[2:])
        assert long[name] == pytest.approx(own / spoken, abs=1e-6)
        # Shares are not adapted to the corpus.
        assert long[f"unadapted_{name[2:]}"] == long[name]
        assert short[f"unadapted_{name[2:]}"] != short[name]
    told = batchemo("predict", folder / "long.wav", "-m", tiny_bundle.path)
    assert "of the speaking time" in told.out
