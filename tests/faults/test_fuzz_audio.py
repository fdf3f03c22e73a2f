"""The long form: 20,000 mutants of every format, and a scan of thousands. `pytest -m faults`."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from encoded_recordings import CONTAINERS, recording, seeds_of
from fuzzing import DecoderProcess, fuzz
from media_recordings import ENCODINGS, media_seeds
from mutants import mutant

import batchemo
from batchemo.bundles import Bundle

pytestmark = pytest.mark.faults

COUNT = int(os.environ.get("BATCHEMO_FUZZ", "20000"))
"""Mutants of each format."""
SEED = 5
BUGS = {"internal_error", "worker_died", "out_of_memory", "timeout", "unreadable", "missing"}


@pytest.fixture
def decoder() -> Iterator[DecoderProcess]:
    """One for each format, so that each can be tried again by itself."""
    with DecoderProcess() as decoder:
        yield decoder


@pytest.mark.parametrize("container", CONTAINERS)
def test_no_mutant_harms_the_process_or_is_analysed_although_it_should_be_refused(
    container: str, decoder: DecoderProcess, tmp_path: Path, figures: Counter[str]
) -> None:
    report = fuzz(seeds_of(container), tmp_path, count=COUNT, seed=SEED, decoder=decoder)
    figures.update(report.figures(f"mutants of {container}"))
    assert report.errors == []
    assert report.megabytes < 64


@pytest.mark.parametrize("name", ENCODINGS)
def test_no_mutant_of_what_pyav_reads_harms_the_process(
    name: str, decoder: DecoderProcess, tmp_path: Path, figures: Counter[str]
) -> None:
    pytest.importorskip("av", reason="needs PyAV: pip install 'batchemo[av]'")
    report = fuzz(media_seeds(name), tmp_path, count=COUNT, seed=SEED, decoder=decoder)
    figures.update(report.figures(f"mutants of {name}, by PyAV"))
    assert report.errors == []
    # FFmpeg keeps what it needs for up to 64 channels of AAC.
    assert report.megabytes < 96


def test_a_scan_completes_with_mutants_of_all_formats(
    tiny_bundle: Bundle, tmp_path: Path, figures: Counter[str]
) -> None:
    rng, folder, clean = random.Random(SEED), tmp_path / "mutants", tmp_path / "clean"
    for place in (folder, clean):
        place.mkdir()
        for number in range(0, COUNT // 5, 50):
            (place / f"{number:06d} good.wav").write_bytes(recording("WAV"))
    for number in range(COUNT // 5):
        content = mutant(seeds_of(rng.choice(CONTAINERS)), rng)
        (folder / f"{number:06d}.wav").write_bytes(content)

    rows = batchemo.scan(folder, model=tiny_bundle.path, progress=False).to_pylist()
    expected = batchemo.scan(clean, model=tiny_bundle.path, progress=False).to_pylist()

    figures.update(f"mutants scanned, that ended as {row['reason'] or 'ok'}" for row in rows)
    assert len(rows) == len(expected) + COUNT // 5
    assert not {row["reason"] for row in rows} & BUGS
    for row in rows:
        probabilities = [value for name, value in row.items() if name.startswith("p_")]
        analysed = row["status"] == "ok"
        assert not analysed or (
            np.isfinite(probabilities).all() and abs(sum(probabilities) - 1) < 1e-5
        )
        assert analysed or set(probabilities) == {None}
    different = {"root", "mtime"}
    good = [row for row in rows if "good" in row["file"]]
    assert [{k: v for k, v in row.items() if k not in different} for row in good] == [
        {k: v for k, v in row.items() if k not in different} for row in expected
    ]
