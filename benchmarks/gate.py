"""How many recordings of speech the gate refuses, and which sounds that are no speech it lets pass.

    python benchmarks/gate.py CORPORA [--every N]

CORPORA is a folder of recordings of speech. Each is written as a 16-bit wav under every condition
and heard by `read_windows`; the sounds are made here.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr
from scipy import signal

from batchemo.audio import Failure, WindowConfig, read_windows

RATE = 16_000
OPTIONS = WindowConfig(rate=RATE, window=3.0, hop=1.5)
SUFFIXES = {".wav", ".flac", ".ogg"}
Sound = np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every Nth recording")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "sound.wav"
        measure_speech(arguments.corpora, arguments.every, place)
        measure_sounds(place)


def verdict(place: Path) -> str:
    """`speech`, or the reason why not."""
    with read_windows(str(place), OPTIONS) as heard:
        try:
            for _ in heard:
                pass
        except Failure as failure:
            return failure.reason
    return "speech"


def measure_speech(corpora: Path, every: int, place: Path) -> None:
    counts: dict[str, dict[str, Counter[str]]] = {}
    started = time.perf_counter()
    files = sorted(path for path in corpora.rglob("*") if path.suffix in SUFFIXES)[::every]
    for number, path in enumerate(files):
        corpus = path.relative_to(corpora).parts[0]
        speech, rate = soundfile.read(path, dtype="float32", always_2d=True)
        speech = soxr.resample(speech.mean(axis=1), rate, RATE)
        for condition, (change, subtype, at) in CONDITIONS.items():
            changed = change(speech, np.random.default_rng(number))
            soundfile.write(place, changed, at, subtype=subtype)
            counts.setdefault(condition, {}).setdefault(corpus, Counter())[verdict(place)] += 1
    corpora_names = sorted(next(iter(counts.values())))
    print(f"{len(files)} recordings, {time.perf_counter() - started:.0f} s; refused, in percent\n")
    print("| condition | " + " | ".join(corpora_names) + " | all | reasons |")
    print("| --- | " + "--- | " * (len(corpora_names) + 2))
    for condition, by_corpus in counts.items():
        total = sum(by_corpus.values(), Counter())
        cells = [refused(by_corpus[name]) for name in corpora_names] + [refused(total)]
        reasons = ", ".join(f"{k} {v}" for k, v in sorted(total.items()) if k != "speech")
        print(f"| {condition} | " + " | ".join(cells) + f" | {reasons} |")


def refused(counts: Counter[str]) -> str:
    total = sum(counts.values())
    return f"{100 * (total - counts['speech']) / total:.2f}"


def telephone(speech: Sound, _: np.random.Generator) -> Sound:
    band = signal.butter(4, [300, 3400], "bandpass", fs=8000, output="sos")
    return signal.sosfilt(band, soxr.resample(speech, RATE, 8000, quality="HQ"))


def noise_at(decibels: float) -> Callable[[Sound, np.random.Generator], Sound]:
    def add(speech: Sound, chance: np.random.Generator) -> Sound:
        level = np.sqrt(np.mean(speech**2)) * 10 ** (-decibels / 20)
        return speech + level * chance.standard_normal(len(speech))

    return add


def level(decibels: float) -> Callable[[Sound, np.random.Generator], Sound]:
    return lambda speech, _: speech * 10 ** (decibels / 20)


def loudest(seconds: float) -> Callable[[Sound, np.random.Generator], Sound]:
    """The piece of that length that holds most of the energy."""

    def take(speech: Sound, _: np.random.Generator) -> Sound:
        length = min(len(speech), int(seconds * RATE))
        energy = np.concatenate([[0], np.cumsum(np.square(speech, dtype=np.float64))])
        start = int(np.argmax(energy[length:] - energy[: len(energy) - length]))
        return speech[start : start + length]

    return take


def whispered(speech: Sound, chance: np.random.Generator) -> Sound:
    """Speech whose spectral envelope is kept and whose voice is replaced by noise."""
    size, hop = 320, 160
    taper = np.hanning(size)
    noise = chance.standard_normal(len(speech))
    out = np.zeros(len(speech))
    for start in range(0, len(speech) - size, hop):
        piece = slice(start, start + size)
        cepstrum = np.fft.irfft(np.log(np.abs(np.fft.rfft(speech[piece] * taper)) + 1e-7))
        cepstrum[30:-29] = 0  # the voice's harmonics lie beyond
        envelope = np.exp(np.fft.rfft(cepstrum).real)
        colour = np.fft.rfft(noise[piece] * taper)
        out[piece] += np.fft.irfft(colour / np.abs(colour).mean() * envelope)
    return out / max(1e-9, np.abs(out).max()) * np.abs(speech).max()


CONDITIONS = {
    "clean": (level(0), "PCM_16", RATE),
    "telephone, 8 kHz": (telephone, "PCM_16", 8000),
    "telephone, µ-law": (telephone, "ULAW", 8000),
    "white noise, 20 dB": (noise_at(20), "PCM_16", RATE),
    "white noise, 10 dB": (noise_at(10), "PCM_16", RATE),
    "white noise, 5 dB": (noise_at(5), "PCM_16", RATE),
    "level -20 dB": (level(-20), "PCM_16", RATE),
    "level -30 dB": (level(-30), "PCM_16", RATE),
    "level -40 dB": (level(-40), "PCM_16", RATE),
    "8-bit": (level(0), "PCM_U8", RATE),
    "loudest second alone": (loudest(1.0), "PCM_16", RATE),
    "loudest 0.7 s alone": (loudest(0.7), "PCM_16", RATE),
    "loudest 0.5 s alone": (loudest(0.5), "PCM_16", RATE),
    "loudest 0.4 s alone": (loudest(0.4), "PCM_16", RATE),
    "whispered (vocoder)": (whispered, "PCM_16", RATE),
}


def measure_sounds(place: Path) -> None:
    skipped: dict[str, Counter[str]] = {}
    for seed in range(5):
        for seconds in (1.0, 3.0, 10.0):
            for kind, sound in sounds(np.random.default_rng(seed), seconds):
                soundfile.write(place, sound, RATE, subtype="PCM_16")
                skipped.setdefault(kind, Counter())[verdict(place)] += 1
    for kind in ("white", "pink", "brown"):
        soundfile.write(place, 0.1 * coloured(kind, 600 * RATE, np.random.default_rng(9)), RATE)
        skipped[f"{kind} noise, ten minutes"] = Counter([verdict(place)])
    print("\n| sound | heard | refused | passed as speech |\n| --- | --- | --- | --- |")
    for kind, counts in skipped.items():
        total, passed = sum(counts.values()), counts["speech"]
        print(f"| {kind} | {total} | {total - passed} | {passed or ''} |")


def coloured(kind: str, length: int, chance: np.random.Generator) -> Sound:
    spectrum = np.fft.rfft(chance.standard_normal(length))
    frequency = np.maximum(np.fft.rfftfreq(length), 20 / RATE)
    slope = {"white": 0.0, "pink": 0.5, "brown": 1.0}[kind]
    noise = np.fft.irfft(spectrum / frequency**slope, length)
    return noise / np.std(noise)


def sounds(chance: np.random.Generator, seconds: float) -> Iterator[tuple[str, Sound]]:
    """All that must be refused, then what may pass."""
    length = int(seconds * RATE)
    time_ = np.arange(length) / RATE
    hiss = chance.standard_normal(length)

    def tone(hertz: float) -> Sound:
        return 0.3 * np.sin(2 * np.pi * hertz * time_ + chance.uniform(0, 6))

    def square(hertz: float) -> Sound:
        return 0.3 * signal.square(2 * np.pi * hertz * time_)

    wobble = 0.5 + 0.5 * np.sin(2 * np.pi * 4 * time_)
    yield "digital silence", np.zeros(length)
    yield "dither", chance.integers(-1, 2, length) / 32768
    yield "DC", np.full(length, 0.3)
    yield "DC with dither", 0.3 + chance.integers(-1, 2, length) / 32768
    yield "DC that jumps", np.where(time_ < seconds / 2, 0, 0.5)
    for hertz in (50, 100, 220, 440, 1000, 3000):
        yield "tone", tone(hertz)
        yield "tone in noise at 20 dB", tone(hertz) + 0.02 * hiss
        yield "tone, amplitude modulated", tone(hertz) * wobble
        yield "the same in noise at 20 dB", tone(hertz) * wobble + 0.02 * hiss
        yield "beeps in noise at 20 dB", tone(hertz) * (square(2) > 0) + 0.02 * hiss
        yield (
            "tone with vibrato",
            0.3 * np.sin(2 * np.pi * hertz * time_ + 5 * np.sin(2 * np.pi * 5 * time_)),
        )
    for low, high in ((100, 400), (350, 440), (697, 1209), (1000, 1100)):
        yield "two tones", (tone(low) + tone(high)) / 2
        yield "two tones in turn", np.where(square(1) > 0, tone(low), tone(high))
    for hertz in (55, 110, 220, 440):
        yield "square wave", square(hertz)
        yield "square wave, amplitude modulated", square(hertz) * wobble
        yield "sawtooth", 0.3 * signal.sawtooth(2 * np.pi * hertz * time_)
    for mains in (50, 60):
        hum = sum(tone(mains * k) / k for k in range(1, 20)) / 2
        yield "mains hum", hum
        yield "mains hum in noise", hum + 0.03 * hiss
    for kind in ("white", "pink", "brown"):
        for decibels in (-10, -30, -50, -70):
            yield f"{kind} noise", coloured(kind, length, chance) * 10 ** (decibels / 20)
        yield f"{kind} noise, amplitude modulated", 0.1 * wobble * coloured(kind, length, chance)
    for rate in (1, 7, 20, 80, 150, 400):
        clicks = np.zeros(length)
        clicks[:: RATE // rate] = 0.8
        yield "clicks, regular", clicks
        yield (
            "clicks, irregular",
            chance.uniform(-0.8, 0.8, length) * (chance.random(length) < rate / RATE),
        )
    for low, high in ((60, 500), (300, 3000), (1000, 200)):
        yield "sweep, over the whole length", 0.3 * signal.chirp(time_, low, seconds, high)
    yield "not promised: fast sweeps", 0.3 * signal.chirp(time_ % 0.3, 200, 0.3, 2000)
    yield "not promised: square wave sweeps", 0.3 * np.sign(signal.chirp(time_ % 1, 100, 1, 300))
    yield "not promised: bursts of noise, 50 ms", 0.1 * hiss * (time_ % 0.15 < 0.05)


if __name__ == "__main__":
    main()
