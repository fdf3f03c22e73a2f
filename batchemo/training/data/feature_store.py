"""Features of recordings and of their augmented copies, computed once and kept on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from batchemo.audio import Failure, Window, WindowConfig, read_windows
from batchemo.audio.vad import is_speech
from batchemo.audio.windows import WindowCutter
from batchemo.common.arrays import Float32
from batchemo.common.files import atomic_write
from batchemo.corpora import Example
from batchemo.errors import BatchemoError
from batchemo.evaluation.conditions import CONDITIONS
from batchemo.features import FeatureSet, extract
from batchemo.training.data import augment_audio
from batchemo.training.data.augment_audio import (
    AUGMENTATIONS,
    ORIGINAL,
    augment_recording,
    check_augmentations,
)
from batchemo.training.data.augment_spectrogram import Windows
from batchemo.workers.parallel import map_in_processes

_VERSION = 1
"""Counts the changes of how recordings are heard and kept."""


@dataclass(frozen=True, slots=True)
class Cache:
    """The features that one recipe makes of windows cut in one way: a file for each copy.

    Each file is written whole or not at all, so that any number of processes may share the folder
    and be stopped at any time; a killed one leaves at most the draft that it was writing.
    """

    folder: Path

    def read(self, digest: str, copy: str) -> Float32 | None:
        """Map the features into memory; None where there are none, or the file is damaged."""
        try:
            kept: Float32 = np.load(self._path(digest, copy), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return kept

    def write(self, digest: str, copy: str, features: Float32) -> None:
        """Keep the features (windows, …) of a recording or a copy of it."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(self._path(digest, copy), shared=True, durable=False) as file:
                np.save(file, features, allow_pickle=False)
        except OSError as error:
            raise BatchemoError(
                f"{self.folder}: features cannot be kept there: {error.strerror or error}"
            ) from error

    def _path(self, digest: str, copy: str) -> Path:
        return self.folder / f"{digest}.{copy}.npy"


def open_cache(folder: Path, recipe: FeatureSet, windows: Windows) -> Cache:
    """The part of a folder that belongs to a recipe and a way of cutting; nothing is made yet."""
    key = {
        "recipe": recipe.to_dict(),
        "windows": [float(windows.seconds), float(windows.hop)],
        "versions": [_VERSION, augment_audio.VERSION],
    }
    told = json.dumps(key, sort_keys=True).encode()
    return Cache(folder / f"{recipe.name}-{hashlib.sha256(told).hexdigest()[:16]}")


