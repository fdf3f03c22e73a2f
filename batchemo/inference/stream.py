"""Sound that arrives block by block: a prediction for each window as soon as it is complete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from batchemo.audio import Window
from batchemo.audio.decode import mix
from batchemo.audio.pieces import WHOLE
from batchemo.audio.reader import RateStream
from batchemo.common.arrays import Float32
from batchemo.errors import UsageError
from batchemo.inference.in_memory import as_floats, checked_rate
from batchemo.inference.loaded import load_model
from batchemo.inference.provenance import check_windows
from batchemo.inference.settings import ModelSettings, PostprocessSettings
from batchemo.tables.columns import MEASURED
from batchemo.tables.derived import label_or_uncertain


@dataclass(frozen=True, slots=True)
class WindowPrediction:
    """What the model gives for a window; nothing for one without speech."""

    start: float
    """Seconds from the start of the stream."""
    end: float
    emotion: str | None = None
    """The likeliest label, or `uncertain`."""
    confidence: float | None = None
    """Its probability."""
    probabilities: Mapping[str, float] = field(default_factory=dict)
    familiarity: float | None = None
    """How like the training recordings it is, where the model can say."""
    measured: Mapping[str, float] = field(default_factory=dict)
    """Arousal, valence and dominance, of a model that gives them."""


class PredictionStream:
    """Takes blocks of samples, and gives the predictions of the windows that they complete."""

    def __init__(
        self, sample_rate: int, settings: ModelSettings, postprocess: PostprocessSettings
    ) -> None:
        self._sample_rate = checked_rate(sample_rate)
        self._model = load_model(settings)
        check_windows(self._model.bundle, settings)
        postprocess.check_labels(self._model.bundle.name, self._model.bundle.labels)
        self._postprocess = postprocess
        self._config = self._model.window_config
        self._windows = RateStream(
            self._sample_rate, self._config.rate, {0: self._config}, WHOLE, {}
        )
        self._frames = 0
        self._is_finished = False

    def feed(self, block: Any) -> list[WindowPrediction]:
        """Take the next samples, of any number; return the predictions that they complete.

        Integers of 16 or 32 bits, or floats from -1 to 1; of two axes, the shorter one is the
        channels.
        """
        if self._is_finished:
            raise UsageError("the stream is finished: open another one")
        if not np.size(block):
            return []
        frames = as_floats(block)
        if not np.isfinite(frames).all():
            raise UsageError("a sample is no number")
        self._frames += len(frames)
        return self._predict(self._windows.process(self._mono(frames), last=False))

    def finish(self) -> list[WindowPrediction]:
        """Return the predictions of what is left: of the window that covers the end."""
        if self._is_finished:
            return []
        self._is_finished = True
        rest = self._predict(self._windows.flush())
        # As a recording that is too short has no prediction.
        if self._frames / self._sample_rate < self._config.min_duration:
            return rest
        return rest + self._predict(self._windows.finish())

    def _mono(self, frames: Float32) -> Float32:
        channel = self._config.channel
        if channel == "mix":
            return mix(frames)
        if int(channel) >= frames.shape[1]:
            raise UsageError(f"channel {channel} of {frames.shape[1]}, counted from 0")
        return mix(frames[:, [int(channel)]])

    def _predict(self, windows: Iterator[Window]) -> list[WindowPrediction]:
        return [self._prediction(window) for window in windows]

    def _prediction(self, window: Window) -> WindowPrediction:
        if not window.speech:
            return WindowPrediction(window.start, window.end)
        model, labels = self._model, self._model.bundle.labels
        prepared = model.input.prepare(window.samples, self._config.window)
        result = model.classifier.run(prepared[None])
        emotion = confidence = None
        if labels:
            least = self._postprocess.min_confidence
            emotion = str(label_or_uncertain(result.probabilities, labels, least)[0])
            confidence = float(result.probabilities[0].max())
        measured = {}
        if result.dimensions is not None:
            values = result.dimensions[0, model.measured_indices()].tolist()
            names = [name for name in MEASURED if name in model.bundle.dimensions]
            measured = dict(zip(names, values, strict=True))
        return WindowPrediction(
            window.start,
            window.end,
            emotion,
            confidence,
            dict(zip(labels, result.probabilities[0].tolist(), strict=True)),
            None if result.familiarity is None else float(result.familiarity[0]),
            measured,
        )
