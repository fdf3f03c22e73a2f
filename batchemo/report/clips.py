"""The first seconds of a recording as a data URL that a browser plays."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np

from batchemo.audio import Failure, open_audio
from batchemo.audio.decode import mix, open_decoder
from batchemo.common.arrays import Float32
from batchemo.common.text import from_text
from batchemo.report.facts import Example

LONGEST = 8.0
"""Seconds of each recording."""
RATE = 16_000


def clip_of(example: Example) -> str | None:
    """Return the beginning of a recording, or turn, as a data URL; None where it cannot be read.

    MP3 and not Opus: every browser plays it, and the same sound gives the same bytes, whereas an
    Ogg file has a random number in each page.
    """
    path = Path(from_text(example.root), from_text(example.file))
    try:
        samples = _first_seconds(path, example.start or 0.0, min(LONGEST, example.duration))
    except (Failure, OSError, MemoryError, ValueError):
        return None
    return f"data:audio/mpeg;base64,{base64.b64encode(_mp3(samples)).decode()}"


def _first_seconds(path: Path, start: float, seconds: float) -> Float32:
    import soxr

    parts: list[Float32] = []
    with open_audio(str(path)) as file:
        decoder = open_decoder(file)
        try:
            rate = decoder.sample_rate
            skipped, wanted = round(start * rate), round(seconds * rate)
            for frames in decoder.blocks():
                own = frames[skipped : skipped + wanted]
                skipped = max(0, skipped - len(frames))
                parts.append(mix(own))
                wanted -= len(own)
                if wanted <= 0:
                    break
        finally:
            decoder.close()
    samples: Float32 = soxr.resample(np.concatenate(parts), rate, RATE)
    return np.clip(np.nan_to_num(samples), -1, 1)


def _mp3(samples: Float32) -> bytes:
    import soundfile

    sink = io.BytesIO()
    soundfile.write(
        sink,
        samples,
        RATE,
        format="MP3",
        subtype="MPEG_LAYER_III",
        # About 22 KB for eight seconds: 60 clips make two megabytes.
        compression_level=0.7,
        bitrate_mode="VARIABLE",
    )
    return sink.getvalue()
