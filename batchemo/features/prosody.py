"""Statistics of the prosody in a window: intonation (pitch over time) and rhythm (voicing)."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np

from batchemo.common.arrays import Bool, Float32, Float64, Index
from batchemo.features.f0 import PitchTrack
from batchemo.features.statistics import (
    PERCENTILES,
    mean_and_spread,
    percentiles,
    runs,
    trend,
)

INTONATION_NAMES = (
    "pitch_mean",
    "pitch_spread",
    *(f"pitch_p{percent}" for percent in PERCENTILES),
    "pitch_range",
    "pitch_middle_range",
    "pitch_skew",
    "pitch_trend",
    "pitch_when_loud",
    "pitch_with_level",
    "glide_mean",
    "glide_spread",
    *(f"glide_p{percent}" for percent in PERCENTILES),
    "glide_size",
    "glide_rising",
    "glide_rise",
    "glide_fall",
    "glide_jitter",
    "phrase_slope_mean",
    "phrase_slope_spread",
    "phrase_range_mean",
    "phrase_range_largest",
    "phrase_spread",
    "phrase_last_over_first",
    "phrase_last_over_mean",
)

_MODULATION_EDGES = (0.5, 1, 2, 3, 4, 6, 8, 12, 16, 25)
"""In hertz: the bands of the level's modulation, from phrases and words to syllables and sounds."""

RHYTHM_NAMES = (
    "voiced_share",
    "voiced_mean",
    "voiced_spread",
    "voiced_longest",
    "voiced_rate",
    "gap_mean",
    "gap_spread",
    "peak_rate",
    "peak_mean",
    "peak_spread",
    "peak_unevenness",
    "loud_share",
    *(f"waves_{low:g}_{high:g}" for low, high in pairwise(_MODULATION_EDGES)),
)

_MIN_FRAMES = 5
"""Voiced frames below which there is no intonation, and below which a stretch is no phrase."""
_MAX_GLIDE = 3.0
"""Semitones from frame to frame: no voice glides faster, so that more is an octave error."""
_MIN_SPREAD = 0.1
"""Semitones; the skew of a monotone voice would be a quotient of rounding errors."""
_LOUD_DB, _PEAK_DB = -25.0, -20.0
"""Levels above which a frame is loud, and above which a peak may be a syllable."""
_SYLLABLE_SECONDS = 0.13
"""Width of the smoothing before peaks are counted: shorter than a syllable and its pause."""
_MIN_MODULATION = 1e-3
"""Power added before the logarithm: a constant level has no modulation."""


def intonation(voice: PitchTrack, level: Float32) -> Float32:
    """Return `INTONATION_NAMES` in semitones, all 0 without a voice; glides are frame to frame."""
    if np.count_nonzero(voice.voiced) < _MIN_FRAMES:
        return np.zeros(len(INTONATION_NAMES), np.float32)
    values = [*_pitch_statistics(voice, level), *_glide_statistics(voice), *_phrases(voice)]
    return np.array(values, np.float32)


def _pitch_statistics(voice: PitchTrack, level: Float32) -> list[float]:
    """Return location, spread, skew and trend of the pitch, and how it depends on the level."""
    pitch, loudness = voice.pitch[voice.voiced], level[voice.voiced]
    quantiles = percentiles(pitch)
    mean, spread = mean_and_spread(pitch)
    centred = pitch - mean
    energy = 10 ** (loudness / 10)
    return [
        mean,
        spread,
        *quantiles,
        quantiles[4] - quantiles[0],
        quantiles[3] - quantiles[1],
        (centred**3).sum() / len(pitch) / max(spread, _MIN_SPREAD) ** 3,
        float(trend(voice.pitch, voice.voiced)),
        energy @ centred / energy.sum(),
        centred @ (loudness - loudness.mean()) / len(pitch),
    ]


def _glide_statistics(voice: PitchTrack) -> list[float]:
    """Return how the pitch moves from one voiced frame to the next."""
    both = voice.voiced[1:] & voice.voiced[:-1]
    glide = (voice.pitch[1:] - voice.pitch[:-1])[both]
    glide = glide[np.abs(glide) < _MAX_GLIDE]
    if len(glide) < 2:
        glide = np.zeros(2, np.float32)
    rising, falling = glide[glide > 0], glide[glide < 0]
    rise, fall = float(rising.sum()), float(falling.sum())
    return [
        *mean_and_spread(glide),
        *percentiles(glide),
        (rise - fall) / len(glide),
        len(rising) / len(glide),
        rise / max(1, len(rising)),
        fall / max(1, len(falling)),
        float(np.abs(glide[1:] - glide[:-1]).sum()) / (len(glide) - 1),
    ]


