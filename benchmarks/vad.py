"""Measures the voice activity detection: refused recordings of speech, and accepted other sounds.

    python benchmarks/vad.py CORPORA [--every N]

CORPORA is a folder with a folder of recordings for each corpus. Every recording is changed to each
condition, written as WAV and read by `read_windows`; so are synthetic sounds that are not speech.
It prints the two tables of docs/audio.md.
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
WINDOW_CONFIG = WindowConfig(rate=RATE, window=3.0, hop=1.5)
SUFFIXES = {".wav", ".flac", ".ogg"}
Signal = np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpora", type=Path, help="a folder of corpora")
    parser.add_argument("--every", type=int, default=1, help="take every Nth recording")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wav_path = Path(folder) / "sound.wav"
        measure_speech(options.corpora, options.every, wav_path)
        measure_sounds(wav_path)


def outcome(wav_path: Path) -> str:
    """Return `speech`, or the reason of the failure."""
    with read_windows(str(wav_path), WINDOW_CONFIG) as windows:
        try:
            for _ in windows:
                pass
        except Failure as failure:
            return failure.reason
    return "speech"


def measure_speech(corpora: Path, every: int, wav_path: Path) -> None:
    """Print how many recordings are refused, for each condition and corpus."""
    counts: dict[str, dict[str, Counter[str]]] = {}
    start = time.perf_counter()
    files = sorted(source for source in corpora.rglob("*") if source.suffix in SUFFIXES)[::every]
    for number, source in enumerate(files):
        corpus = source.relative_to(corpora).parts[0]
        speech, rate = soundfile.read(source, dtype="float32", always_2d=True)
        speech = soxr.resample(speech.mean(axis=1), rate, RATE)
        for condition, (change, subtype, changed_rate) in CONDITIONS.items():
            changed = change(speech, np.random.default_rng(number))
            soundfile.write(wav_path, changed, changed_rate, subtype=subtype)
            counts.setdefault(condition, {}).setdefault(corpus, Counter())[outcome(wav_path)] += 1
    names = sorted(next(iter(counts.values())))
    print(f"{len(files)} recordings, {time.perf_counter() - start:.0f} s; refused, in percent\n")
    print("| condition | " + " | ".join(names) + " | all | reasons |")
    print("| --- | " + "--- | " * (len(names) + 2))
    for condition, by_corpus in counts.items():
        total = sum(by_corpus.values(), Counter())
        cells = [percent_refused(by_corpus[name]) for name in names]
        cells.append(percent_refused(total))
        reasons = ", ".join(f"{k} {v}" for k, v in sorted(total.items()) if k != "speech")
        print(f"| {condition} | " + " | ".join(cells) + f" | {reasons} |")


def percent_refused(counts: Counter[str]) -> str:
    total = sum(counts.values())
    return f"{100 * (total - counts['speech']) / total:.2f}"


def telephone(speech: Signal, _: np.random.Generator) -> Signal:
    band = signal.butter(4, [300, 3400], "bandpass", fs=8000, output="sos")
    return signal.sosfilt(band, soxr.resample(speech, RATE, 8000, quality="HQ"))


def with_noise(decibels: float) -> Callable[[Signal, np.random.Generator], Signal]:
    """Return a function that adds white noise at this signal-to-noise ratio."""

    def add(speech: Signal, rng: np.random.Generator) -> Signal:
        level = np.sqrt(np.mean(speech**2)) * 10 ** (-decibels / 20)
        return speech + level * rng.standard_normal(len(speech))

    return add


def level(decibels: float) -> Callable[[Signal, np.random.Generator], Signal]:
    return lambda speech, _: speech * 10 ** (decibels / 20)


def loudest(seconds: float) -> Callable[[Signal, np.random.Generator], Signal]:
    """Return a function that cuts out the segment of this length with the most energy."""

    def cut(speech: Signal, _: np.random.Generator) -> Signal:
        length = min(len(speech), int(seconds * RATE))
        energy = np.concatenate([[0], np.cumsum(np.square(speech, dtype=np.float64))])
        start = int(np.argmax(energy[length:] - energy[: len(energy) - length]))
        return speech[start : start + length]

    return cut


def whispered(speech: Signal, rng: np.random.Generator) -> Signal:
    """Replace the voice by noise and keep the spectral envelope, by a vocoder."""
    size, hop = 320, 160
    window = np.hanning(size)
    white = rng.standard_normal(len(speech))
    out = np.zeros(len(speech))
    for start in range(0, len(speech) - size, hop):
        frame = slice(start, start + size)
        cepstrum = np.fft.irfft(np.log(np.abs(np.fft.rfft(speech[frame] * window)) + 1e-7))
        cepstrum[30:-29] = 0  # the harmonics of the voice are above
        envelope = np.exp(np.fft.rfft(cepstrum).real)
        spectrum = np.fft.rfft(white[frame] * window)
        out[frame] += np.fft.irfft(spectrum / np.abs(spectrum).mean() * envelope)
    return out / max(1e-9, np.abs(out).max()) * np.abs(speech).max()


CONDITIONS = {
    "clean": (level(0), "PCM_16", RATE),
    "telephone, 8 kHz": (telephone, "PCM_16", 8000),
    "telephone, µ-law": (telephone, "ULAW", 8000),
    "white noise, 20 dB": (with_noise(20), "PCM_16", RATE),
    "white noise, 10 dB": (with_noise(10), "PCM_16", RATE),
    "white noise, 5 dB": (with_noise(5), "PCM_16", RATE),
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


def measure_sounds(wav_path: Path) -> None:
    """Print how many synthetic sounds are refused, for each kind."""
    outcomes: dict[str, Counter[str]] = {}
    for seed in range(5):
        for seconds in (1.0, 3.0, 10.0):
            for kind, sound in synthetic_sounds(np.random.default_rng(seed), seconds):
                soundfile.write(wav_path, sound, RATE, subtype="PCM_16")
                outcomes.setdefault(kind, Counter())[outcome(wav_path)] += 1
    for kind in ("white", "pink", "brown"):
        ten_minutes = 0.1 * noise(kind, 600 * RATE, np.random.default_rng(9))
        soundfile.write(wav_path, ten_minutes, RATE)
        outcomes[f"{kind} noise, ten minutes"] = Counter([outcome(wav_path)])
    print("\n| sound | files | refused | passed as speech |\n| --- | --- | --- | --- |")
    for kind, counts in outcomes.items():
        total, accepted = sum(counts.values()), counts["speech"]
        print(f"| {kind} | {total} | {total - accepted} | {accepted or ''} |")


def noise(kind: str, length: int, rng: np.random.Generator) -> Signal:
    """Return noise whose standard deviation is 1."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    frequency = np.maximum(np.fft.rfftfreq(length), 20 / RATE)
    slope = {"white": 0.0, "pink": 0.5, "brown": 1.0}[kind]
    samples = np.fft.irfft(spectrum / frequency**slope, length)
    return samples / np.std(samples)


