"""Augments log-mel spectrograms on the fly, so that no two epochs are alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchemo.common.arrays import Float32


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """How recordings are cut."""

    seconds: float
    hop: float


def sounding(frames: npt.NDArray[np.floating], floor: float) -> npt.NDArray[np.bool_]:
    """Which frames are no padding, which lies at the floor in all bands.

    >>> sounding(np.array([[-2.0, 1.0], [-2.0, -2.0]]), floor=-2.0).tolist()
    [True, False]
    """
    heard: npt.NDArray[np.bool_] = frames.max(axis=1) > floor + FLOOR_MARGIN
    return heard


def sound_length(picture: npt.NDArray[np.floating], floor: float) -> int:
    """The number of frames before the padding at the end; at least one."""
    places = np.flatnonzero(sounding(picture, floor))
    return int(places[-1]) + 1 if len(places) else 1


FLOOR_MARGIN = 0.01
"""A frame whose bands all lie this close to the floor holds no sound."""


MIXUP_ALPHA = 0.2
"""Of the distribution of how much is blended in: mostly little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """How far pictures are changed. Levels are in the picture's own units."""

    frames: int = 240
    """The length of every training picture: longer ones are cropped, shorter ones padded."""
    floor: float = -2.0
    """What padding is made of."""
    time_warp: float = 0.15
    band_warp: float = 0.06
    tilt: float = 0.12
    """The spread of the random equaliser."""
    noise_share: float = 0.15
    """The share of pictures that get a noise floor."""
    noise_range: tuple[float, float] = (-1.5, 0.0)
    masks: int = 2
    longest_time_mask: int = 16
    widest_band_mask: int = 7


def change_picture(picture: Float32, how: Augmentation, random: np.random.Generator) -> Float32:
    """One picture, warped, filtered, masked, and cropped or padded to `how.frames`."""
    picture = _warp_time(picture[: sound_length(picture, how.floor)], how, random)
    picture = _warp_bands(picture, how, random)
    picture = picture + how.tilt * _smooth_curve(picture.shape[1], random)
    if random.random() < how.noise_share:
        noise = random.uniform(*how.noise_range) + how.tilt * _smooth_curve(len(picture.T), random)
        picture = np.maximum(picture, noise + 0.1 * random.normal(size=picture.shape))
    np.maximum(picture, how.floor + 2 * FLOOR_MARGIN, out=picture)
    _mask(picture, how, random)
    whole = np.full((how.frames, picture.shape[1]), how.floor, np.float32)
    whole[: len(picture)] = picture
    return whole


def mix_up(
    pictures: Float32, targets: Float32, random: np.random.Generator
) -> tuple[Float32, Float32]:
    """Blend each picture, and its target, with another of the same batch."""
    others = random.permutation(len(pictures))
    weights = random.beta(MIXUP_ALPHA, MIXUP_ALPHA, size=len(pictures)).astype(np.float32)
    weights = np.maximum(weights, 1 - weights)
    a, b = weights.reshape(-1, *[1] * (pictures.ndim - 1)), weights[:, None]
    return (
        a * pictures + (1 - a) * pictures[others],
        b * targets + (1 - b) * targets[others],
    )


def _warp_time(picture: Float32, how: Augmentation, random: np.random.Generator) -> Float32:
    """Played slower or faster, then cropped at random to what fits."""
    step = 1 + random.uniform(-how.time_warp, how.time_warp)
    length = max(1, round(len(picture) / step))
    start = random.integers(0, max(1, length - how.frames + 1))
    at = np.minimum((start + np.arange(min(length, how.frames))) * step, len(picture) - 1)
    return _between(picture, at)


def _warp_bands(picture: Float32, how: Augmentation, random: np.random.Generator) -> Float32:
    """As if by a longer or a shorter vocal tract."""
    bands = picture.shape[1]
    stretch = 1 + random.uniform(-how.band_warp, how.band_warp)
    warped: Float32 = _between(picture.T, np.minimum(np.arange(bands) * stretch, bands - 1)).T
    return warped


def _between(rows: Float32, at: Float32) -> Float32:
    """The rows at fractional places, by linear interpolation."""
    below = at.astype(np.intp)
    above = np.minimum(below + 1, len(rows) - 1)
    share = (at - below).astype(np.float32)[:, None]
    between: Float32 = rows[below] * (1 - share) + rows[above] * share
    return between


def _smooth_curve(length: int, random: np.random.Generator, knots: int = 5) -> Float32:
    values = random.normal(size=knots)
    curve = np.interp(np.linspace(0, knots - 1, length), np.arange(knots), values)
    return curve.astype(np.float32)


def _mask(picture: Float32, how: Augmentation, random: np.random.Generator) -> None:
    """SpecAugment: stripes of the picture's mean, in place."""
    frames, bands = picture.shape
    mean = picture.mean()
    for _ in range(how.masks):
        long = random.integers(0, min(how.longest_time_mask, frames // 4) + 1)
        start = random.integers(0, frames - long + 1)
        picture[start : start + long] = mean
        wide = random.integers(0, how.widest_band_mask + 1)
        lowest = random.integers(0, bands - wide + 1)
        picture[:, lowest : lowest + wide] = mean
