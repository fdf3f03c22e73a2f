"""Our kernels and feature sets compared with librosa on one clip: milliseconds and ratios.

    python benchmarks/features.py [seconds of the clip, default 3.5]

One thread each, medians; librosa warmed up first. The feature sets by librosa are those
of the usual scripts: every feature from the samples, so that each computes the spectrum again.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import librosa
import numpy as np
import scipy.fft
from others.librosa_features import LIBROSA_FEATURE_SETS, mean_pitch, mfcc
from threadpoolctl import threadpool_limits

from batchemo.features import FEATURE_SETS, extract
from batchemo.features.descriptors import DESCRIPTORS, MeanFeatures
from batchemo.features.spectrum import Spectrum

RATE, N_FFT, HOP = 22050, 2048, 512
Floats = np.ndarray[Any, np.dtype[np.float32]]


def clip(rate: int, seconds: float) -> Floats:
    """Return a synthetic voice: gliding pulses, syllables, breath."""
    time_axis = np.arange(round(rate * seconds)) / rate
    phase = np.cumsum(140 + 40 * np.sin(2 * np.pi * 0.7 * time_axis)) / rate
    pulses = np.diff(np.floor(phase), prepend=0)
    mouth = np.exp(-np.arange(200) / 30) * np.cos(2 * np.pi * 700 / rate * np.arange(200))
    syllables = np.maximum(0, np.sin(2 * np.pi * 1.5 * time_axis))
    breath = np.random.default_rng(0).standard_normal(len(time_axis)) * 0.003
    return (np.convolve(pulses, mouth)[: len(phase)] * syllables * 0.3 + breath).astype(np.float32)


REFERENCES: dict[str, Callable[[Floats], Floats]] = {
    "mfcc": lambda y: mfcc(y, 20),
    "mfcc_delta": lambda y: librosa.feature.delta(mfcc(y, 20)),
    "mfcc_delta2": lambda y: librosa.feature.delta(mfcc(y, 20), order=2),
    "mel": lambda y: librosa.feature.melspectrogram(y=y, sr=RATE),
    "mel_db": lambda y: librosa.power_to_db(
        librosa.feature.melspectrogram(y=y, sr=RATE), ref=np.max
    ),
    "chroma": lambda y: librosa.feature.chroma_stft(y=y, sr=RATE),
    "contrast": lambda y: librosa.feature.spectral_contrast(y=y, sr=RATE),
    "bandwidth": lambda y: librosa.feature.spectral_bandwidth(y=y, sr=RATE),
    "zcr": librosa.feature.zero_crossing_rate,
    "rms": lambda y: librosa.feature.rms(y=y),
    "pitch": mean_pitch,
}


def milliseconds(work: Callable[[], object], rounds: int = 50) -> float:
    work()
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return 1000 * median(taken)


def show(name: str, ours: float, librosas: float) -> None:
    print(f"{name:34} {ours:8.3f} {librosas:8.3f} {librosas / ours:7.1f}x")


def main(seconds: float) -> None:
    warnings.simplefilter("ignore")
    y = clip(RATE, seconds)
    print(f"{'':34} {'ours':>8} {'librosa':>8}   ms for {seconds:g} s, one thread, medians")

    def spectrum() -> Spectrum:
        return Spectrum(y, rate=RATE, n_fft=N_FFT, hop=HOP)

    shared = spectrum()
    show(
        "spectrum (power and magnitude)",
        milliseconds(lambda: spectrum().magnitude),
        milliseconds(lambda: np.abs(librosa.stft(y))),
    )
    for descriptor, reference in REFERENCES.items():

        def kernel(descriptor: str = descriptor) -> Floats:
            shared.cache.clear()
            return DESCRIPTORS[descriptor].track(shared, MeanFeatures(descriptors=(descriptor,)))

        def librosas(reference: Callable[[Floats], Floats] = reference) -> Floats:
            return reference(y)

        show(
            f"{descriptor} (ours: given the spectrum)", milliseconds(kernel), milliseconds(librosas)
        )
    for name in LIBROSA_FEATURE_SETS:
        feature_set = FEATURE_SETS[name]
        samples = clip(feature_set.rate, feature_set.window)
        reference = LIBROSA_FEATURE_SETS[name].compute
        show(
            f"feature set {name}",
            milliseconds(lambda each=feature_set, samples=samples: extract(each, samples)),
            milliseconds(lambda reference=reference, samples=samples: reference(samples)),
        )
    frames = shared.frames * np.float32(1)
    print("float32 FFT of the frames: scipy", end=" ")
    print(f"{milliseconds(lambda: scipy.fft.rfft(frames)):.3f} ms, numpy", end=" ")
    print(f"{milliseconds(lambda: np.fft.rfft(frames)):.3f} ms")


if __name__ == "__main__":
    with threadpool_limits(1):
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 3.5)
