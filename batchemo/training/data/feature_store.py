"""Features of recordings and of their augmented copies, computed once and kept on disk.

    FOLDER/
      FEATURES-KEY/               one feature set on windows of one length and hop
        DIGEST.VARIANT.npy        the features (windows, ...) of one recording in one variant

KEY is a hash of all that the numbers depend on but the signal, DIGEST that of the decoded signal,
VARIANT `original` or the name of an augmentation or condition. A file without windows stands for a
variant in which no speech was found. Files are written whole or not at all, so that any number of
processes may share the folder and be stopped at any time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

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
from batchemo.training.data.encoding import Encoder
from batchemo.workers.parallel import map_in_processes

_VERSION = 1
"""Counts the changes of how recordings are read and features are stored."""

TWIN = "twin"
"""The variant of a recording that is the recording itself, as in a corpus that has it twice."""

Failures: TypeAlias = tuple[tuple[Example, str], ...]
"""Recordings without features, and the reasons."""
OnProgress: TypeAlias = Callable[[int, int], None]
"""Called with how many recordings are done, and of how many."""


def ignore_progress(done: int, total: int) -> None:
    """Do nothing: the `on_progress` of callers who want to know nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureItem:
    """The features (windows, ...) of one variant of a recording; at least one window."""

    example: Example
    variant: str
    """`original`, or a name in `AUGMENTATIONS` or in `CONDITIONS`."""
    windows: Float32


@dataclass(frozen=True, slots=True, eq=False)
class FeatureItems:
    """The items, by recording and then by variant, and the recordings without any."""

    items: tuple[FeatureItem, ...]
    failures: Failures


def gather_items(
    examples: Sequence[Example],
    features: FeatureSet,
    windows: WindowConfig,
    variants: Sequence[str] = (),
    *,
    main_corpus: str | None = None,
    encoder: Encoder | None = None,
    folder: Path,
    jobs: int = 1,
    on_progress: OnProgress = ignore_progress,
) -> FeatureItems:
    """Return the items of recordings and of their variants; what is not stored is computed.

    With a main corpus, recordings of other corpora get one of the variants each. A recording that
    a scan would refuse is left out with all variants, and so is a variant without any speech.
    With an encoder, the items hold its vectors instead of the features.
    Stopped at any time, the next call goes on from there.
    """
    check_augmentations(variants, [*AUGMENTATIONS, *CONDITIONS])
    if without_digest := [example.path for example in examples if not example.digest]:
        raise ValueError(f"{without_digest[0]}: has no digest; read_corpus computes it")
    store = open_store(folder, features, windows, encoder)
    maker = FeatureMaker(features, windows, tuple(variants), main_corpus, store, encoder)
    missing = [example for example in examples if not maker.is_stored(example)]
    on_progress(len(examples) - len(missing), len(examples))
    reasons = {}
    # Closed at once, also when Ctrl-C comes during on_progress: else the processes would first
    # finish all that is waiting.
    with closing(map_in_processes(missing, maker.make, jobs)) as results:
        for left, (example, reason) in zip(reversed(range(len(missing))), results, strict=True):
            if reason:
                reasons[example] = reason
            on_progress(len(examples) - left, len(examples))
    usable = [example for example in examples if example not in reasons]
    return FeatureItems(
        tuple(item for example in usable for item in maker.items(example)),
        tuple((example, reasons[example]) for example in examples if example in reasons),
    )


def find_main_corpus(examples: Sequence[Example]) -> str:
    """Return the corpus with the most labels, then the most speakers, then the first by name."""
    labels: dict[str, set[str]] = {}
    speakers: dict[str, set[str]] = {}
    for example in examples:
        labels.setdefault(example.corpus, set()).add(example.emotion)
        speakers.setdefault(example.corpus, set()).add(example.speaker)
    return min(labels, key=lambda name: (-len(labels[name]), -len(speakers[name]), name))


def with_twins(items: Sequence[FeatureItem]) -> tuple[FeatureItem, ...]:
    """Return the items, and each original again, as in corpora that hold each file twice."""
    twins = [replace(item, variant=TWIN) for item in items if item.variant == ORIGINAL]
    return (*items, *twins)


