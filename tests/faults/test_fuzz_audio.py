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
from fuzzing import EventHandler, fuzz
from mutants import mutant

import batchemo
from batchemo.bundles import Bundle

pytestmark = pytest.mark.faults

COUNT = int(os.environ.get("BATCHEMO_FUZZ", "20000"))
"""Mutants of each format."""
SEED = 5
OUR_FAULT = {"internal_error", "worker_died", "out_of_memory", "timeout", "unreadable", "missing"}


@pytest.fixture
def listener() -> Iterator[EventHandler]:
    """One for each format, so that each can be tried again by itself."""
    with EventHandler() as listener:
        yield listener


@pytest.mark.parametrize("container", CONTAINERS)
def test_no_mutant_hurts_or_is_heard_that_should_be_refused(
    container: str, listener: EventHandler, tmp_path: Path, figures: Counter[str]
) -> None:
    account = fuzz(seeds_of(container), tmp_path, count=COUNT, seed=SEED, listener=listener)
    figures.update(account.figures(f"mutants of {container}"))
    assert account.wrong == []
    assert account.megabytes < 64


def test_a_scan_comes_through_mutants_of_all_formats(
    tiny_bundle: Bundle, tmp_path: Path, figures: Counter[str]
) -> None:
    chance, folder, clean = random.Random(SEED), tmp_path / "mutants", tmp_path / "clean"
    for place in (folder, clean):
        place.mkdir()
        for number in range(0, COUNT // 5, 50):
            (place / f"{number:06d} good.wav").write_bytes(recording("WAV"))
    for number in range(COUNT // 5):
        content = mutant(seeds_of(chance.choice(CONTAINERS)), chance)
        (folder / f"{number:06d}.wav").write_bytes(content)

    rows = batchemo.scan(folder, model=tiny_bundle.path, progress=False).to_pylist()
    expected = batchemo.scan(clean, model=tiny_bundle.path, progress=False).to_pylist()

    figures.update(f"mutants scanned, that ended as {row['reason'] or 'ok'}" for row in rows)
    assert len(rows) == len(expected) + COUNT // 5
    assert not {row["reason"] for row in rows} & OUR_FAULT
    for row in rows:
        shares = [value for name, value in row.items() if name.startswith("p_")]
        heard = row["status"] == "ok"
        assert not heard or (np.isfinite(shares).all() and abs(sum(shares) - 1) < 1e-5)
        assert heard or set(shares) == {None}
    told_apart = {"root", "mtime"}
    good = [row for row in rows if "good" in row["file"]]
    assert [{k: v for k, v in row.items() if k not in told_apart} for row in good] == [
        {k: v for k, v in row.items() if k not in told_apart} for row in expected
    ]
