"""A resampler gives the same samples, whatever the pieces that a signal comes in."""

from __future__ import annotations

import numpy as np
import pytest

from batchemo.audio.windows import Resampler


@pytest.mark.parametrize("source", [8000, 11025, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("target", [16000, 22050])
@pytest.mark.parametrize("length", [1, 40, 30_000])
def test_one_piece_gives_the_same_samples_as_many(source: int, target: int, length: int) -> None:
    signal = np.random.default_rng(length).standard_normal(length).astype(np.float32)
    whole = Resampler(source, target).hear(signal, last=True)
    several = Resampler(source, target)
    cuts = np.array_split(signal, 7)
    pieces = [several.hear(cut, last=False) for cut in cuts]
    pieces.append(several.hear(signal[:0], last=True))
    assert np.concatenate(pieces).tolist() == whole.tolist()
