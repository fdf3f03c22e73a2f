"""Our kernels and recipes beside librosa, in one run on one clip: milliseconds and ratios.

    python benchmarks/features.py [seconds of the clip, default 3.5]

One thread each, medians; librosa warmed up first. Its recipes are what the usual scripts do:
every feature from the samples, so that each computes the spectrum again.
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
from threadpoolctl import threadpool_limits

from batchemo.features import RECIPES, extract
from batchemo.features.parts import PARTS, Means
from batchemo.features.spectrum import Spectrum

RATE, N_FFT, HOP = 22050, 2048, 512
Floats = np.ndarray[Any, np.dtype[np.float32]]


def clip(rate: int, seconds: float) -> Floats:
    """Something like a voice: gliding pulses, syllables, breath."""
    time_axis = np.arange(round(rate * seconds)) / rate
    phase = np.cumsum(140 + 40 * np.sin(2 * np.pi * 0.7 * time_axis)) / rate
    pulses = np.diff(np.floor(phase), prepend=0)
    mouth = np.exp(-np.arange(200) / 30) * np.cos(2 * np.pi * 700 / rate * np.arange(200))
    syllables = np.maximum(0, np.sin(2 * np.pi * 1.5 * time_axis))
    breath = np.random.default_rng(0).standard_normal(len(time_axis)) * 0.003
    return (np.convolve(pulses, mouth)[: len(phase)] * syllables * 0.3 + breath).astype(np.float32)


def mean_pitch(y: Floats) -> Floats:
    pitches, _ = librosa.piptrack(y=y, sr=RATE)
    count = (pitches > 0).sum(axis=0)
    return pitches.sum(axis=0, keepdims=True) / np.maximum(count, 1)


def mel(y: Floats) -> Floats:
    return librosa.feature.melspectrogram(y=y, sr=RATE)


def mfcc(y: Floats, n_mfcc: int) -> Floats:
    return librosa.feature.mfcc(y=y, sr=RATE, n_mfcc=n_mfcc)


REFERENCES: dict[str, Callable[[Floats], Floats]] = {
    "mfcc": lambda y: mfcc(y, 20),
    "mfcc_delta": lambda y: librosa.feature.delta(mfcc(y, 20)),
    "mfcc_delta2": lambda y: librosa.feature.delta(mfcc(y, 20), order=2),
    "mel": mel,
    "mel_db": lambda y: librosa.power_to_db(mel(y), ref=np.max),
    "chroma": lambda y: librosa.feature.chroma_stft(y=y, sr=RATE),
    "contrast": lambda y: librosa.feature.spectral_contrast(y=y, sr=RATE),
    "bandwidth": lambda y: librosa.feature.spectral_bandwidth(y=y, sr=RATE),
    "zcr": librosa.feature.zero_crossing_rate,
    "rms": lambda y: librosa.feature.rms(y=y),
    "pitch": mean_pitch,
}


def logmel64(y: Floats) -> Floats:
    """The picture alone: librosa has no counterpart of the trimming and the level."""
    power = librosa.feature.melspectrogram(
        y=y, sr=16000, n_fft=512, win_length=400, hop_length=160, n_mels=64, fmin=50, fmax=8000
    )
    return librosa.power_to_db(power, top_db=None)


def stats162(y: Floats) -> Floats:
    return np.hstack(
        [REFERENCES[part](y).mean(axis=1) for part in RECIPES["stats162"].params.parts]
    )


def frames62(y: Floats) -> Floats:
    y = y[RATE // 2 :]
    cepstra = mfcc(y, 13)
    moving = [librosa.feature.delta(cepstra, order=order) for order in (1, 2)]
    others = [REFERENCES[part](y) for part in RECIPES["frames62"].params.parts[3:]]
    return np.vstack([cepstra, *moving, *others])[:, :130]


def functionals(y: Floats) -> Floats:
    """Only what of it librosa has: cepstra, timbre and the pitch, and their means and spreads."""
    pitch = librosa.yin(y, fmin=60, fmax=500, sr=16000, frame_length=1024, hop_length=160)
    cepstra = librosa.feature.mfcc(
        y=y, sr=16000, n_mfcc=9, n_mels=26, n_fft=1024, win_length=640, hop_length=160
    )
    shapes = (librosa.feature.spectral_centroid, librosa.feature.spectral_bandwidth)
    timbre = [shape(y=y, sr=16000, n_fft=1024, win_length=640, hop_length=160) for shape in shapes]
    flat = librosa.feature.spectral_flatness(y=y, n_fft=1024, win_length=640, hop_length=160)
    tracks = np.vstack([pitch[None], cepstra, *timbre, flat])
    return np.concatenate([tracks.mean(axis=1), tracks.std(axis=1)])


RECIPE_REFERENCES: dict[str, Callable[[Floats], Floats]] = {
    "logmel64": logmel64,
    "logmel128": lambda y: REFERENCES["mel_db"](y)[:, :130],
    "mfcc40": lambda y: mfcc(y, 40).mean(axis=1),
    "stats162": stats162,
    "frames62": frames62,
    "functionals": functionals,
}


def milliseconds(work: Callable[[], object], rounds: int = 50) -> float:
    work()
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return 1000 * median(taken)


def show(name: str, ours: float, theirs: float) -> None:
    print(f"{name:34} {ours:8.3f} {theirs:8.3f} {theirs / ours:7.1f}x")


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
    for part, reference in REFERENCES.items():

        def kernel(part: str = part) -> Floats:
            shared.known.clear()
            return PARTS[part].track(shared, Means(parts=(part,)))

        def theirs(reference: Callable[[Floats], Floats] = reference) -> Floats:
            return reference(y)

        show(f"{part} (ours: given the spectrum)", milliseconds(kernel), milliseconds(theirs))
    for name, recipe in RECIPES.items():
        samples = clip(recipe.rate, recipe.window)
        reference = RECIPE_REFERENCES[name]
        show(
            f"recipe {name}",
            milliseconds(lambda recipe=recipe, samples=samples: extract(recipe, samples)),
            milliseconds(lambda reference=reference, samples=samples: reference(samples)),
        )
    frames = shared.frames * np.float32(1)
    print("float32 FFT of the frames: scipy", end=" ")
    print(f"{milliseconds(lambda: scipy.fft.rfft(frames)):.3f} ms, numpy", end=" ")
    print(f"{milliseconds(lambda: np.fft.rfft(frames)):.3f} ms")


if __name__ == "__main__":
    with threadpool_limits(1):
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 3.5)