def synthetic_sounds(rng: np.random.Generator, seconds: float) -> Iterator[tuple[str, Signal]]:
    """Yield sounds that must be refused, then those for which that is not promised."""
    length = int(seconds * RATE)
    t = np.arange(length) / RATE
    white = rng.standard_normal(length)

    def tone(hertz: float) -> Signal:
        return 0.3 * np.sin(2 * np.pi * hertz * t + rng.uniform(0, 6))

    def square(hertz: float) -> Signal:
        return 0.3 * signal.square(2 * np.pi * hertz * t)

    modulation = 0.5 + 0.5 * np.sin(2 * np.pi * 4 * t)
    yield "digital silence", np.zeros(length)
    yield "dither", rng.integers(-1, 2, length) / 32768
    yield "DC", np.full(length, 0.3)
    yield "DC with dither", 0.3 + rng.integers(-1, 2, length) / 32768
    yield "DC that jumps", np.where(t < seconds / 2, 0, 0.5)
    for hertz in (50, 100, 220, 440, 1000, 3000):
        yield "tone", tone(hertz)
        yield "tone in noise at 20 dB", tone(hertz) + 0.02 * white
        yield "tone, amplitude modulated", tone(hertz) * modulation
        yield "the same in noise at 20 dB", tone(hertz) * modulation + 0.02 * white
        yield "beeps in noise at 20 dB", tone(hertz) * (square(2) > 0) + 0.02 * white
        yield (
            "tone with vibrato",
            0.3 * np.sin(2 * np.pi * hertz * t + 5 * np.sin(2 * np.pi * 5 * t)),
        )
    for low, high in ((100, 400), (350, 440), (697, 1209), (1000, 1100)):
        yield "two tones", (tone(low) + tone(high)) / 2
        yield "two tones in turn", np.where(square(1) > 0, tone(low), tone(high))
    for hertz in (55, 110, 220, 440):
        yield "square wave", square(hertz)
        yield "square wave, amplitude modulated", square(hertz) * modulation
        yield "sawtooth", 0.3 * signal.sawtooth(2 * np.pi * hertz * t)
    for mains in (50, 60):
        hum = sum(tone(mains * k) / k for k in range(1, 20)) / 2
        yield "mains hum", hum
        yield "mains hum in noise", hum + 0.03 * white
    for kind in ("white", "pink", "brown"):
        for decibels in (-10, -30, -50, -70):
            yield f"{kind} noise", noise(kind, length, rng) * 10 ** (decibels / 20)
        yield f"{kind} noise, amplitude modulated", 0.1 * modulation * noise(kind, length, rng)
    for rate in (1, 7, 20, 80, 150, 400):
        clicks = np.zeros(length)
        clicks[:: RATE // rate] = 0.8
        yield "clicks, regular", clicks
        yield (
            "clicks, irregular",
            rng.uniform(-0.8, 0.8, length) * (rng.random(length) < rate / RATE),
        )
    for low, high in ((60, 500), (300, 3000), (1000, 200)):
        yield "sweep, over the whole length", 0.3 * signal.chirp(t, low, seconds, high)
    yield "not promised: fast sweeps", 0.3 * signal.chirp(t % 0.3, 200, 0.3, 2000)
    yield "not promised: square wave sweeps", 0.3 * np.sign(signal.chirp(t % 1, 100, 1, 300))
    yield "not promised: bursts of noise, 50 ms", 0.1 * white * (t % 0.15 < 0.05)


if __name__ == "__main__":
    main()
