"""Measures what finds speech: Silero, as `--turns speech` uses it, and the gate for windows.

    python benchmarks/speech_turns.py CORPORA [--noises FOLDER] [--minutes 5]

CORPORA is a folder with a folder of recordings of speech for each corpus. Mixtures are made of
clips, silences, environmental sounds (of --noises) and made music; in some, noise or music goes on
below all of it. What is speech is known from the clips: where they are within 35 dB of their
loudest 10 ms, over pauses of up to 0.3 s. It prints the share of speech that is found, the share
of all else that is taken for speech, and how fast each is.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile
import soxr

from batchemo.audio.speech_turns import BEGINS, ENDS, FRAME, RATE, SpeechProbabilities
from batchemo.audio.vad import is_speech

STEP = RATE // 100
"""Everything is compared in steps of 10 ms."""
SUFFIXES = {".wav", ".flac", ".ogg"}
SPEECH_DB = 35.0
PAUSE = 30
Signal = np.ndarray
Mask = np.ndarray
Detector = Callable[[Signal], Mask]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpora", type=Path, help="a folder of corpora of speech")
    parser.add_argument("--noises", type=Path, help="a folder of sounds that are not speech")
    parser.add_argument("--minutes", type=float, default=5.0, help="length of each mixture")
    options = parser.parse_args()
    random = np.random.default_rng(0)
    clips = shuffled(options.corpora, random)
    noises = [] if options.noises is None else list(shuffled(options.noises, random))
    detectors: dict[str, Detector] = {"Silero": silero, "gate, 0.6 s": gate}
    print("| mixture | detector | speech found | taken for speech | times real time |")
    print("| --- | --- | --- | --- | --- |")
    for name, snr, kind in (
        ("between silences, sounds and music", None, None),
        ("the same in noise, 20 dB below", 20.0, pink),
        ("in noise, 10 dB below", 10.0, pink),
        ("over music, 15 dB below", 15.0, music),
    ):
        signal, speech = mixture(clips, noises, options.minutes * 60, random)
        if snr is not None and kind is not None:
            signal = over(signal, speech, kind(len(signal), random), snr)
        for detector, detect in detectors.items():
            began = time.thread_time()
            found = joined(detect(signal), PAUSE)
            seconds = time.thread_time() - began
            share = (found & speech).sum() / speech.sum()
            wrong = (found & ~speech).sum() / (~speech).sum()
            speed = len(signal) / RATE / seconds
            print(f"| {name} | {detector} | {share:.1%} | {wrong:.1%} | {speed:,.0f} |")


def shuffled(folder: Path, random: np.random.Generator) -> Iterator[Signal]:
    """Yield the recordings below a folder in a random order, at 16 kHz."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    for index in random.permutation(len(files)):
        signal, rate = soundfile.read(files[index], dtype="float32", always_2d=True)
        mono = signal.mean(axis=1)
        yield mono if rate == RATE else soxr.resample(mono, rate, RATE)


def mixture(
    clips: Iterator[Signal], noises: list[Signal], seconds: float, random: np.random.Generator
) -> tuple[Signal, Mask]:
    """Return clips with other things between them, and which steps of it are speech."""
    parts: list[Signal] = []
    masks: list[Mask] = []
    while sum(map(len, parts)) < seconds * RATE:
        kind, length = random.random(), int(random.uniform(0.3, 4) * RATE)
        speech = kind < 0.55
        if speech:
            clip = next(clips)
            part = clip / max(1e-9, np.abs(clip).max()) * random.uniform(0.1, 0.6)
        elif kind < 0.8 or not noises:
            part = 1e-4 * random.standard_normal(length)
        elif kind < 0.9:
            noise = noises[random.integers(len(noises))]
            part = 0.2 * noise / max(1e-9, np.abs(noise).max())
        else:
            part = music(2 * length, random)
        part = part[: len(part) // STEP * STEP].astype(np.float32)
        parts.append(part)
        masks.append(loud_steps(part) if speech else np.zeros(len(part) // STEP, bool))
    return np.concatenate(parts), np.concatenate(masks)


def levels(signal: Signal) -> Signal:
    """Return the level of each step in dB."""
    steps = signal[: len(signal) // STEP * STEP].reshape(-1, STEP)
    return 10 * np.log10(np.square(steps, dtype=np.float64).mean(axis=1) + 1e-12)


def loud_steps(signal: Signal) -> Mask:
    level = levels(signal)
    return joined(level > level.max() - SPEECH_DB, PAUSE)


def joined(mask: Mask, gap: int) -> Mask:
    """Return the mask with pauses up to that many steps filled."""
    mask, places = mask.copy(), np.flatnonzero(mask)
    for before, after in pairwise(places.tolist()):
        if after - before <= gap:
            mask[before:after] = True
    return mask


def over(signal: Signal, speech: Mask, background: Signal, snr: float) -> Signal:
    """Return the signal over a background, so many dB below its speech."""
    power = np.square(signal[np.repeat(speech, STEP)]).mean() / np.square(background).mean()
    return (signal + background * np.sqrt(power / 10 ** (snr / 10))).astype(np.float32)


def pink(length: int, random: np.random.Generator) -> Signal:
    spectrum = np.fft.rfft(random.standard_normal(length))
    return np.fft.irfft(spectrum / np.sqrt(np.arange(len(spectrum)) + 1), length)


def music(length: int, random: np.random.Generator) -> Signal:
    """Return chords of plucked notes on a beat."""
    signal, beat = np.zeros(length), RATE // 2
    scale = 220 * 2 ** (np.array([0, 3, 5, 7, 10, 12, 15, 17]) / 12)
    for start in range(0, length, beat):
        moments = np.arange(min(2 * beat, length - start)) / RATE
        for note in random.choice(scale, 3):
            tone = sum(np.sin(2 * np.pi * note * n * moments) / n**1.5 for n in range(1, 5))
            signal[start : start + len(moments)] += np.exp(-3 * moments) * tone
    return 0.1 * signal / max(1e-9, np.abs(signal).max())


def silero(signal: Signal) -> Mask:
    probabilities = SpeechProbabilities(RATE)
    probabilities.update(signal, last=True)
    speech, found = False, []
    for value in probabilities.values:
        speech = value >= (ENDS if speech else BEGINS)
        found.append(speech)
    steps = np.repeat(found, FRAME)[: len(signal) // STEP * STEP]
    return steps.reshape(-1, STEP)[:, 0]


def gate(signal: Signal, window: float = 0.6, hop: float = 0.15) -> Mask:
    """Return the steps that most windows take for speech, and that are loud enough."""
    length, step = int(window * RATE), int(hop * RATE)
    steps = len(signal) // STEP
    votes, windows = np.zeros(steps), np.zeros(steps)
    for start in range(0, max(1, len(signal) - length), step):
        covered = slice(start // STEP, (start + length) // STEP)
        votes[covered] += is_speech(signal[start : start + length], RATE)
        windows[covered] += 1
    level = levels(signal)
    around = [np.percentile(level[max(0, at - 500) : at + 500], 90) for at in range(0, steps, 100)]
    return (votes > 0.5 * windows) & (level > np.repeat(around, 100)[:steps] - SPEECH_DB)


if __name__ == "__main__":
    main()
