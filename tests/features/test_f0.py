"""The Viterbi search finds the cheapest path, however many frames there are."""

from __future__ import annotations

import numpy as np
import pytest

from batchemo.features.f0 import _path_costs


@pytest.mark.parametrize("frames", [1, 2, 8, 9, 10, 33, 302])
def test_path_costs_by_pairs_of_steps_equal_those_frame_by_frame(frames: int) -> None:
    rng = np.random.default_rng(frames)
    first, steps = rng.random(5), rng.random((5, 5, frames - 1))
    totals = [first]
    for frame in range(frames - 1):
        totals.append((steps[:, :, frame] + totals[-1]).min(axis=1))
    assert np.allclose(_path_costs(first, steps), np.stack(totals, axis=1), rtol=1e-12)
