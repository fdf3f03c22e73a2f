"""What a recording sounds like, as a number: the same for every copy of it."""

from __future__ import annotations

import hashlib
from contextlib import closing
from pathlib import Path

from batchemo.audio import open_audio
from batchemo.audio.decode import Decoder


def signal_digest(path: Path) -> str:
    """SHA-256 of the rate, the number of channels and all decoded samples of a recording.

    Raises `batchemo.audio.Failure` for what cannot be decoded, as a scan does.
    """
    with open_audio(str(path)) as file, closing(Decoder(file)) as sound:
        sound.check()
        digest = hashlib.sha256(f"{sound.sample_rate} {sound.channels}\n".encode())
        for block in sound.blocks():
            digest.update(block.astype("<f4", copy=False).tobytes())
        return digest.hexdigest()