@dataclass(frozen=True, slots=True)
class FeatureStore:
    """The stored features of one feature set and window configuration."""

    folder: Path

    def read(self, digest: str, variant: str) -> Float32 | None:
        """Map features into memory; None where there are none, or the file is damaged."""
        path = self._path(digest, variant)
        try:
            features: Float32 = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return features

    def write(self, digest: str, variant: str, features: Float32) -> None:
        """Store the features (windows, ...) of a variant of a recording."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # Not durable: after a power cut, what is lost is computed again.
            with atomic_write(self._path(digest, variant), shared=True, durable=False) as file:
                np.save(file, features, allow_pickle=False)
        except OSError as error:
            raise BatchemoError(
                f"{self.folder}: features cannot be kept there: {error.strerror or error}"
            ) from error

    def _path(self, digest: str, variant: str) -> Path:
        return self.folder / f"{digest}.{variant}.npy"


def open_store(
    folder: Path, features: FeatureSet, windows: WindowConfig, encoder: Encoder | None = None
) -> FeatureStore:
    """Return the part of a folder for a feature set and its windows; nothing is created yet."""
    key: dict[str, object] = {
        "features": features.to_dict(),
        # As floats: 1 and 1.0 s are the same windows.
        "windows": [float(windows.window), float(windows.hop)],
        "versions": [_VERSION, augment_audio.VERSION],
    }
    if encoder is not None:
        key["encoder"] = encoder.digest()
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return FeatureStore(folder / f"{features.name}-{digest[:16]}")


@dataclass(frozen=True, slots=True)
class FeatureMaker:
    """Computes and stores the features of recordings; sent to worker processes as a whole."""

    features: FeatureSet
    windows: WindowConfig
    variants: tuple[str, ...]
    main_corpus: str | None
    """The corpus whose recordings get all variants; None for all corpora."""
    store: FeatureStore
    encoder: Encoder | None = None

    def is_stored(self, example: Example) -> bool:
        """Whether nothing of a recording is left to compute."""
        return not self._missing(example)

    def items(self, example: Example) -> Iterator[FeatureItem]:
        """Yield the stored items of a recording; variants without any window are left out."""
        for variant in self._variants_of(example):
            features = self.store.read(example.digest, variant)
            if features is not None and len(features):
                yield FeatureItem(example, variant, np.array(features))

    def make(self, example: Example) -> str:
        """Compute and store what is missing of a recording; return why that fails, or nothing."""
        rate = self.windows.rate
        try:
            with read_windows(str(example.path), self.windows) as reader:
                windows = list(reader)
        except Failure as failure:
            return str(failure)
        for variant in self._missing(example):
            if variant == ORIGINAL:
                speech = [window.samples for window in windows if window.speech]
            else:
                signal = _join_windows(windows, rate)
                speech = self._cut(augment_recording(variant, signal, rate, example.digest))
            self.store.write(example.digest, variant, self._extract(speech))
        return ""

    def _missing(self, example: Example) -> list[str]:
        variants = self._variants_of(example)
        return [name for name in variants if self.store.read(example.digest, name) is None]

    def _variants_of(self, example: Example) -> tuple[str, ...]:
        """Return the variants of a recording; outside the main corpus its digest draws one."""
        variants = self.variants
        if variants and self.main_corpus not in (None, example.corpus):
            variants = (variants[int(example.digest[:8], 16) % len(variants)],)
        return (ORIGINAL, *variants)

    def _cut(self, signal: Float32) -> list[Float32]:
        """Return the windows of a signal with speech: those that a scan would analyse."""
        rate = self.windows.rate
        cutter = WindowCutter(round(self.windows.window * rate), round(self.windows.hop * rate))
        windows = (samples for _, samples in (*cutter.process(signal), *cutter.finish()))
        return [samples for samples in windows if is_speech(samples, rate)]

    def _extract(self, windows: Iterable[Float32]) -> Float32:
        seconds = self.windows.window
        features = [extract(self.features, samples, seconds) for samples in windows]
        # Reshaped: an empty list would lose the shape of a window.
        shape = (len(features), *self.features.shape(seconds))
        stacked = np.array(features, np.float32).reshape(shape)
        return stacked if self.encoder is None else self.encoder.encode(stacked)


def _join_windows(windows: Sequence[Window], rate: int) -> Float32:
    """Return the signal that overlapping windows were cut from."""
    pieces, end = [], 0
    for window in windows:
        start = round(window.start * rate)
        pieces.append(window.samples[max(0, end - start) :])
        end = start + len(window.samples)
    return np.concatenate(pieces)
