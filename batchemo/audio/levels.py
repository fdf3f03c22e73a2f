"""Measures a recording while it is decoded: its level, its clipping, its share of silence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from batchemo.common.arrays import Float32

FRAME_SECONDS = 0.02
FLOOR_DB = -120.0
# Frames are counted by their level in steps of 1 dB, from FLOOR_DB to 40 dB over full scale, so
# that a recording of any length needs the same memory.
_LEVEL_STEPS = 160
# Silence is measured from the loudest twentieth of the frames: a single click, which can be much
# louder than the voice, must not make everything else silent.
_LOUD_SHARE = 0.05
_SILENT_BELOW_LOUD_DB = 40.0
_SILENT_DBFS = -70.0
# One or two samples at full scale can be the peak of an undistorted wave; three in a row are not.
_CLIPPED_RUN = 3


def dbfs(power: float) -> float:
    """Return a mean power in dBFS, where a full-scale square wave is 0.

    >>> dbfs(1.0), dbfs(0.0)
    (0.0, -120.0)
    """
    return max(FLOOR_DB, 10 * math.log10(power)) if power > 0 else FLOOR_DB


def peak_magnitude(frames: Float32) -> float:
    """Return the largest magnitude; NaN if a sample is NaN."""
    # Without np.abs, which would copy the block.
    return float(max(frames.max(), -frames.min())) if frames.size else 0.0


def frame_samples(rate: int) -> int:
    """Return the length of the frames whose level is measured.

    >>> frame_samples(16000)
    320
    """
    return round(rate * FRAME_SECONDS)


class LevelMeter:
    """Measures a mono signal: its level, that of its loudest 20 ms, and its share of silence.

    >>> meter = LevelMeter(16000)
    >>> meter.update(np.ones(8000, np.float32))
    >>> meter.update(np.zeros(8000, np.float32))
    >>> meter.finish()
    >>> meter.loudest_db, meter.silence
    (0.0, 0.5)
    """

    def __init__(self, rate: int) -> None:
        self._frame_samples = frame_samples(rate)
        self._remainder: Float32 = np.empty(0, np.float32)
        self._samples = 0
        self._energy = 0.0
        self._loudest_power = 0.0
        self._counts = np.zeros(_LEVEL_STEPS, np.int64)

    def __getstate__(self) -> tuple[Any, ...]:
        """Return what differs between meters: every turn of a recording has one, to be pickled."""
        levels = self._counts.nonzero()[0].astype(np.uint8)
        counts = self._counts[levels].tobytes(), levels.tobytes()
        rest = self._remainder if len(self._remainder) else None
        return self._frame_samples, self._samples, self._energy, self._loudest_power, counts, rest

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._frame_samples, self._samples, self._energy, self._loudest_power, counts, rest = state
        self._remainder = np.empty(0, np.float32) if rest is None else rest
        self._counts = np.zeros(_LEVEL_STEPS, np.int64)
        self._counts[np.frombuffer(counts[1], np.uint8)] = np.frombuffer(counts[0], np.int64)

    def update(self, samples: Float32) -> None:
        """Add the next samples of the signal."""
        if len(self._remainder):
            samples = np.concatenate((self._remainder, samples))
        complete = len(samples) // self._frame_samples * self._frame_samples
        self._add_frames(samples[:complete].reshape(-1, self._frame_samples))
        # A copy, since a view would keep the whole block alive.
        self._remainder = samples[complete:].copy()

    def add(self, later: LevelMeter) -> None:
        """Add what was measured of the signal that follows; both must be finished."""
        self._samples += later._samples
        self._energy += later._energy
        self._loudest_power = max(self._loudest_power, later._loudest_power)
        self._counts += later._counts

    def finish(self) -> None:
        """Add the samples that are left, less than a frame, as a shorter frame."""
        if len(self._remainder):
            self._add_frames(self._remainder.reshape(1, -1))
            self._remainder = self._remainder[:0]

    def _add_frames(self, frames: Float32) -> None:
        if not frames.size:
            return
        # float64 from here on: the sum over hours of audio would lose quiet frames in float32.
        energies = np.einsum("ij,ij->i", frames, frames).astype(np.float64)
        powers = energies / frames.shape[1]
        self._samples += frames.size
        self._energy += float(energies.sum())
        self._loudest_power = max(self._loudest_power, float(powers.max()))
        levels = 10 * np.log10(np.maximum(powers, 1e-12)) - FLOOR_DB
        steps = np.minimum(levels.astype(np.int64), _LEVEL_STEPS - 1)
        self._counts += np.bincount(steps, minlength=_LEVEL_STEPS)

    @property
    def rms_db(self) -> float | None:
        """The level of the whole signal, in dBFS; None if it is empty."""
        return dbfs(self._energy / self._samples) if self._samples else None

    @property
    def loudest_db(self) -> float:
        """The level of the loudest frame, in dBFS."""
        return dbfs(self._loudest_power)

    @property
    def silence(self) -> float | None:
        """The share of frames 40 dB below the loudest twentieth, or below -70 dBFS."""
        from_loudest = self._counts[::-1].cumsum()
        total = int(from_loudest[-1])
        if not total:
            return None
        loud_step = _LEVEL_STEPS - 1 - int(from_loudest.searchsorted(_LOUD_SHARE * total))
        threshold = max(_SILENT_DBFS, loud_step + FLOOR_DB - _SILENT_BELOW_LOUD_DB)
        louder = from_loudest[_LEVEL_STEPS - 1 - int(threshold - FLOOR_DB)]
        return (total - int(louder)) / total


class ClippingMeter:
    """Measures the share of samples in runs of three or more at full scale, in each channel."""

    def __init__(self, full_scale: float) -> None:
        self._full_scale = full_scale
        self._samples = 0
        self._clipped = 0

    def update(self, frames: Float32, peak: float) -> None:
        """Add the next block, of shape (frames, channels) and known peak magnitude."""
        self._samples += frames.size
        # Most blocks end here, which makes the measure almost free.
        if peak < self._full_scale:
            return
        full = np.abs(frames) >= self._full_scale
        if len(full) < _CLIPPED_RUN:
            return
        run_starts = full[:-2] & full[1:-1] & full[2:]
        in_run = np.zeros_like(full)
        for shift in range(_CLIPPED_RUN):
            in_run[shift : len(full) - _CLIPPED_RUN + 1 + shift] |= run_starts
        self._clipped += int(np.count_nonzero(in_run))

    def add(self, later: ClippingMeter) -> None:
        """Add what was measured of the frames that follow."""
        self._samples += later._samples
        self._clipped += later._clipped

    @property
    def clipped(self) -> float | None:
        """The share so far; a run across two blocks may count for less. None without samples."""
        return self._clipped / self._samples if self._samples else None
