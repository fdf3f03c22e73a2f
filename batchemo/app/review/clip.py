"""The sound of a recording, or of a part of it, as a browser can play it."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from batchemo.audio import REASONS, Failure, open_audio
from batchemo.audio.failure import failure_of_machine
from batchemo.common.arrays import Float32
from batchemo.common.text import from_text
from batchemo.sources import Recording
from batchemo.tables.labels import Key
from batchemo.workers import heartbeat
from batchemo.workers.executor import ChunkResult

CONTEXT = 1.0
"""Seconds before and after a part of a recording that are played with it."""
LONGEST = 120.0
"""Seconds that are sent at most: nobody listens longer for one answer."""
MAX_RATE = 24_000
TIMEOUT = 60.0
"""Seconds that a worker may take to decode a clip."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A WAV file of 16 bits, or why there is none."""

    wav: bytes = b""
    start: float = 0.0
    """Where it begins in the recording, in seconds."""
    is_cut: bool = False
    """Whether more than `LONGEST` seconds were left out."""
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """Seconds of a recording; to its end where `end` is None."""

    start: float
    end: float | None


def range_of(key: Key) -> Range:
    """Return what is played of a recording or window: with a second before and after it.

    >>> range_of(Key("/data", "a.wav", 1.5, 4.5))
    Range(start=0.5, end=5.5)
    """
    start = max(0.0, (key.start or 0.0) - CONTEXT)
    return Range(start, None if key.end is None else key.end + CONTEXT)


def path_below_root(key: Key) -> tuple[str, str] | None:
    """Return the real root and path of a recording; None where it does not lie below its root.

    A table may come from somebody else: names in it must lead to no other file, and no link may.
    """
    root, file = from_text(key.root), from_text(key.file)
    parts = PurePosixPath(file).parts
    if not os.path.isabs(root) or file.startswith("/") or ".." in parts or "\0" in root + file:
        return None
    real_root = os.path.realpath(root)
    path = os.path.realpath(os.path.join(real_root, file))
    if os.path.commonpath([real_root, path]) != real_root:
        return None
    return real_root, os.path.relpath(path, real_root)


def cut_clips(wanted: Range, recordings: Sequence[Recording]) -> ChunkResult[Clip]:
    """Cut the clip out of each recording, in a worker process."""
    clips = []
    for recording in recordings:
        try:
            with heartbeat.monitored(recording, TIMEOUT):
                clips.append(_cut(recording.path, wanted))
        except (OSError, MemoryError) as error:
            clips.append(lost_clip(recording, failure_of_machine(error).reason, ""))
        except Failure as failure:
            clips.append(lost_clip(recording, failure.reason, failure.detail))
    return ChunkResult(tuple(clips))


def lost_clip(recording: Recording, reason: str, detail: str) -> Clip:
    """Return a clip that says why there is none.

    >>> lost_clip(Recording("/data", "a.wav", None, None), "empty", "").failure
    'The file has no bytes at all.'
    """
    return Clip(failure=REASONS[reason])


def _cut(path: str, wanted: Range) -> Clip:
    from batchemo.audio.decode import mix, open_decoder

    with open_audio(path) as file:
        decoder = open_decoder(file)
        try:
            rate = decoder.sample_rate
            first = round(wanted.start * rate)
            longest = first + round(LONGEST * rate)
            last = longest if wanted.end is None else min(round(wanted.end * rate), longest)
            parts, position = [], 0
            for frames in decoder.blocks():
                parts.append(mix(frames[max(0, first - position) : max(0, last - position)]))
                position += len(frames)
                if position > last:
                    break
        finally:
            decoder.close()
    samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    if not len(samples):
        raise Failure("truncated", "the recording ends before this part of it")
    is_cut = last == longest and position > last
    return Clip(_wav(samples, rate), first / rate, is_cut)


def _wav(samples: Float32, rate: int) -> bytes:
    import soundfile
    import soxr

    if rate > MAX_RATE:
        samples, rate = soxr.resample(samples, rate, MAX_RATE), MAX_RATE
    samples = np.nan_to_num(samples, posinf=1.0, neginf=-1.0)
    sink = io.BytesIO()
    soundfile.write(sink, np.clip(samples, -1, 1), rate, format="WAV", subtype="PCM_16")
    return sink.getvalue()
