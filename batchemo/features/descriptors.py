"""The classic features by name, concatenated as frames or averaged over time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.features import limits, mel, pitch, spectral
from batchemo.features.spectrum import DoubleSpectrum, Spectrum


@dataclass(frozen=True, slots=True)
class _Descriptors:
    """Which features, in which order, and the parameters that they are computed with."""

    descriptors: tuple[str, ...] = ("mfcc",)
    n_mfcc: int = 20
    n_mels: int = 128
    n_fft: int = 2048
    hop: int = 512
    offset: float = 0.0
    """Seconds at the start of the window that are skipped."""

    def __post_init__(self) -> None:
        # A tuple, because `name in dict` fails on what cannot be hashed, such as a list from JSON.
        unknown = [name for name in self.descriptors if name not in tuple(DESCRIPTORS)]
        if unknown:
            raise ValueError(f"unknown descriptors {unknown}; there are: {', '.join(DESCRIPTORS)}")
        if not self.descriptors or len(set(self.descriptors)) < len(self.descriptors):
            raise ValueError("descriptors must name at least one feature, and none twice")
        if not 0 < self.n_mfcc <= self.n_mels:
            raise ValueError(f"n_mfcc={self.n_mfcc} must lie in 1 … n_mels={self.n_mels}")
        if not (self.n_fft > 1 and self.n_fft % 2 == 0 and self.hop > 0 and self.offset >= 0):
            raise ValueError("n_fft must be even, hop above 0, offset no less than 0")
        limits.check_transform(self.n_fft, self.hop, self.n_mels)
        limits.check_seconds("offset", self.offset)

    def spectrum_shape(self, rate: int, window: float) -> tuple[int, int]:
        """Return (frames, bins) of the spectrum of a window."""
        return round(window * rate) // self.hop + 1, self.n_fft // 2 + 1

    def names(self) -> tuple[str, ...]:
        """Return the column names; features of several columns are numbered from 0."""
        columns: list[str] = []
        for name in self.descriptors:
            width = DESCRIPTORS[name].width(self)
            columns += [name] if width == 1 else [f"{name}_{column}" for column in range(width)]
        return tuple(columns)

    def _tracks(self, samples: Float32, rate: int) -> Float32:
        """Return all descriptors of a signal, frame by frame, (frames, columns)."""
        spectrum = DoubleSpectrum(samples, rate=rate, n_fft=self.n_fft, hop=self.hop)
        return np.concatenate(
            [DESCRIPTORS[name].track(spectrum, self) for name in self.descriptors], axis=1
        )


@dataclass(frozen=True, slots=True)
class FrameFeatures(_Descriptors):
    """A fixed number of frames; a short signal is padded with digital silence beforehand."""

    kind: ClassVar[str] = "frames"
    version: ClassVar[int] = 1

    frames: int = 130

    def __post_init__(self) -> None:
        # `super()` without arguments fails in a dataclass with slots, which is another class.
        _Descriptors.__post_init__(self)
        if self.frames < 1:
            raise ValueError(f"frames={self.frames} must be at least 1")
        if self.frames * self.hop > limits.MAX_WINDOW_VALUES:
            raise ValueError(f"frames={self.frames} are too many for hop={self.hop}")

    def shape(self, rate: int, window: float) -> tuple[int, ...]:
        """Return (frames, columns), the same for every window."""
        return self.frames, len(self.names())

    def spectrum_shape(self, rate: int, window: float) -> tuple[int, int]:
        """Return (frames, bins) of the spectrum of a window, which may be padded."""
        frames, bins = _Descriptors.spectrum_shape(self, rate, window)
        return max(frames, self.frames), bins

    def compute(self, samples: Float32, rate: int, window: float) -> Float32:
        """Return the first frames of the window, (frames, columns)."""
        skipped = round(self.offset * rate)
        # At least as long as all frames need, also where the window is shorter.
        length = max(round(window * rate) - skipped, (self.frames - 1) * self.hop)
        signal = samples[skipped:]
        padded = np.zeros(length, dtype=np.float32)
        padded[: len(signal)] = signal
        return np.ascontiguousarray(self._tracks(padded, rate)[: self.frames])


@dataclass(frozen=True, slots=True)
class MeanFeatures(_Descriptors):
    """The mean of each column over all frames of the signal, without any padding."""

    kind: ClassVar[str] = "means"
    version: ClassVar[int] = 1

    def shape(self, rate: int, window: float) -> tuple[int, ...]:
        """Return (columns,)."""
        return (len(self.names()),)

    def compute(self, samples: Float32, rate: int, window: float) -> Float32:
        """Return the means, (columns,); of digital silence if the signal ends before the offset."""
        signal = samples[round(self.offset * rate) :]
        if not len(signal):
            signal = np.zeros(1, dtype=np.float32)
        means: Float32 = self._tracks(signal, rate).mean(axis=0)
        return means


class Descriptor(NamedTuple):
    """A feature: its number of columns, and the kernel that computes it frame by frame."""

    width: Callable[[_Descriptors], int]
    track: Callable[[Spectrum, _Descriptors], Float32]


DESCRIPTORS: dict[str, Descriptor] = {
    "mfcc": Descriptor(
        lambda params: params.n_mfcc,
        lambda spectrum, params: mel.mfcc(spectrum, params.n_mfcc, params.n_mels),
    ),
    "mfcc_delta": Descriptor(
        lambda params: params.n_mfcc,
        lambda spectrum, params: mel.mfcc_delta(spectrum, 1, params.n_mfcc, params.n_mels),
    ),
    "mfcc_delta2": Descriptor(
        lambda params: params.n_mfcc,
        lambda spectrum, params: mel.mfcc_delta(spectrum, 2, params.n_mfcc, params.n_mels),
    ),
    "mel": Descriptor(
        lambda params: params.n_mels,
        lambda spectrum, params: mel.mel_power(spectrum, params.n_mels),
    ),
    "mel_db": Descriptor(
        lambda params: params.n_mels,
        lambda spectrum, params: mel.mel_decibels(spectrum, params.n_mels),
    ),
    "chroma": Descriptor(lambda _: pitch.PITCH_CLASSES, lambda spectrum, _: pitch.chroma(spectrum)),
    "contrast": Descriptor(
        lambda _: spectral.CONTRAST_BANDS, lambda spectrum, _: spectral.contrast(spectrum)
    ),
    "bandwidth": Descriptor(lambda _: 1, lambda spectrum, _: spectral.bandwidth(spectrum)),
    "zcr": Descriptor(lambda _: 1, lambda spectrum, _: spectral.zero_crossing_rate(spectrum)),
    "rms": Descriptor(lambda _: 1, lambda spectrum, _: spectral.rms(spectrum)),
    "pitch": Descriptor(lambda _: 1, lambda spectrum, _: pitch.mean_pitch(spectrum)),
}
