"""The corpora that are measured on: the recordings as given, and what is cut and joined of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

Sound = npt.NDArray[np.int16]

FEW = 12
"""Recordings of the run that tells what the start costs."""
DIFFERENT = 500
"""Short recordings that differ; the others of a large folder are names for the same bytes."""
SHORT = 1.0
LIKE_ONE = 3.0
"""Seconds of a long recording that count as one, where only a part of it is heard."""
HOUR = 3600.0
ENDINGS = (".wav", ".flac", ".ogg", ".mp3")


@dataclass(frozen=True)
class Folder:
    """A folder of recordings, and how much there is in it."""

    path: Path
    recordings: int
    minutes: float


def measured(path: Path) -> Folder:
    """Count a folder's recordings and their length."""
    seconds = [soundfile.info(str(file)).duration for file in files_of(path)]
    return Folder(path, len(seconds), sum(seconds) / 60)


def files_of(folder: Path) -> list[Path]:
    """The recordings of a folder, in order."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)


def part_of(whole: Folder, most: int, place: Path) -> Folder:
    """Some recordings of a folder, evenly spaced: as links where the disk has them, else copies."""
    if whole.recordings <= most:
        return whole
    files = files_of(whole.path)
    chosen = [files[number * len(files) // most] for number in range(most)]
    return made(place, lambda folder: link(chosen, folder))


def made(place: Path, make: Callable[[Path], None]) -> Folder:
    """The folder at `place`, made now if it is not there: under another name until it is whole."""
    if not place.exists():
        unfinished = place.with_name(f"{place.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        make(unfinished)
        unfinished.rename(place)
    return measured(place)


def link(files: Sequence[Path], folder: Path, count: int | None = None) -> None:
    """Give files new names in a folder; with a `count`, so many, each file again and again."""
    names = islice(cycle(files), len(files) if count is None else count)
    for number, file in enumerate(names):
        name = folder / f"{number // 1000:02d}" / f"{number:05d}{file.suffix}"
        name.parent.mkdir(exist_ok=True)
        try:
            os.link(file, name)
        except OSError:
            shutil.copyfile(file, name)


def make_short(recordings: Sequence[Path], folder: Path) -> None:
    """The loudest second of each recording, and other seconds of it until there are enough."""
    for number, file in zip(range(DIFFERENT), cycle(recordings), strict=False):
        sound, rate = soundfile.read(file, dtype="int16", always_2d=True)
        length, mono = round(SHORT * rate), np.abs(sound[:, 0].astype(np.int32))
        steps = range(0, max(1, len(mono) - length), rate // 20)
        by_level = sorted(steps, key=lambda start: -int(mono[start : start + length].sum()))
        start = by_level[min(number // len(recordings), len(by_level) - 1)]
        name = folder / f"{number:05d}.wav"
        soundfile.write(name, sound[start : start + length], rate, subtype="PCM_16")


def make_long(recordings: Sequence[Path], folder: Path, seconds: Sequence[float]) -> None:
    """Recordings joined to long ones, each in another order."""
    for number, length in enumerate(seconds):
        rate = soundfile.info(str(recordings[0])).samplerate
        with soundfile.SoundFile(folder / f"{number}.wav", "w", rate, 1, "PCM_16") as out:
            for piece in pieces(recordings[number:], round(length * rate)):
                out.write(piece)


def pieces(recordings: Sequence[Path], samples: int) -> Iterator[Sound]:
    """The sound of recordings, again and again, until there are so many samples."""
    for file in cycle(recordings):
        sound = soundfile.read(file, dtype="int16", always_2d=True)[0][:samples, 0]
        yield sound
        samples -= len(sound)
        if samples <= 0:
            return


def make_mix(recordings: Sequence[Path], short: Sequence[Path], folder: Path) -> None:
    """Lengths, rates and formats as a folder holds them that has grown over years."""
    lengths = folder / "short", folder / "long"
    for each in lengths:
        each.mkdir()
    link(short[:400], lengths[0])
    for number, file in enumerate(recordings[:200]):
        sound, rate = soundfile.read(file, dtype="int16")
        ending, every = (("flac", 1), ("ogg", 1), ("mp3", 1), ("wav", 3))[number % 4]
        _write(folder / f"{number:03d}.{ending}", sound[::every], rate // every)
    make_long(recordings, lengths[1], (600.0, 90.0, 90.0, 30.0))


def _write(path: Path, sound: Sound, rate: int) -> None:
    options: dict[str, Any] = {} if path.suffix in (".ogg", ".mp3") else {"subtype": "PCM_16"}
    soundfile.write(path, sound, rate, **options)


@dataclass(frozen=True)
class Corpora:
    """All of them, by name; `few` tells what the start of each command costs."""

    given: Folder
    few: Folder
    short: Folder
    thousand: Folder
    long: Folder
    mix: Folder
    work: Path

    def part(self, of: Folder, most: int) -> Folder:
        """Some of a folder, for what is too slow for all; of long recordings beginnings.

        The mix stays whole: some of it would be another mix.
        """
        if of is self.mix:
            return of
        seconds = LIKE_ONE * most
        if of is not self.long:
            return part_of(of, most, self.work / f"{of.path.name}-part-{most}")
        if of.minutes * 60 <= seconds:
            return of
        files = files_of(self.given.path)
        place = self.work / f"long-part-{most}"
        each = [seconds / of.recordings] * of.recordings
        return made(place, lambda folder: make_long(files, folder, each))


def gather(recordings: Path, work: Path, *, short: int, hours: int) -> Corpora:
    """Make what is not there yet."""
    work.mkdir(parents=True, exist_ok=True)
    given = measured(recordings)
    files = files_of(recordings)
    cuts = files_of(made(work / "cuts", lambda folder: make_short(files, folder)).path)

    def names(count: int) -> Folder:
        return made(work / f"short-{count}", lambda folder: link(cuts, folder, count))

    return Corpora(
        given=given,
        few=part_of(given, FEW, work / "few"),
        short=names(short),
        thousand=names(max(1, short // 20)),
        long=made(work / f"long-{hours}", lambda folder: make_long(files, folder, [HOUR] * hours)),
        mix=made(work / "mix", lambda folder: make_mix(files, cuts, folder)),
        work=work,
    )
