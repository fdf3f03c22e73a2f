"""The melody of a voice: how high it is, how it moves, and how its phrases rise and fall."""

from __future__ import annotations

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.features.f0 import Voice
from batchemo.features.statistics import (
    PERCENTILES,
    mean_and_spread,
    percentiles,
    runs,
    trend,
)

NAMES = (
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


def intonation(voice: Voice, level: Float32) -> Float32:
    """`NAMES` in semitones, all 0 without a voice; glides are from one frame to the next."""
    if np.count_nonzero(voice.voiced) < _FEWEST:
        return np.zeros(len(NAMES), np.float32)
    told = [*_pitch(voice, level), *_glides(voice), *_phrases(voice)]
    return np.array(told, np.float32)


def _pitch(voice: Voice, level: Float32) -> list[float]:
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


def _glides(voice: Voice) -> list[float]:
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


def _phrases(voice: Voice) -> list[float]:
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
