"""The fundamental frequency of a voice: autocorrelation candidates and a Viterbi search.

The method is that of Praat: P. Boersma, "Accurate short-term analysis of the fundamental
frequency and the harmonics-to-noise ratio of a sampled sound", IFA Proceedings 17 (1993).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from batchemo.common.arrays import Bool, Float32, Float64, Index
from batchemo.features.spectrum import hann, read_only

REFERENCE_HZ = 150.0
"""The pitch from which semitones are counted: between typical voices of men and women."""

_CANDIDATES = 4
# The costs of a path, in units of strength (the height of the autocorrelation's peak, 0 … 1);
# Praat's parameters of the same names in brackets.
_VOICING_THRESHOLD = 0.45  # strength below which a frame is unvoiced [voicing threshold]
_JUMP_COST = 0.02  # for each semitone between frames [octave-jump cost, for an octave there]
_VOICING_COST = 0.1  # where voicing begins or ends [voiced/unvoiced cost]
# For each octave down: a sound that repeats after one period repeats after two as well, and
# without a cost the lower octave would often win by rounding [octave cost].
_OCTAVE_COST = 0.02
_IMPOSSIBLE = np.float32(9)
"""A cost that no path of possible candidates reaches in a frame."""
_MIN_ENERGY = np.float32(1e-20)
_MIN_PAIRED_STEPS = 8
"""Where the recursion of `_path_costs` ends: below this the plain loop is as fast."""


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
    """The fundamental frequency of each frame in which there is a voice."""

    voiced: Bool
    pitch: Float32
    """In semitones from `REFERENCE_HZ`; meaningless where not voiced."""
    strength: Float32
    """How well the signal repeats after its period, 0 … 1; where not voiced, after any period."""


def track_pitch(frames: PowerFrames, audible: Bool, low: float, high: float) -> PitchTrack:
    """Return the pitch of a voice between two frequencies in hertz, in the audible frames."""
    pitch, strength = _candidates(frames, low, high)
    path = _best_path(pitch, strength, audible)
    voiced = path < pitch.shape[1]
    chosen = np.arange(len(path)), np.where(voiced, path, strength.argmax(axis=1))
    return PitchTrack(voiced, pitch[chosen], strength[chosen])


def _candidates(frames: PowerFrames, low: float, high: float) -> tuple[Float32, Float32]:
    """Return pitch and strength of the best few periods of each frame, (frames, candidates)."""
    from scipy.fft import irfft

    max_lag = min(int(frames.rate / low) + 1, frames.n_fft // 2 - 2)
    min_lag = min(max(2, int(frames.rate / high)), max_lag - _CANDIDATES)
    # The autocorrelation of the windowed frame, divided by that of the window (Boersma 1993,
    # equation 9): the window's fading lowers the peaks of long lags, and the division undoes it.
    correlation = irfft(frames.power, axis=1)[:, : max_lag + 2]
    correlation /= np.maximum(correlation[:, :1], _MIN_ENERGY)
    correlation /= _window_autocorrelation(frames.win_length, frames.n_fft)[: max_lag + 2]
    left, middle, right = (correlation[:, min_lag + at : max_lag + 1 + at] for at in (-1, 0, 1))
    octaves = np.log2(np.arange(min_lag, max_lag + 1, dtype=np.float32) / min_lag)
    is_peak = (middle > left) & (middle >= right)
    score = np.where(is_peak, middle - _OCTAVE_COST * octaves, -_IMPOSSIBLE)
    best = _highest(score, _CANDIDATES)

    # A parabola through each peak and its neighbours: without it, pitch would move in steps of
    # a lag, which at 400 Hz and 16 kHz is almost half a semitone.
    before, peak, after, best_score = (table[best] for table in (left, middle, right, score))
    curvature = np.minimum(before + after - 2 * peak, np.float32(-1e-6))
    shift = np.clip((before - after) / (2 * curvature), -0.5, 0.5)
    strength = np.clip(peak - (before - after) * shift / 4, 0, 1)
    pitch = 12 * np.log2(frames.rate / REFERENCE_HZ / (best[1] + min_lag + shift))
    # Frames with fewer peaks than candidates: the rest has no strength.
    return pitch.astype(np.float32), np.where(best_score > 0, strength, np.float32(0))


def _highest(table: Float32, count: int) -> tuple[Index, Index]:
    """Return rows and columns of the highest few values of each row, the highest first."""
    remaining, rows = table.copy(), np.arange(len(table))
    columns = np.empty((len(table), count), np.intp)
    # One argmax after the other, because numpy vectorises argmax but not argpartition, which
    # would give all of them at once and takes five times as long.
    for place in range(count):
        columns[:, place] = highest = remaining.argmax(axis=1)
        remaining[rows, highest] = -np.inf
    return rows[:, None], columns


def _best_path(pitch: Float32, strength: Float32, audible: Bool) -> Index:
    """Return the candidate of each frame on the cheapest path, by Viterbi's algorithm.

    The number of candidates stands for "unvoiced", which is one more state.
    """
    frames, unvoiced = pitch.shape
    # In double precision: the sums of two paths over many frames may differ by less than what
    # single precision rounds them by, and the choice would depend on the order of summation.
    cost = np.full((frames, unvoiced + 1), -_VOICING_THRESHOLD)
    possible = (strength > 0) & audible[:, None]
    cost[:, :unvoiced] = np.where(possible, -strength - _OCTAVE_COST / 12 * pitch, _IMPOSSIBLE)
    # The cost of a step to each state of a frame (first axis) from each of the frame before.
    steps = np.full((unvoiced + 1, unvoiced + 1, frames - 1), _VOICING_COST)
    steps[:unvoiced, :unvoiced] = _JUMP_COST * np.abs(pitch.T[:, None, 1:] - pitch.T[None, :, :-1])
    steps[unvoiced, unvoiced] = 0
    steps += cost.T[:, None, 1:]
    totals = _path_costs(cost[0], steps)
    # Which state each was reached from, then backwards from the cheapest end. Lists, because
    # indexing an array element by element is slower.
    previous = (steps + totals[None, :, :-1]).argmin(axis=1).T.tolist()
    path = [int(totals[:, -1].argmin())]
    for states in reversed(previous):
        path.append(states[path[-1]])
    return np.array(path[::-1], np.intp)


def _path_costs(first: Float64, steps: Float64) -> Float64:
    """Return the cost of the cheapest path to each state of each frame, (states, frames).

    Pairs of steps are merged into one for all frames at once, and their costs found by recursion;
    the frames in between are filled in afterwards. The plain loop over frames spends most of its
    time on the overhead of numpy's calls on five numbers; this makes a few calls for each
    doubling of the frames instead.
    """
    states, count = len(steps), steps.shape[2]
    totals = np.empty((states, count + 1))
    totals[:, 0] = first
    if count < _MIN_PAIRED_STEPS:
        for frame in range(count):
            totals[:, frame + 1] = (steps[:, :, frame] + totals[:, frame]).min(axis=1)
        return totals
    even = count // 2 * 2
    early, late = steps[:, :, :even:2], steps[:, :, 1:even:2]
    # The cheapest state in between, for each pair of states two frames apart.
    pairs = (late[:, :, None] + early).min(axis=1)
    totals[:, : even + 1 : 2] = _path_costs(first, pairs)
    totals[:, 1::2] = (steps[:, :, ::2] + totals[:, :count:2]).min(axis=1)
    return totals


@lru_cache
def _window_autocorrelation(win_length: int, n_fft: int) -> Float32:
    """Return the autocorrelation of the Hann window, 1 at lag 0."""
    window = hann(win_length, n_fft).astype(np.float64)
    correlation = np.fft.irfft(np.abs(np.fft.rfft(window, 2 * n_fft)) ** 2)[:n_fft]
    # Where the window hardly overlaps itself, division would amplify rounding errors into peaks.
    return read_only(np.maximum(correlation / correlation[0], 1e-2).astype(np.float32))
