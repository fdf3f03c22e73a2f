"""A made corpus of tiny voices with file names as in RAVDESS."""

from __future__ import annotations

from pathlib import Path

from voices import write_voice

EMOTIONS = range(1, 9)


def make_actor(folder: Path, actor: int) -> list[Path]:
    """Write one recording of each emotion, all with different signals that pass for speech."""
    return [
        write_voice(
            folder / f"Actor_{actor:02d}" / f"03-01-{emotion:02d}-01-01-01-{actor:02d}.wav",
            seed=36 + 8 * (actor - 1) + emotion,
        )
        for emotion in EMOTIONS
    ]


def make_ravdess(folder: Path) -> Path:
    """Write the recordings of four actors, two of each gender."""
    for actor in (1, 2, 3, 4):
        make_actor(folder, actor)
    return folder
