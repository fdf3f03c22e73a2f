"""The corpora of the benchmarks: the given recordings, and others that are made of them.

In the work folder:

    few/                 12 of the given recordings
    cuts/                500 different segments of one second
    short-20000/         links to the cuts, with as many names as asked for
    short-1000/          the same, a twentieth of them
    long-3/              recordings of an hour each
    mix/                 many lengths, rates and formats
    NAME-part-N/         a part of a corpus, for slow contenders
    NAME.unfinished/     a corpus whose making was interrupted; it is made again
"""

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

Samples = npt.NDArray[np.int16]

FEW = 12
"""Recordings of the run that measures the cost of a start."""
DIFFERENT = 500
"""Short recordings with different content; a large corpus has more names than that."""
SHORT_SECONDS = 1.0
HOUR = 3600.0
TYPICAL_SECONDS = 3.0
"""For slow contenders long recordings are cut so that N of them have the length of N typical
recordings."""
EXTENSIONS = (".wav", ".flac", ".ogg", ".mp3")


@dataclass(frozen=True)
class Folder:
    """A folder of recordings, and their number and length."""

    path: Path
    recordings: int
    minutes: float


@dataclass(frozen=True)
class Corpora:
    """All corpora. `few` and `thousand` are only for the cost of a start and of a file."""

    given: Folder
    few: Folder
    short: Folder
    thousand: Folder
    long: Folder
    mix: Folder
    work: Path

    def part(self, folder: Folder, max_recordings: int) -> Folder:
        """Return a part of a corpus; of long recordings, shorter ones.

        The mix is returned whole: a part of it would have other lengths and formats.
        """
        if folder is self.mix:
            return folder
        seconds = TYPICAL_SECONDS * max_recordings
        if folder is not self.long:
            place = self.work / f"{folder.path.name}-part-{max_recordings}"
            return part_of(folder, max_recordings, place)
        if folder.minutes * 60 <= seconds:
            return folder
        files = audio_files(self.given.path)
        lengths = [seconds / folder.recordings] * folder.recordings
        place = self.work / f"long-part-{max_recordings}"
        return make_once(place, lambda target: make_long(files, target, lengths))


def make_corpora(recordings: Path, work: Path, *, short: int, hours: int) -> Corpora:
    """Make the corpora that are not in the work folder yet, and return all."""
    work.mkdir(parents=True, exist_ok=True)
    given = measure_folder(recordings)
    files = audio_files(recordings)
    cuts = audio_files(make_once(work / "cuts", lambda target: make_short(files, target)).path)

    def linked(count: int) -> Folder:
        return make_once(work / f"short-{count}", lambda target: link(cuts, target, count))

    lengths = [HOUR] * hours
    return Corpora(
        given=given,
        few=part_of(given, FEW, work / "few"),
        short=linked(short),
        thousand=linked(max(1, short // 20)),
        long=make_once(work / f"long-{hours}", lambda target: make_long(files, target, lengths)),
        mix=make_once(work / "mix", lambda target: make_mix(files, cuts, target)),
        work=work,
    )


def measure_folder(path: Path) -> Folder:
    """Count the recordings of a folder and their length."""
    seconds = [soundfile.info(str(file)).duration for file in audio_files(path)]
    return Folder(path, len(seconds), sum(seconds) / 60)


def audio_files(folder: Path) -> list[Path]:
    """Return the recordings of a folder, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS)


def part_of(folder: Folder, max_recordings: int, place: Path) -> Folder:
    """Return a folder of some of the recordings, evenly spaced."""
    if folder.recordings <= max_recordings:
        return folder
    files = audio_files(folder.path)
    chosen = [files[i * len(files) // max_recordings] for i in range(max_recordings)]
    return make_once(place, lambda target: link(chosen, target))


def make_once(place: Path, make: Callable[[Path], None]) -> Folder:
    """Return the folder at `place`, made now if it is not there.

    It has another name until it is complete, so that an interrupted run leaves no part of it.
    """
    if not place.exists():
        unfinished = place.with_name(f"{place.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        make(unfinished)
        unfinished.rename(place)
    return measure_folder(place)


def link(files: Sequence[Path], folder: Path, count: int | None = None) -> None:
    """Link files into a folder under new names, or copy them where the disk has no links.

    With `count` there are that many names, and each file has several if necessary.
    """
    sources = islice(cycle(files), len(files) if count is None else count)
    for number, file in enumerate(sources):
        # A thousand files per folder, as tools that list single folders get slow beyond that.
        name = folder / f"{number // 1000:02d}" / f"{number:05d}{file.suffix}"
        name.parent.mkdir(exist_ok=True)
        try:
            os.link(file, name)
        except OSError:
            shutil.copyfile(file, name)


def make_short(recordings: Sequence[Path], folder: Path) -> None:
    """Write the loudest second of each recording, then less loud ones until there are enough."""
    for number, file in zip(range(DIFFERENT), cycle(recordings), strict=False):
        samples, rate = soundfile.read(file, dtype="int16", always_2d=True)
        length, level = round(SHORT_SECONDS * rate), np.abs(samples[:, 0].astype(np.int32))
        starts = range(0, max(1, len(level) - length), rate // 20)
        by_level = sorted(starts, key=lambda start: -int(level[start : start + length].sum()))
        start = by_level[min(number // len(recordings), len(by_level) - 1)]
        name = folder / f"{number:05d}.wav"
        soundfile.write(name, samples[start : start + length], rate, subtype="PCM_16")


def make_long(recordings: Sequence[Path], folder: Path, seconds: Sequence[float]) -> None:
    """Write one long recording of each length, each of the recordings in a different order."""
    for number, length in enumerate(seconds):
        rate = soundfile.info(str(recordings[0])).samplerate
        with soundfile.SoundFile(folder / f"{number}.wav", "w", rate, 1, "PCM_16") as out:
            for piece in repeated(recordings[number:], round(length * rate)):
                out.write(piece)


def repeated(recordings: Sequence[Path], count: int) -> Iterator[Samples]:
    """Yield the samples of the recordings, again and again, `count` samples in all."""
    for file in cycle(recordings):
        samples = soundfile.read(file, dtype="int16", always_2d=True)[0][:count, 0]
        yield samples
        count -= len(samples)
        if count <= 0:
            return


def make_mix(recordings: Sequence[Path], short: Sequence[Path], folder: Path) -> None:
    """Write lengths, rates and formats as they are in a folder that has grown over years."""
    short_folder, long_folder = folder / "short", folder / "long"
    short_folder.mkdir()
    long_folder.mkdir()
    link(short[:400], short_folder)
    for number, file in enumerate(recordings[:200]):
        samples, rate = soundfile.read(file, dtype="int16")
        extension, step = (("flac", 1), ("ogg", 1), ("mp3", 1), ("wav", 3))[number % 4]
        _write(folder / f"{number:03d}.{extension}", samples[::step], rate // step)
    make_long(recordings, long_folder, (600.0, 90.0, 90.0, 30.0))


def _write(path: Path, samples: Samples, rate: int) -> None:
    options: dict[str, Any] = {} if path.suffix in (".ogg", ".mp3") else {"subtype": "PCM_16"}
    soundfile.write(path, samples, rate, **options)
