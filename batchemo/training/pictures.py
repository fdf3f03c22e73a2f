"""From recordings to the pictures that a net learns from: the same windows as a scan hears."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from batchemo.audio import ListenOptions, listen
from batchemo.audio.windows import WindowCutter
from batchemo.features import Recipe, extract
from batchemo.training.corpora import EMOTIONS, Example

Float32: TypeAlias = npt.NDArray[np.float32]
Float16: TypeAlias = npt.NDArray[np.float16]
Variant: TypeAlias = Callable[[Float32, int, np.random.Generator], Float32]
"""(signal, rate, random) → the signal as it might have been recorded otherwise."""

WHOLE_SECONDS = 600.0
"""Training recordings are heard as one window; none is longer than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """How recordings are cut."""

    seconds: float
    hop: float


@dataclass(frozen=True, slots=True)
class Clip:
    """What one recording offers to learning: pictures of its windows, of each of its variants."""

    example: Example
    pictures: tuple[Float16, ...]

    @property
    def label(self) -> int:
        """The place of its emotion among the classes."""
        return EMOTIONS.index(self.example.emotion)


def make_clip(
    example: Example,
    recipe: Recipe,
    windows: Windows,
    variants: Sequence[Variant],
    random: np.random.Generator,
) -> Clip:
    """The pictures of a recording as it is, and of its variants."""
    signal = hear_whole(example, recipe.rate)
    signals = [signal, *(variant(signal, recipe.rate, random) for variant in variants)]
    pictures = (p for heard in signals for p in _pictures(heard, recipe, windows))
    return Clip(example, tuple(picture.astype(np.float16) for picture in pictures))


def make_clips(
    examples: Sequence[Example],
    recipe: Recipe,
    windows: Windows,
    variants: Mapping[str, Sequence[Variant]],
    *,
    seed: int,
) -> Iterator[Clip]:
    """The clips of many recordings, each with the variants that its corpus gets."""
    for example in examples:
        random = np.random.default_rng([seed, *example.path.name.encode()])
        yield make_clip(example, recipe, windows, variants[example.corpus], random)


def hear_whole(example: Example, rate: int) -> Float32:
    """All of a recording's signal, as a scan would hear it."""
    options = ListenOptions(rate=rate, window=WHOLE_SECONDS, hop=WHOLE_SECONDS)
    with listen(str(example.path), options) as heard:
        return np.concatenate([window.samples for window in heard])


def _pictures(signal: Float32, recipe: Recipe, windows: Windows) -> Iterator[Float32]:
    cutter = WindowCutter(round(windows.seconds * recipe.rate), round(windows.hop * recipe.rate))
    for _, samples in (*cutter.feed(signal), *cutter.finish()):
        picture = extract(recipe, samples, windows.seconds)
        yield picture[: sound_length(picture)]


def sound_length(picture: npt.NDArray[np.floating]) -> int:
    """The number of frames before the padding, which is all at the floor; at least one."""
    sounding = np.flatnonzero(picture.max(axis=1) > picture.min() + FLOOR_MARGIN)
    return int(sounding[-1]) + 1 if len(sounding) else 1


FLOOR_MARGIN = 0.01
"""A frame whose bands all lie this close to the floor holds no sound."""
