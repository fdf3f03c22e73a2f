"""A made corpus: tones that glide up or down stand for emotions, in a folder with a manifest."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE = 16000


def glide(rises: bool, seconds: float, random: np.random.Generator) -> np.ndarray:
    """A voice-like tone, with overtones and some hiss, that rises or falls."""
    time = np.arange(round(seconds * RATE)) / RATE
    pitch = 200 * 2 ** (time / seconds if rises else 1 - time / seconds)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    tone = sum(np.sin(k * phase) / k for k in range(1, 8))
    return 0.1 * tone + random.normal(scale=0.003, size=len(time))


@pytest.fixture
def made_corpora(tmp_path: Path) -> Path:
    """A folder as `read_corpora` takes it: 12 recordings of "ravdess", 6 of "nemo"."""
    folder = tmp_path / "corpora"
    random = np.random.default_rng(0)
    rows = []
    for corpus, speakers in (("ravdess", range(1, 4)), ("nemo", range(4, 7))):
        (folder / corpus).mkdir(parents=True)
        for speaker in speakers:
            for emotion in ("sad", "happy", "sad", "happy")[: 4 if corpus == "ravdess" else 2]:
                name = f"{corpus}/{len(rows):02d}.wav"
                sound = glide(emotion == "happy", random.uniform(0.8, 1.6), random)
                soundfile.write(folder / name, sound, RATE)
                rows.append([name, corpus, f"{corpus}-{speaker:02d}", "female", emotion, "normal"])
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "corpus", "speaker", "gender", "emotion", "intensity"])
        writer.writerows(rows)
    return folder
