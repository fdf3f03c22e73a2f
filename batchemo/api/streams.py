"""`stream`: sound becomes predictions while it arrives."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from batchemo.api.arguments import Path
from batchemo.inference.settings import PostprocessSettings, settings_of

if TYPE_CHECKING:
    from batchemo.inference.stream import PredictionStream


def stream(
    sample_rate: int,
    *,
    model: Path = "default",
    window: float | None = None,
    hop: float | None = None,
    channel: str | int = "mix",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    min_confidence: float = 0.0,
) -> PredictionStream:
    """Open a stream that takes blocks of samples, and predicts a window at every hop.

    The predictions are those of `predict` with `batch_size=1` of the same sound, to the last bit.
    Nothing older than a window is held.

    Parameters
    ----------
    sample_rate
        Samples a second of the blocks.
    model, window, hop, channel, device, min_confidence
        As in `scan`; there is one model. The hop is how often there is a prediction.

    Returns
    -------
    PredictionStream
        `feed(block)` returns the predictions that the block completes: a list, mostly empty, each
        with `start`, `end`, `emotion` and `confidence`, which are None without speech,
        `probabilities`, `familiarity` and `measured`. `finish()` returns that of the end.

    Examples
    --------
    >>> import batchemo, numpy as np
    >>> stream = batchemo.stream(16000, hop=1.0)
    >>> stream.feed(np.zeros(1600, np.float32))
    []
    >>> [prediction.emotion for prediction in stream.finish()]
    []
    """
    from batchemo.inference.stream import PredictionStream

    (settings,) = settings_of(
        [os.fspath(model)],
        window=window,
        hop=hop,
        channel=str(channel),
        batch_size=1,
        device=device,
    )
    return PredictionStream(sample_rate, settings, PostprocessSettings(min_confidence))
