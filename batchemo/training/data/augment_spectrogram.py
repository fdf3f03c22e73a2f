"""Random changes of log-mel spectrograms on the fly, so that no two epochs are alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchemo.common.arrays import Float32

FLOOR_MARGIN = 0.01
"""A frame is padding if all its bands lie this close to the floor, or below it."""
MIXUP_ALPHA = 0.2
"""Of the beta distribution of mixing weights: most items are mixed in very little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectrogramAugmentation:
    """How far spectrograms are changed. Levels are in the spectrogram's own units."""

    frames: int = 240
    """The length of every result: longer spectrograms are cropped, shorter ones padded."""
    floor: float = -2.0
    """The value of padding."""
    time_warp: float = 0.15
    band_warp: float = 0.06
    tilt: float = 0.12
    """The standard deviation of the random equaliser."""
    noise_share: float = 0.15
    """The share of spectrograms that get a noise floor."""
    noise_range: tuple[float, float] = (-1.5, 0.0)
    masks: int = 2
    max_time_mask: int = 16
    max_band_mask: int = 7


def is_signal(frames: npt.NDArray[np.floating], floor: float) -> npt.NDArray[np.bool_]:
    """Return for each frame whether it is signal: padding lies at the floor in all bands.

    >>> is_signal(np.array([[-2.0, 1.0], [-2.0, -2.0]]), floor=-2.0).tolist()
    [True, False]
    """
    above_floor: npt.NDArray[np.bool_] = frames.max(axis=1) > floor + FLOOR_MARGIN
    return above_floor


def unpadded_length(spectrogram: npt.NDArray[np.floating], floor: float) -> int:
    """Return the number of frames before the padding at the end; at least one."""
    signal_frames = np.flatnonzero(is_signal(spectrogram, floor))
    return int(signal_frames[-1]) + 1 if len(signal_frames) else 1


def augment_spectrogram(
    spectrogram: Float32, config: SpectrogramAugmentation, random: np.random.Generator
) -> Float32:
    """Return a spectrogram warped, filtered, masked, and cropped or padded to `config.frames`."""
    signal = _warp_time(spectrogram[: unpadded_length(spectrogram, config.floor)], config, random)
    signal = _warp_bands(signal, config, random)
    signal = signal + config.tilt * _smooth_curve(signal.shape[1], random)
    if random.random() < config.noise_share:
        level = random.uniform(*config.noise_range)
        noise = level + config.tilt * _smooth_curve(len(signal.T), random)
        signal = np.maximum(signal, noise + 0.1 * random.normal(size=signal.shape))
    # Kept clear of the floor: no frame of signal may become padding to the net.
    np.maximum(signal, config.floor + 2 * FLOOR_MARGIN, out=signal)
    _mask(signal, config, random)
    padded = np.full((config.frames, signal.shape[1]), config.floor, np.float32)
    padded[: len(signal)] = signal
    return padded


def mix_up(
    windows: Float32, targets: Float32, random: np.random.Generator
) -> tuple[Float32, Float32]:
    """Mix each window of a batch, and its target, with another one (Zhang et al., 2018)."""
    others = random.permutation(len(windows))
    weights = random.beta(MIXUP_ALPHA, MIXUP_ALPHA, size=len(windows)).astype(np.float32)
    # At least half of each stays: so the loss of an item is still mostly that of its own class.
    weights = np.maximum(weights, 1 - weights)
    a, b = weights.reshape(-1, *[1] * (windows.ndim - 1)), weights[:, None]
    return (
        a * windows + (1 - a) * windows[others],
        b * targets + (1 - b) * targets[others],
    )


def _warp_time(
    spectrogram: Float32, config: SpectrogramAugmentation, random: np.random.Generator
) -> Float32:
    """Stretch or compress time, and crop at a random position to what fits."""
    step = 1 + random.uniform(-config.time_warp, config.time_warp)
    length = max(1, round(len(spectrogram) / step))
    start = random.integers(0, max(1, length - config.frames + 1))
    positions = (start + np.arange(min(length, config.frames))) * step
    return _interpolate(spectrogram, np.minimum(positions, len(spectrogram) - 1))


def _warp_bands(
    spectrogram: Float32, config: SpectrogramAugmentation, random: np.random.Generator
) -> Float32:
    """Stretch or compress frequency, as a longer or a shorter vocal tract does."""
    bands = spectrogram.shape[1]
    step = 1 + random.uniform(-config.band_warp, config.band_warp)
    positions = np.minimum(np.arange(bands) * step, bands - 1)
    warped: Float32 = _interpolate(spectrogram.T, positions).T
    return warped


def _interpolate(rows: Float32, positions: npt.NDArray[np.floating]) -> Float32:
    """Return the rows at fractional positions, interpolated linearly."""
    below = positions.astype(np.intp)
    above = np.minimum(below + 1, len(rows) - 1)
    share = (positions - below).astype(np.float32)[:, None]
    interpolated: Float32 = rows[below] * (1 - share) + rows[above] * share
    return interpolated


def _smooth_curve(length: int, random: np.random.Generator, knots: int = 5) -> Float32:
    values = random.normal(size=knots)
    curve = np.interp(np.linspace(0, knots - 1, length), np.arange(knots), values)
    return curve.astype(np.float32)


def _mask(
    spectrogram: Float32, config: SpectrogramAugmentation, random: np.random.Generator
) -> None:
    """Set stripes of time and of frequency to the mean, in place (SpecAugment, Park et al.)."""
    frames, bands = spectrogram.shape
    mean = spectrogram.mean()
    for _ in range(config.masks):
        # At most a quarter of the frames: a mask must not cover a short recording.
        length = random.integers(0, min(config.max_time_mask, frames // 4) + 1)
        start = random.integers(0, frames - length + 1)
        spectrogram[start : start + length] = mean
        width = random.integers(0, config.max_band_mask + 1)
        lowest = random.integers(0, bands - width + 1)
        spectrogram[:, lowest : lowest + width] = mean
