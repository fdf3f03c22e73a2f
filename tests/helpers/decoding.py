"""Reads a whole recording by batchemo's own decoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from batchemo.audio import open_audio
from batchemo.audio.decode import Decoder


def decode(path: Path) -> np.ndarray:
    """The frames of a file, (frames, channels); `Failure` for one that is not whole."""
    with open_audio(str(path)) as file:
        decoder = Decoder(file)
        try:
            decoder.check()
            return np.concatenate(list(decoder.blocks()))
        finally:
            decoder.close()