Progress = Callable[[int, int], None]
"""Told how many recordings are done, and of how many."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureItem:
    """The features (windows, …) of one recording, or of one copy of it; at least one window."""

    example: Example
    copy: str
    """`original`, or what was done to the signal: a name in `AUGMENTATIONS` or in `CONDITIONS`."""
    windows: Float32


@dataclass(frozen=True, slots=True, eq=False)
class FeatureItems:
    """The items, by example and then by copy, and the recordings that give none, with reasons."""

    items: tuple[FeatureItem, ...]
    failures: tuple[tuple[Example, str], ...]


def gather_items(
    examples: Sequence[Example],
    recipe: FeatureSet,
    windows: Windows,
    augmentations: Sequence[str] = (),
    *,
    main_corpus: str | None = None,
    cache: Path,
    jobs: int = 1,
    progress: Progress = lambda done, total: None,
) -> FeatureItems:
    """The items of recordings: found in the cache, or made now and kept there.

    Where a corpus is called home, recordings of others get a single copy of the kinds, by lot. A
    recording that a scan would refuse is left out with its copies, and so is a copy in which
    nothing sounds like speech any more. Stopped at any time, the next call goes on from there.
    """
    check_augmentations(augmentations, [*AUGMENTATIONS, *CONDITIONS])
    if unknown := [example.path for example in examples if not example.digest]:
        raise ValueError(f"{unknown[0]}: has no digest; read_corpus tells it")
    hearing = FeatureMaker(
        recipe, windows, tuple(augmentations), main_corpus, open_cache(cache, recipe, windows)
    )
    missing = [example for example in examples if not hearing.is_kept(example)]
    progress(len(examples) - len(missing), len(examples))
    reasons = {}
    # Closed at once, also when Ctrl-C comes while progress is told: else the processes would first
    # finish all that is waiting.
    with closing(map_in_processes(missing, hearing.hear, jobs)) as made:
        for left, (example, reason) in zip(reversed(range(len(missing))), made, strict=True):
            if reason:
                reasons[example] = reason
            progress(len(examples) - left, len(examples))
    heard = [example for example in examples if example not in reasons]
    return FeatureItems(
        tuple(item for example in heard for item in hearing.items(example)),
        tuple((example, reasons[example]) for example in examples if example in reasons),
    )


def find_main_corpus(examples: Sequence[Example]) -> str:
    """The corpus that others are mixed into: with the most labels, then speakers, then by name."""
    labels: dict[str, set[str]] = {}
    speakers: dict[str, set[str]] = {}
    for example in examples:
        labels.setdefault(example.corpus, set()).add(example.emotion)
        speakers.setdefault(example.corpus, set()).add(example.speaker)
    return min(labels, key=lambda name: (-len(labels[name]), -len(speakers[name]), name))


@dataclass(frozen=True, slots=True)
class FeatureMaker:
    """How the features of recordings are made, and where they are kept."""

    recipe: FeatureSet
    windows: Windows
    augmentations: tuple[str, ...]
    main_corpus: str | None
    """The corpus whose recordings get all of the copies; None for all corpora."""
    cache: Cache

    def is_kept(self, example: Example) -> bool:
        """Whether nothing is left to be made of a recording."""
        return not self._missing(example)

    def items(self, example: Example) -> Iterator[FeatureItem]:
        """What is kept of a recording; copies without any window are left out."""
        for copy in self._kinds(example):
            kept = self.cache.read(example.digest, copy)
            if kept is not None and len(kept):
                yield FeatureItem(example, copy, np.array(kept))

    def hear(self, example: Example) -> str:
        """Make and keep what is missing of a recording; return why that cannot be, or nothing."""
        rate, seconds, hop = self.recipe.rate, self.windows.seconds, self.windows.hop
        options = WindowConfig(rate=rate, window=seconds, hop=hop)
        try:
            with read_windows(str(example.path), options) as heard:
                windows = list(heard)
        except Failure as failure:
            return str(failure)
        for copy in self._missing(example):
            if copy == ORIGINAL:
                spoken = [window.samples for window in windows if window.speech]
            else:
                signal = augment_recording(copy, _whole(windows, rate), rate, example.digest)
                spoken = self._cut(signal)
            self.cache.write(example.digest, copy, self._features(spoken))
        return ""

    def _missing(self, example: Example) -> list[str]:
        kinds = self._kinds(example)
        return [kind for kind in kinds if self.cache.read(example.digest, kind) is None]

    def _kinds(self, example: Example) -> tuple[str, ...]:
        """What to make of a recording; the digest is the lot."""
        augmentations = self.augmentations
        if augmentations and self.main_corpus not in (None, example.corpus):
            augmentations = (augmentations[int(example.digest[:8], 16) % len(augmentations)],)
        return (ORIGINAL, *augmentations)

    def _cut(self, signal: Float32) -> list[Float32]:
        """The windows of a signal that sound like speech: what a scan would hear of it."""
        rate = self.recipe.rate
        cutter = WindowCutter(round(self.windows.seconds * rate), round(self.windows.hop * rate))
        cut = (samples for _, samples in (*cutter.process(signal), *cutter.finish()))
        return [samples for samples in cut if is_speech(samples, rate)]

    def _features(self, windows: Iterable[Float32]) -> Float32:
        seconds = self.windows.seconds
        features = [extract(self.recipe, samples, seconds) for samples in windows]
        shape = (len(features), *self.recipe.shape(seconds))
        return np.array(features, np.float32).reshape(shape)


def _whole(windows: Sequence[Window], rate: int) -> Float32:
    """The signal that the windows were cut from."""
    pieces, end = [], 0
    for window in windows:
        start = round(window.start * rate)
        pieces.append(window.samples[max(0, end - start) :])
        end = start + len(window.samples)
    return np.concatenate(pieces)
