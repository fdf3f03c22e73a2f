"""Makes `examples/recordings`, speech by espeak-ng, and `examples/broken`, files that have none.

    python examples/make_recordings.py [FOLDER]

The same files come out every time, given the same version of espeak-ng.
"""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile
import soxr

HERE = Path(__file__).parent
SAMPLE = Path(__file__).parents[1] / "batchemo" / "app" / "assets" / "sample.flac"
"""The recording to try the page with: several of the voices, one after another."""
README = """\
Made by `examples/make_recordings.py` for batchemo: synthetic voices (espeak-ng), tones and noise.
Dedicated to the public domain (CC0 1.0); no person was recorded.
"""

# name: text, pitch (0-99), words a minute, amplitude (0-200), sample rate, subtype, channels
VOICES = {
    "calm 16 kHz": ("The kids are talking by the door.", 35, 130, 80, 16_000, "PCM_16", 1),
    "excited 44.1 kHz": ("We won! I can hardly believe it!", 85, 220, 180, 44_100, "PCM_16", 1),
    "flat 48 kHz": ("The train leaves at a quarter past nine.", 20, 160, 100, 48_000, "PCM_16", 1),
    "hurried 24-bit": ("Come quickly, the milk boils over!", 70, 260, 150, 22_050, "PCM_24", 1),
    "low 8-bit": ("Dogs are sitting by the door.", 10, 140, 160, 11_025, "PCM_U8", 1),
    "soft float": ("I am so sorry to hear that.", 45, 110, 20, 24_000, "FLOAT", 1),
    "stereo": ("One voice, heard a little more on the left.", 55, 170, 120, 32_000, "PCM_16", 2),
    "telephone µ-law": ("Hello? Is anybody there?", 60, 150, 120, 8_000, "ULAW", 1),
}


def main(folder: Path) -> None:
    """Write both folders below `folder`."""
    voices, broken = folder / "recordings" / "voices", folder / "broken"
    for part in (voices, broken):
        part.mkdir(parents=True, exist_ok=True)
    for name, (text, pitch, speed, amplitude, rate, subtype, channels) in VOICES.items():
        voice = speak(text, pitch, speed, amplitude, rate)
        gains = np.linspace(1, 0.4, channels)
        write(voices / f"{name}.wav", np.outer(voice, gains), rate, subtype)
    write_broken(broken)
    write_sample(voices, SAMPLE if folder == HERE else folder / SAMPLE.name)
    for part in (voices.parent, broken):
        (part / "README").write_text(README, encoding="utf-8")


def speak(text: str, pitch: int, speed: int, amplitude: int, rate: int) -> np.ndarray:
    """The text as espeak-ng says it, at the sample rate."""
    options = ["-p", str(pitch), "-s", str(speed), "-a", str(amplitude), "-v", "en", "--stdout"]
    said = subprocess.run(["espeak-ng", *options, text], check=True, capture_output=True)
    voice, own_rate = soundfile.read(io.BytesIO(said.stdout), dtype="float32")
    return soxr.resample(voice, own_rate, rate)


def write_sample(voices: Path, path: Path) -> None:
    """Write voices that differ, with pauses between them, as one recording."""
    pieces = []
    for name in ("soft float", "excited 44.1 kHz", "calm 16 kHz"):
        sound, rate = soundfile.read(voices / f"{name}.wav", dtype="float32")
        sound = soxr.resample(sound, rate, 16_000)
        pieces += [0.5 * sound / np.abs(sound).max(), np.zeros(8_000, np.float32)]
    soundfile.write(path, np.concatenate(pieces), 16_000, subtype="PCM_16")


def write_broken(folder: Path) -> None:
    """Write files that cannot be analysed, each for another reason."""
    chance = np.random.default_rng(1)
    seconds = np.arange(2 * 16_000) / 16_000
    write(folder / "tone.wav", 0.3 * np.sin(2 * np.pi * 440 * seconds), 16_000)
    write(folder / "noise.wav", 0.1 * chance.standard_normal(2 * 16_000), 16_000)
    write(folder / "silence.wav", np.zeros(2 * 8_000), 8_000)
    write(folder / "header only.wav", np.zeros(0), 16_000)
    write(folder / "too short.wav", speak("No.", 50, 300, 100, 16_000)[:2_000], 16_000)
    cut_off = folder / "truncated.wav"
    write(cut_off, speak("This sentence was cut off in the middle.", 50, 170, 100, 16_000), 16_000)
    cut_off.write_bytes(cut_off.read_bytes()[: cut_off.stat().st_size // 2])


def write(path: Path, sound: np.ndarray, rate: int, subtype: str = "PCM_16") -> None:
    """Write a wav file."""
    soundfile.write(path, sound, rate, subtype=subtype)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
