"""The input of a model: how the samples of a window become what its graph takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from batchemo.common.arrays import Float32, Float64
from batchemo.features import FeatureSet, extract

InputType: TypeAlias = Literal["features", "waveform"]
Normalisation: TypeAlias = Literal["graph", "none", "zero_mean_unit_variance"]
Padding: TypeAlias = Literal["masked", "forbidden", "trained"]

_VARIANCE_FLOOR = 1e-7
"""Added to the variance before dividing: the value that wav2vec2's own preprocessing uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInput:
    """What a model takes; models of equal inputs can share what `prepare` returns.

    >>> waveform = ModelInput(
    ...     type="waveform", rate=16000, window=3.0, hop=1.5, window_range=(0.5, 30.0),
    ...     normalisation="none", padding="forbidden",
    ... )
    >>> waveform.prepare(np.ones(24000, np.float32), 3.0).shape
    (24000,)
    """

    type: InputType
    rate: int
    """Samples a second of the windows."""
    window: float
    """Seconds of a window, unless the user asks for others."""
    hop: float
    """Seconds from one window to the next, unless the user asks for others."""
    window_range: tuple[float, float]
    """The shortest and the longest window that the graph may be given, in seconds."""
    normalisation: Normalisation
    """`graph`: inside the graph; else of the samples of each window, or none."""
    padding: Padding
    """What becomes of a window that is shorter than the others, which happens where the whole
    recording is shorter than a window. `masked`: it is padded with zeros, and the graph tells
    padding from signal, so that its answer is the same without. `trained`: it is padded like the
    windows that the model was trained on. `forbidden`: it is run at its own length."""
    feature_set: FeatureSet | None = None
    """The features that the graph takes; None where it takes the samples."""
    batch_size: int | None = None
    """The windows that the graph takes at once, if it does not take any number: one."""
    padding_step: int | None = None
    """Where padding is masked: features are padded to a multiple of so many frames only, and two
    more, as padding costs time; None for the length of a whole window."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelInput:
        """Read the `input` of a bundle.json; BundleError if its features cannot be computed."""
        shortest, longest = data["window_range"]
        feature_set = FeatureSet.from_dict(data["features"]) if "features" in data else None
        if feature_set is not None:
            feature_set.check_size(float(longest))
        return cls(
            type=data["type"],
            rate=data["rate"],
            window=float(data["window"]),
            hop=float(data["hop"]),
            window_range=(float(shortest), float(longest)),
            normalisation=data["normalisation"],
            padding=data["padding"],
            feature_set=feature_set,
            batch_size=data.get("batch_size"),
            padding_step=data.get("padding_step"),
        )

    def shape(self, window: float) -> tuple[int, ...]:
        """Return the shape of what `prepare` gives for windows of that many seconds."""
        if self.feature_set is not None:
            return self.feature_set.shape(window)
        return (round(window * self.rate),)

    def prepare(self, samples: Float32, window: float) -> Float32:
        """Return what the graph takes for one window of at most that many seconds.

        It has the shape of such a window, or one of fewer frames: where padding is forbidden and
        there are fewer samples, and where padding is cut to a step. What it has depends on the
        samples alone. A batch takes arrays of one shape only.
        """
        if self.padding == "forbidden":
            # A graph may fail on less than its shortest window; up to there nothing else is left.
            window = max(min(len(samples) / self.rate, window), self.window_range[0])
        if self.feature_set is not None:
            features = extract(self.feature_set, samples, window)
            return features if self.padding_step is None else _cut(features, self.padding_step)
        signal = np.zeros(self.shape(window), np.float32)
        kept = samples[: len(signal)]
        # Before padding: zeros are no part of the signal whose level is measured.
        signal[: len(kept)] = self._normalised(kept)
        return signal

    def _normalised(self, samples: Float32) -> Float32:
        if self.normalisation != "zero_mean_unit_variance" or not len(samples):
            return samples
        # In double precision: sums of millions of samples lose digits in single precision.
        exact: Float64 = samples.astype(np.float64)
        centred = exact - exact.mean()
        normalised: Float32 = (centred / np.sqrt(centred.var() + _VARIANCE_FLOOR)).astype(
            np.float32
        )
        return normalised


def _cut(features: Float32, step: int) -> Float32:
    """Cut off equal frames at the end, down to a multiple of `step` frames and two.

    >>> _cut(np.array([[1], [2], [0], [0], [0], [0]], np.float32), 2).ravel().tolist()
    [1.0, 2.0, 0.0, 0.0]
    >>> _cut(np.array([[1], [2], [3], [4], [0], [0]], np.float32), 2).ravel().tolist()
    [1.0, 2.0, 3.0, 4.0, 0.0, 0.0]
    """
    # Two: a sound of n hops has n + 1 frames, so that many sounds end where a step does. And a
    # frame of padding is kept, as the last one may be signal: there is no constant for padding.
    differ = np.flatnonzero((features != features[-1]).any(axis=1))
    steps = -(-int(differ[-1]) // step) if len(differ) else 0
    return features[: steps * step + 2]
