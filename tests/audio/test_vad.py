"""Speech passes at any rate, steady sounds never do; benchmarks/vad.py measures whole corpora."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from voices import voice

from batchemo.audio.vad import is_speech, spectral_change

RATE = 16_000
TIME = np.arange(3 * RATE) / RATE
RNG = np.random.default_rng(0)
HISS = RNG.standard_normal(len(TIME))


def speech(seconds: float, rate: int = RATE) -> np.ndarray:
    return voice(seconds, rate).astype(np.float32)


def tone(hertz: float) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * hertz * TIME)


def brown() -> np.ndarray:
    noise = np.cumsum(HISS)
    return 0.1 * noise / np.abs(noise).max()


NO_SPEECH = {
    "nothing": TIME * 0,
    "a constant": TIME * 0 + 0.3,
    "dither": RNG.integers(-1, 2, len(TIME)) / 32768,
    "a low tone": tone(110),
    "a high tone": tone(3000),
    "a tone that swells": tone(440) * (1 + np.sin(2 * np.pi * 4 * TIME)),
    "two tones": tone(350) + tone(440),
    "two tones in turn": np.where(TIME % 0.5 < 0.25, tone(440), tone(600)),
    "beeps over noise": tone(1000) * (TIME % 0.5 < 0.25) + 0.02 * HISS,
    "mains hum": sum(tone(50 * k) / k for k in range(1, 20)),
    "a square wave": np.sign(tone(150)),
    "a sweep": 0.3 * np.sin(2 * np.pi * (100 * TIME + 400 * TIME**2)),
    "white noise": 0.1 * HISS,
    "faint white noise": 1e-4 * HISS,
    "brown noise": brown(),
    "noise that swells": 0.1 * HISS * (1 + np.sin(2 * np.pi * 4 * TIME)),
    "one click": np.eye(1, len(TIME), RATE)[0],
    "regular clicks": (np.arange(len(TIME)) % 200 == 0).astype(float),
    "irregular clicks": HISS * (RNG.random(len(TIME)) < 0.003),
}


@pytest.mark.parametrize("name", NO_SPEECH)
def test_a_steady_sound_is_no_speech(name: str) -> None:
    assert not is_speech(NO_SPEECH[name].astype(np.float32), RATE)


@pytest.mark.parametrize("rate", [4_000, 8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
def test_speech_and_noise_are_distinguished_at_any_rate(rate: int) -> None:
    noise = RNG.standard_normal(3 * rate).astype(np.float32)
    assert is_speech(speech(3.0, rate), rate)
    assert not is_speech(noise, rate)


@pytest.mark.parametrize("seconds", [1.0, 10.0])
def test_windows_of_any_length_are_recognised(seconds: float) -> None:
    assert is_speech(speech(seconds), RATE)


@pytest.mark.parametrize("gain", [1.0, 1e-2, 1e-4])
def test_the_result_does_not_depend_on_the_level(gain: float) -> None:
    signal = speech(3.0)
    change = spectral_change(signal * np.float32(gain), RATE)
    assert change == pytest.approx(spectral_change(signal, RATE), rel=1e-3)


def test_speech_over_hum_and_noise_is_speech() -> None:
    signal = speech(3.0)
    noise = 0.3 * np.std(signal) * HISS + 0.1 * NO_SPEECH["mains hum"]
    assert is_speech((signal + noise).astype(np.float32), RATE)


@pytest.mark.parametrize("length", [0, 1, 3, 160, 639, 640, 700])
def test_too_short_a_signal_is_no_speech(length: int) -> None:
    assert spectral_change(speech(1.0)[:length], RATE) == 0.0


@pytest.mark.corpora
def test_recordings_of_people_are_speech() -> None:
    folder = os.environ.get("BATCHEMO_CORPORA")
    if not folder:
        pytest.skip("BATCHEMO_CORPORA names no folder of recordings")
    files = sorted(p for p in Path(folder).rglob("*") if p.suffix in {".flac", ".ogg"})[::40]
    rejected = []
    for path in files:
        frames, rate = soundfile.read(path, dtype="float32", always_2d=True)
        if not is_speech(soxr.resample(frames.mean(axis=1), rate, RATE), RATE):
            rejected.append(path)
    assert files
    assert not rejected
