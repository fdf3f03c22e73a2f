"""The classic features by name, side by side as frames or as their means over time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.features import mel, pitch, spectral
from batchemo.features.spectrum import DoubleSpectrum, Spectrum


@dataclass(frozen=True, slots=True)
class _Descriptors:
    """Which features, in which order, and what they are computed with."""

    descriptors: tuple[str, ...] = ("mfcc",)
    n_mfcc: int = 20
    n_mels: int = 128
    n_fft: int = 2048
    hop: int = 512
    offset: float = 0.0
    """Seconds at the start of the window that are not looked at."""

    def __post_init__(self) -> None:
        unknown = [part for part in self.descriptors if part not in tuple(DESCRIPTORS)]
        if unknown:
            raise ValueError(f"unknown parts {unknown}; there are: {', '.join(DESCRIPTORS)}")
        if not self.descriptors or len(set(self.descriptors)) < len(self.descriptors):
            raise ValueError("parts must name at least one feature, and none twice")
        if not 0 < self.n_mfcc <= self.n_mels:
            raise ValueError(f"n_mfcc={self.n_mfcc} must lie in 1 … n_mels={self.n_mels}")
        if not (self.n_fft > 1 and self.n_fft % 2 == 0 and self.hop > 0 and self.offset >= 0):
            raise ValueError("n_fft must be even, hop above 0, offset no less than 0")

    def names(self) -> tuple[str, ...]:
        """The columns: a part of one column by its name, others numbered from 0."""
        columns: list[str] = []
        for part in self.descriptors:
            width = DESCRIPTORS[part].width(self)
            columns += [part] if width == 1 else [f"{part}_{column}" for column in range(width)]
        return tuple(columns)

    def _beside(self, samples: Float32, rate: int) -> Float32:
        """All the parts of one signal, (frames, columns)."""
        spectrum = DoubleSpectrum(samples, rate=rate, n_fft=self.n_fft, hop=self.hop)
        return np.concatenate(
            [DESCRIPTORS[part].track(spectrum, self) for part in self.descriptors], axis=1
        )


@dataclass(frozen=True, slots=True)
class FrameFeatures(_Descriptors):
    """A fixed number of frames; a short signal is padded with digital silence beforehand."""

    kind: ClassVar[str] = "frames"
    version: ClassVar[int] = 1

    frames: int = 130

    def __post_init__(self) -> None:
        _Descriptors.__post_init__(self)
        if self.frames < 1:
            raise ValueError(f"frames={self.frames} must be at least 1")

    def shape(self, rate: int, window: float) -> tuple[int, ...]:
        """Frames and columns, the same for every window."""
        return self.frames, len(self.names())

    def compute(self, samples: Float32, rate: int, window: float) -> Float32:
        """The first frames of the window, (frames, columns)."""
        skipped = round(self.offset * rate)
        wanted = max(round(window * rate) - skipped, (self.frames - 1) * self.hop)
        heard = samples[skipped:]
        padded = np.zeros(wanted, dtype=np.float32)
        padded[: len(heard)] = heard
        return np.ascontiguousarray(self._beside(padded, rate)[: self.frames])


@dataclass(frozen=True, slots=True)
class MeanFeatures(_Descriptors):
    """The mean of each column over the frames that there are: nothing is padded."""

    kind: ClassVar[str] = "means"
    version: ClassVar[int] = 1

    def shape(self, rate: int, window: float) -> tuple[int, ...]:
        """The columns."""
        return (len(self.names()),)

    def compute(self, samples: Float32, rate: int, window: float) -> Float32:
        """The means, (columns,); of digital silence, if the signal ends before the offset."""
        heard = samples[round(self.offset * rate) :]
        if not len(heard):
            heard = np.zeros(1, dtype=np.float32)
        means: Float32 = self._beside(heard, rate).mean(axis=0)
        return means


class Descriptor(NamedTuple):
    """A feature: how many columns it has, and its track over the frames."""

    width: Callable[[_Descriptors], int]
    track: Callable[[Spectrum, _Descriptors], Float32]


DESCRIPTORS: dict[str, Descriptor] = {
    "mfcc": Descriptor(
        lambda told: told.n_mfcc,
        lambda spectrum, told: mel.mfcc(spectrum, told.n_mfcc, told.n_mels),
    ),
    "mfcc_delta": Descriptor(
        lambda told: told.n_mfcc,
        lambda spectrum, told: mel.mfcc_delta(spectrum, 1, told.n_mfcc, told.n_mels),
    ),
    "mfcc_delta2": Descriptor(
        lambda told: told.n_mfcc,
        lambda spectrum, told: mel.mfcc_delta(spectrum, 2, told.n_mfcc, told.n_mels),
    ),
    "mel": Descriptor(
        lambda told: told.n_mels,
        lambda spectrum, told: mel.mel_power(spectrum, told.n_mels),
    ),
    "mel_db": Descriptor(
        lambda told: told.n_mels,
        lambda spectrum, told: mel.mel_decibels(spectrum, told.n_mels),
    ),
    "chroma": Descriptor(lambda _: pitch.CLASSES, lambda spectrum, _: pitch.chroma(spectrum)),
    "contrast": Descriptor(
        lambda _: spectral.BANDS, lambda spectrum, _: spectral.contrast(spectrum)
    ),
    "bandwidth": Descriptor(lambda _: 1, lambda spectrum, _: spectral.bandwidth(spectrum)),
    "zcr": Descriptor(lambda _: 1, lambda spectrum, _: spectral.zero_crossing_rate(spectrum)),
    "rms": Descriptor(lambda _: 1, lambda spectrum, _: spectral.rms(spectrum)),
    "pitch": Descriptor(lambda _: 1, lambda spectrum, _: pitch.mean_pitch(spectrum)),
}