def _phrases(voice: PitchTrack) -> list[float]:
    """Return how the pitch runs within voiced stretches, and from the first to the last."""
    stretches = [voice.pitch[begin:end] for begin, end in runs(voice.voiced).tolist()]
    phrases = [stretch for stretch in stretches if len(stretch) >= _MIN_FRAMES]
    if not phrases:
        return [0.0] * 7
    ranges = [float(phrase.max() - phrase.min()) for phrase in phrases]
    means = [float(phrase.sum()) / len(phrase) for phrase in phrases]
    return [
        *mean_and_spread(np.array([_slope(phrase) for phrase in phrases])),
        sum(ranges) / len(ranges),
        max(ranges),
        float(mean_and_spread(np.array(means))[1]),
        means[-1] - means[0],
        means[-1] - float(voice.pitch[voice.voiced].mean()),
    ]


def _slope(track: Float32) -> float:
    """Return the slope of a line fitted to a track, per frame."""
    frames = len(track)
    times = np.arange((1 - frames) / 2, frames / 2)
    # The divisor is the sum of the squares of `times`, in closed form.
    return float(times @ track) / (frames * (frames**2 - 1) / 12)


def rhythm(voiced: Bool, level: Float32, frame_rate: float) -> Float32:
    """Return `RHYTHM_NAMES` of the frames of a window, in seconds, per second and dB."""
    values = [*_voicing_statistics(voiced, frame_rate), *_peaks(level, frame_rate)]
    values.append(np.count_nonzero(level > _LOUD_DB) / len(level))
    return np.array([*values, *_modulation(level, frame_rate)], np.float32)


def _voicing_statistics(voiced: Bool, frame_rate: float) -> list[float]:
    """Return how long voiced stretches last, how often they begin, and how long pauses last."""
    found = runs(voiced)
    lengths = (found[:, 1] - found[:, 0]) / frame_rate
    gaps = (found[1:, 0] - found[:-1, 1]) / frame_rate
    return [
        np.count_nonzero(voiced) / len(voiced),
        *mean_and_spread(lengths),
        lengths.max(initial=0),
        len(found) * frame_rate / len(voiced),
        *mean_and_spread(gaps),
    ]


def _peaks(level: Float32, frame_rate: float) -> list[float]:
    """Return how often the level peaks, how high, and how unevenly: an estimate of syllables."""
    kernel = _smoothing_kernel(max(1, round(_SYLLABLE_SECONDS * frame_rate / 2)))
    edge = np.ones(len(kernel) // 2)
    # Padded with the outermost levels: zeros would be a peak, as 0 dB is loud here.
    padded = np.concatenate([level[0] * edge, level, level[-1] * edge])
    smooth = np.convolve(padded, kernel, "valid")
    middle = smooth[1:-1]
    is_peak = (middle > smooth[:-2]) & (middle >= smooth[2:]) & (middle > _PEAK_DB)
    at = np.flatnonzero(is_peak) + 1
    return [
        len(at) * frame_rate / len(level),
        *mean_and_spread(smooth[at]),
        mean_and_spread((at[1:] - at[:-1]) / frame_rate)[1],
    ]


@lru_cache
def _smoothing_kernel(half: int) -> Float64:
    """Return a Hann window whose weights sum up to 1."""
    kernel: Float64 = np.hanning(2 * half + 1)
    kernel /= kernel.sum()
    return kernel


def _modulation(level: Float32, frame_rate: float) -> Float32:
    """Return the log power of the level's modulation in the bands of `_MODULATION_EDGES`."""
    frames = len(level)
    # At least 512 points, so that each band holds bins also in a short window.
    points = max(512, 1 << (frames - 1).bit_length())
    transform = np.fft.rfft((level - level.mean()) * np.hanning(frames), points)
    power = np.square(np.abs(transform)) / frames
    edges = _band_edges(points, frame_rate)
    cumulative = np.concatenate([[0], np.cumsum(power)])[edges]
    means = (cumulative[1:] - cumulative[:-1]) / np.maximum(1, edges[1:] - edges[:-1])
    log_power: Float32 = np.log(means + _MIN_MODULATION)
    return log_power


@lru_cache
def _band_edges(points: int, frame_rate: float) -> Index:
    """Return the bins at which the bands of `_MODULATION_EDGES` begin and end."""
    return np.searchsorted(np.fft.rfftfreq(points, 1 / frame_rate), _MODULATION_EDGES)
