"""The feature sets of our models as scripts compute them: by librosa, each from the samples.

The four at 22,050 Hz are compared with ours by a test. Of `functionals`,
librosa has only a part: that part is computed, and zeros stand for the rest.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

CLASSIC, SPEECH = 22050, 16000
FRAMES = 130

# Like most published scripts: librosa and NumPy warn of short or silent windows.
warnings.simplefilter("ignore")


@dataclass(frozen=True)
class LibrosaFeatureSet:
    """The features that a script computes for every window of a recording."""

    rate: int
    window: float
    compute: Callable[[Floats], Floats]

    def items(self, path: Path) -> Floats:
        """Load a recording and compute the features of its windows, one after another."""
        samples, _ = librosa.load(path, sr=self.rate)
        return np.stack([self.compute(window) for window in self.windows(samples)])

    def windows(self, samples: Floats, *, overlap: bool = False) -> Iterator[Floats]:
        """Yield the whole windows, one after another; a shorter signal is padded to one.

        With `overlap` the windows of batchemo: they overlap by half, and the last one ends with
        the signal.
        """
        length = round(self.window * self.rate)
        starts = [*range(0, max(1, len(samples) - length + 1), length // 2 if overlap else length)]
        if overlap and starts[-1] + length < len(samples):
            starts.append(len(samples) - length)
        for start in starts:
            yield librosa.util.fix_length(samples[start : start + length], size=length)


def mfcc(y: Floats, n_mfcc: int) -> Floats:
    cepstra: Floats = librosa.feature.mfcc(y=y, sr=CLASSIC, n_mfcc=n_mfcc)
    return cepstra


def mean_pitch(y: Floats) -> Floats:
    pitches, _ = librosa.piptrack(y=y, sr=CLASSIC)
    count = (pitches > 0).sum(axis=0)
    mean: Floats = pitches.sum(axis=0, keepdims=True) / np.maximum(count, 1)
    return mean


def mfcc40(y: Floats) -> Floats:
    means: Floats = mfcc(y, 40).mean(axis=1)
    return means


def logmel128(y: Floats) -> Floats:
    mel = librosa.feature.melspectrogram(y=y, sr=CLASSIC)
    logmel: Floats = librosa.power_to_db(mel, ref=np.max).T[:FRAMES]
    return logmel


def stats162(y: Floats) -> Floats:
    tracks = (
        librosa.feature.zero_crossing_rate(y),
        librosa.feature.chroma_stft(y=y, sr=CLASSIC),
        mfcc(y, 20),
        librosa.feature.rms(y=y),
        librosa.feature.melspectrogram(y=y, sr=CLASSIC),
    )
    return np.concatenate([track.mean(axis=1) for track in tracks])


def frames62(y: Floats) -> Floats:
    y = y[CLASSIC // 2 :]
    cepstra = mfcc(y, 13)
    tracks = (
        cepstra,
        librosa.feature.delta(cepstra),
        librosa.feature.delta(cepstra, order=2),
        librosa.feature.chroma_stft(y=y, sr=CLASSIC),
        librosa.feature.spectral_contrast(y=y, sr=CLASSIC),
        librosa.feature.zero_crossing_rate(y),
        librosa.feature.spectral_bandwidth(y=y, sr=CLASSIC),
        mean_pitch(y),
        librosa.feature.rms(y=y),
    )
    frames: Floats = np.concatenate(tracks).T[:FRAMES]
    return frames


def logmel64(y: Floats) -> Floats:
    """Return the spectrogram alone: librosa does not normalise levels, and trimming is cheap."""
    power = librosa.feature.melspectrogram(
        y=y, sr=SPEECH, n_fft=512, win_length=400, hop_length=160, n_mels=64, fmin=50, fmax=8000
    )
    logmel: Floats = librosa.power_to_db(power, top_db=None).T
    return logmel


def functionals(y: Floats) -> Floats:
    """Return what librosa has of them: pitch, cepstra and timbre, and their means and spreads."""
    size: dict[str, Any] = {"n_fft": 1024, "win_length": 640, "hop_length": 160}
    pitch = librosa.yin(y, fmin=60, fmax=500, sr=SPEECH, frame_length=1024, hop_length=160)
    tracks = (
        pitch[None],
        librosa.feature.mfcc(y=y, sr=SPEECH, n_mfcc=9, n_mels=26, **size),
        librosa.feature.spectral_centroid(y=y, sr=SPEECH, **size),
        librosa.feature.spectral_bandwidth(y=y, sr=SPEECH, **size),
        librosa.feature.spectral_flatness(y=y, **size),
    )
    table = np.vstack(tracks)
    return np.concatenate([table.mean(axis=1), table.std(axis=1)]).astype(np.float32)


LIBROSA_FEATURE_SETS = {
    "logmel64": LibrosaFeatureSet(SPEECH, 3.0, logmel64),
    "logmel128": LibrosaFeatureSet(CLASSIC, 3.0, logmel128),
    "mfcc40": LibrosaFeatureSet(CLASSIC, 3.0, mfcc40),
    "stats162": LibrosaFeatureSet(CLASSIC, 3.0, stats162),
    "frames62": LibrosaFeatureSet(CLASSIC, 3.5, frames62),
    "functionals": LibrosaFeatureSet(SPEECH, 3.0, functionals),
}
