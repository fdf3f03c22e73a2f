"""Measures a recording while it streams by: its level, its clipping, its silence."""

from __future__ import annotations

import math

import numpy as np

from batchemo.common.arrays import Float32

FRAME_SECONDS = 0.02
FLOOR_DB = -120.0
# Frames are counted by their level in steps of 1 dB, so that any length needs the same memory.
_STEPS = 160
_RUN = 3
_LOUD_SHARE = 0.05
_SILENT_BELOW_LOUD = 40.0
_SILENT_BELOW = -70.0


def decibels(power: float) -> float:
    """Power as dBFS, a square wave at full scale being 0.

    >>> decibels(1.0), decibels(0.0)
    (0.0, -120.0)
    """
    return max(FLOOR_DB, 10 * math.log10(power)) if power > 0 else FLOOR_DB


class LevelMeter:
    """The level of a signal: as a whole, at its loudest 20 ms, and how much of it is silent."""

    def __init__(self, rate: int) -> None:
        self._frame = round(rate * FRAME_SECONDS)
        self._rest: Float32 = np.empty(0, np.float32)
        self._samples = 0
        self._energy = 0.0
        self._loudest = 0.0
        self._counts = np.zeros(_STEPS, np.int64)

    def hear(self, piece: Float32) -> None:
        """Take the next piece of the signal."""
        if len(self._rest):
            piece = np.concatenate((self._rest, piece))
        whole = len(piece) // self._frame * self._frame
        self._count(piece[:whole].reshape(-1, self._frame))
        self._rest = piece[whole:].copy()

    def finish(self) -> None:
        """Count what is left of the signal, less than a frame, as a frame of its own."""
        if len(self._rest):
            self._count(self._rest.reshape(1, -1))
            self._rest = self._rest[:0]

    def _count(self, frames: Float32) -> None:
        if not frames.size:
            return
        energies = np.einsum("ij,ij->i", frames, frames).astype(np.float64)
        powers = energies / frames.shape[1]
        self._samples += frames.size
        self._energy += float(energies.sum())
        self._loudest = max(self._loudest, float(powers.max()))
        levels = 10 * np.log10(np.maximum(powers, 1e-12)) - FLOOR_DB
        steps = np.minimum(levels.astype(np.int64), _STEPS - 1)
        self._counts += np.bincount(steps, minlength=_STEPS)

    @property
    def rms_db(self) -> float | None:
        """The level of all that was heard, in dBFS."""
        return decibels(self._energy / self._samples) if self._samples else None

    @property
    def loudest_db(self) -> float:
        """The level of the loudest frame, in dBFS."""
        return decibels(self._loudest)

    @property
    def silence(self) -> float | None:
        """The share of silent frames: 40 dB below the loudest twentieth, or below -70 dBFS."""
        total = int(self._counts.sum())
        if not total:
            return None
        from_loudest = np.cumsum(self._counts[::-1])
        loud = _STEPS - 1 - int(np.searchsorted(from_loudest, _LOUD_SHARE * total))
        threshold = max(_SILENT_BELOW, loud + FLOOR_DB - _SILENT_BELOW_LOUD)
        return float(self._counts[: int(threshold - FLOOR_DB)].sum()) / total


class ClipMeter:
    """The share of samples in runs of three or more at full scale, on the file's own channels."""

    def __init__(self, full_scale: float) -> None:
        self._full_scale = full_scale
        self._samples = 0
        self._clipped = 0

    def hear(self, frames: Float32, peak: float) -> None:
        """Take the next (frames, channels) block, whose peak is known."""
        self._samples += frames.size
        if peak < self._full_scale:
            return
        full = np.abs(frames) >= self._full_scale
        if len(full) < _RUN:
            return
        starts = full[:-2] & full[1:-1] & full[2:]
        inside = np.zeros_like(full)
        for shift in range(_RUN):
            inside[shift : len(full) - _RUN + 1 + shift] |= starts
        self._clipped += int(np.count_nonzero(inside))

    @property
    def clipped(self) -> float | None:
        """The share so far; a run cut by the border of two blocks may count for less."""
        return self._clipped / self._samples if self._samples else None


def peak_of(frames: Float32) -> float:
    """The largest magnitude; NaN where a sample is NaN."""
    return float(max(frames.max(), -frames.min())) if frames.size else 0.0
