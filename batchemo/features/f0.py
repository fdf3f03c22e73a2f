"""The fundamental of a voice: candidates by autocorrelation, and the likeliest way through them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from batchemo.common.arrays import Bool, Float32, Float64
from batchemo.features.spectrum import hann, read_only

REFERENCE_HZ = 150.0
"""The pitch in hertz from which semitones are counted: between men's voices and women's."""

_CANDIDATES = 4
# In units of strength: what it takes to be a voice, what a semitone's leap costs on the way, what
# the begin or end of a voice costs, and what an octave higher is worth: a sound that repeats after
# a period repeats after two.
_VOICED, _LEAP, _TURN, _OCTAVE = 0.45, 0.02, 0.1, 0.02
_NEVER = np.float32(9)
_FAINTEST = np.float32(1e-20)
_FEW_STEPS = 8


@dataclass(frozen=True, slots=True)
class PowerFrames:
    """Power spectra, frame by frame, and how they were made."""

    power: Float32
    rate: int
    win_length: int
    """Samples under the Hann window; the transform's length follows from the bins."""

    @property
    def n_fft(self) -> int:
        """The length of the transform."""
        return 2 * (int(self.power.shape[1]) - 1)


@dataclass(frozen=True, slots=True)
class PitchTrack:
    """Frame by frame, the fundamental of a voice where there is one."""

    voiced: Bool
    pitch: Float32
    """In semitones from 150 Hz; means nothing where not voiced."""
    strength: Float32
    """How well the sound repeats after its period, 0 … 1; where not voiced, after any."""


def track_pitch(frames: PowerFrames, audible: Bool, low: float, high: float) -> PitchTrack:
    """The voice between two pitches in hertz, in those frames that are audible."""
    pitch, strength = _candidates(frames, low, high)
    way = _likeliest_way(pitch, strength, audible)
    voiced = way < pitch.shape[1]
    taken = np.arange(len(way)), np.where(voiced, way, strength.argmax(axis=1))
    return PitchTrack(voiced, pitch[taken], strength[taken])


def _candidates(frames: PowerFrames, low: float, high: float) -> tuple[Float32, Float32]:
    """The best few periods of each frame: pitch and strength, (frames, candidates).

    Peaks of the autocorrelation of the windowed frame over that of the window (Boersma, 1993).
    """
    from scipy.fft import irfft

    longest = min(int(frames.rate / low) + 1, frames.n_fft // 2 - 2)
    shortest = min(max(2, int(frames.rate / high)), longest - _CANDIDATES)
    repeats = irfft(frames.power, axis=1)[:, : longest + 2]
    repeats /= np.maximum(repeats[:, :1], _FAINTEST)
    repeats /= _own_repeats(frames.win_length, frames.n_fft)[: longest + 2]
    left, middle, right = (repeats[:, shortest + at : longest + 1 + at] for at in (-1, 0, 1))
    octaves = np.log2(np.arange(shortest, longest + 1, dtype=np.float32) / shortest)
    score = np.where((middle > left) & (middle >= right), middle - _OCTAVE * octaves, -_NEVER)
    best = _highest(score, _CANDIDATES)

    before, peak, after, merit = (table[best] for table in (left, middle, right, score))
    bend = np.minimum(before + after - 2 * peak, np.float32(-1e-6))
    shift = np.clip((before - after) / (2 * bend), -0.5, 0.5)
    strength = np.clip(peak - (before - after) * shift / 4, 0, 1)
    pitch = 12 * np.log2(frames.rate / REFERENCE_HZ / (best[1] + shortest + shift))
    return pitch.astype(np.float32), np.where(merit > 0, strength, np.float32(0))


def _highest(table: Float32, count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The places, rows and columns, of the highest few of each row, the highest first."""
    left, rows = table.copy(), np.arange(len(table))
    columns = np.empty((len(table), count), np.intp)
    # numpy vectorises the search for one, not the partition that gives all: a fifth of its time.
    for place in range(count):
        columns[:, place] = highest = left.argmax(axis=1)
        left[rows, highest] = -np.inf
    return rows[:, None], columns


def _likeliest_way(pitch: Float32, strength: Float32, audible: Bool) -> NDArray[np.intp]:
    """Which candidate each frame takes, or none (their number): Viterbi's algorithm."""
    frames, none = pitch.shape
    # In double precision: ways of many frames may differ by less than their sums are rounded by.
    cost = np.full((frames, none + 1), -_VOICED)
    possible = (strength > 0) & audible[:, None]
    cost[:, :none] = np.where(possible, -strength - _OCTAVE / 12 * pitch, _NEVER)
    # To each candidate of a frame (first axis) from each of the frame before.
    steps = np.full((none + 1, none + 1, frames - 1), _TURN)
    steps[:none, :none] = _LEAP * np.abs(pitch.T[:, None, 1:] - pitch.T[None, :, :-1])
    steps[none, none] = 0
    steps += cost.T[:, None, 1:]
    totals = _totals(cost[0], steps)
    came = (steps + totals[None, :, :-1]).argmin(axis=1).T.tolist()
    way = [int(totals[:, -1].argmin())]
    for ways in reversed(came):
        way.append(ways[way[-1]])
    return np.array(way[::-1], np.intp)


def _totals(first: Float64, steps: Float64) -> Float64:
    """What the cheapest way to each candidate of each frame costs, (candidates, frames).

    Two steps are made one, for all frames at once, and two of these again: frame by frame, numpy
    would take most of its time to get ready. The frames in between are filled in afterwards.
    """
    states, count = len(steps), steps.shape[2]
    totals = np.empty((states, count + 1))
    totals[:, 0] = first
    if count < _FEW_STEPS:
        for frame in range(count):
            totals[:, frame + 1] = (steps[:, :, frame] + totals[:, frame]).min(axis=1)
        return totals
    even = count // 2 * 2
    early, late = steps[:, :, :even:2], steps[:, :, 1:even:2]
    totals[:, : even + 1 : 2] = _totals(first, (late[:, :, None] + early).min(axis=1))
    totals[:, 1::2] = (steps[:, :, ::2] + totals[:, :count:2]).min(axis=1)
    return totals


@lru_cache
def _own_repeats(win_length: int, n_fft: int) -> Float32:
    """The autocorrelation of the window itself: what its fading takes from each lag."""
    window = hann(win_length, n_fft).astype(np.float64)
    repeats = np.fft.irfft(np.abs(np.fft.rfft(window, 2 * n_fft)) ** 2)[:n_fft]
    # Where next to nothing of the window overlaps itself, there is nothing to divide by.
    return read_only(np.maximum(repeats / repeats[0], 1e-2).astype(np.float32))
