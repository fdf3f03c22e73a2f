"""Statistics of the prosody in a window: intonation (pitch over time) and rhythm (voicing)."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from batchemo.common.arrays import Bool, Float32
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

_FEWEST = 5
"""Frames that it takes to tell a melody, or to be a phrase."""
_LEAP = 3.0
"""Semitones from frame to frame beyond which no voice glides: the pitch was mistaken."""
_LEAST_SPREAD = 0.1


def intonation(voice: PitchTrack, level: Float32) -> Float32:
    """`INTONATION_NAMES` in semitones, 0 without a voice; glides are from frame to frame."""
    if np.count_nonzero(voice.voiced) < _FEWEST:
        return np.zeros(len(INTONATION_NAMES), np.float32)
    told = [*_pitch(voice, level), *_glides(voice), *_phrases(voice)]
    return np.array(told, np.float32)


def _pitch(voice: PitchTrack, level: Float32) -> list[float]:
    """How high, how far apart, to which side; rising or falling; higher where louder."""
    pitch, loudness = voice.pitch[voice.voiced], level[voice.voiced]
    heights = percentiles(pitch)
    mean, spread = mean_and_spread(pitch)
    centred = pitch - mean
    energy = 10 ** (loudness / 10)
    return [
        mean,
        spread,
        *heights,
        heights[4] - heights[0],
        heights[3] - heights[1],
        (centred**3).sum() / len(pitch) / max(spread, _LEAST_SPREAD) ** 3,
        float(trend(voice.pitch, voice.voiced)),
        energy @ centred / energy.sum(),
        centred @ (loudness - loudness.mean()) / len(pitch),
    ]


def _glides(voice: PitchTrack) -> list[float]:
    """How the pitch moves from frame to frame within a voice."""
    both = voice.voiced[1:] & voice.voiced[:-1]
    glide = (voice.pitch[1:] - voice.pitch[:-1])[both]
    glide = glide[np.abs(glide) < _LEAP]
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
    """How the pitch runs within stretches of voice, and from the first to the last."""
    stretches = [voice.pitch[begin:end] for begin, end in runs(voice.voiced).tolist()]
    phrases = [stretch for stretch in stretches if len(stretch) >= _FEWEST]
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
    """How much a line through a track rises from frame to frame."""
    frames = len(track)
    times = np.arange((1 - frames) / 2, frames / 2)
    return float(times @ track) / (frames * (frames**2 - 1) / 12)


_WAVES = (0.5, 1, 2, 3, 4, 6, 8, 12, 16, 25)
"""In hertz, between which the level's waves are measured: phrases, words, syllables, sounds."""

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
    *(f"waves_{low:g}_{high:g}" for low, high in pairwise(_WAVES)),
)

_LOUD, _HIGH = -25.0, -20.0
"""In dB: above the one, a frame is loud; above the other, a peak may be a syllable."""
_SYLLABLE = 0.13
"""Seconds over which the level is smoothed before its peaks are counted."""
_FAINT = 1e-3


def rhythm(voiced: Bool, level: Float32, frame_rate: float) -> Float32:
    """`RHYTHM_NAMES` of the frames of a window: seconds, how often a second, dB."""
    told = [*_stretches(voiced, frame_rate), *_peaks(level, frame_rate)]
    told.append(np.count_nonzero(level > _LOUD) / len(level))
    return np.array([*told, *_waves(level, frame_rate)], np.float32)


def _stretches(voiced: Bool, frame_rate: float) -> list[float]:
    """How long the voice sounds, how often it begins, and how long it pauses."""
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
    """How often the level peaks, how high, and how unevenly."""
    hump = _hump(max(1, round(_SYLLABLE * frame_rate / 2)))
    edge = np.ones(len(hump) // 2)
    smooth = np.convolve(np.concatenate([level[0] * edge, level, level[-1] * edge]), hump, "valid")
    middle = smooth[1:-1]
    peaking = (middle > smooth[:-2]) & (middle >= smooth[2:]) & (middle > _HIGH)
    at = np.flatnonzero(peaking) + 1
    return [
        len(at) * frame_rate / len(level),
        *mean_and_spread(smooth[at]),
        mean_and_spread((at[1:] - at[:-1]) / frame_rate)[1],
    ]


@lru_cache
def _hump(half: int) -> NDArray[np.float64]:
    """What smooths: weights that sum up to 1."""
    hump: NDArray[np.float64] = np.hanning(2 * half + 1)
    hump /= hump.sum()
    return hump


def _waves(level: Float32, frame_rate: float) -> Float32:
    """The logarithm of the power of the level's waves, band by band."""
    frames = len(level)
    points = max(512, 1 << (frames - 1).bit_length())
    waves = np.fft.rfft((level - level.mean()) * np.hanning(frames), points)
    power = np.square(np.abs(waves)) / frames
    edges = _edges(points, frame_rate)
    below = np.concatenate([[0], np.cumsum(power)])[edges]
    means = (below[1:] - below[:-1]) / np.maximum(1, edges[1:] - edges[:-1])
    told: Float32 = np.log(means + _FAINT)
    return told


@lru_cache
def _edges(points: int, frame_rate: float) -> NDArray[np.intp]:
    """Where the bands of `_WAVES` begin and end in a transform of so many points."""
    return np.searchsorted(np.fft.rfftfreq(points, 1 / frame_rate), _WAVES)
