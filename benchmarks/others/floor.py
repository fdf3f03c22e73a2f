"""The floor: read every file, resample it to 16 kHz, on all cores, and nothing else."""

from __future__ import annotations

from multiprocessing import Pool
from pathlib import Path

import soundfile
import soxr

from others.words import options

RATE = 16000
SECONDS_AT_ONCE = 60


def read(path: Path) -> int:
    """The samples at 16 kHz, counted; a long recording is read a minute at a time."""
    count = 0
    with soundfile.SoundFile(path) as sound:
        stream = soxr.ResampleStream(sound.samplerate, RATE, 1, dtype="float32")
        at_once = SECONDS_AT_ONCE * sound.samplerate
        for block in sound.blocks(at_once, dtype="float32", always_2d=True):
            mono = block[:, 0] if sound.channels == 1 else block.mean(axis=1)
            count += len(stream.resample_chunk(mono, last=sound.tell() == sound.frames))
    return count


def main() -> None:
    told = options(__doc__)
    with Pool(told.jobs) as pool:
        print(sum(pool.imap_unordered(read, told.files, chunksize=8)))


if __name__ == "__main__":
    main()
