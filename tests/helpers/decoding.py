"""Decodes a whole recording with batchemo's own decoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from batchemo.audio import open_audio
from batchemo.audio.decode import open_decoder


def decode(path: Path) -> np.ndarray:
    """Return all frames, of shape (frames, channels); raise `Failure` for an incomplete file."""
    with open_audio(str(path)) as file:
        decoder = open_decoder(file)
        try:
            decoder.check()
            return np.concatenate(list(decoder.blocks()))
        finally:
            decoder.close()
