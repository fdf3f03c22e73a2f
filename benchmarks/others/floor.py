"""A lower bound: read every file and resample it to 16 kHz, on all cores, and nothing else.

python -m others.floor FOLDER --jobs 2
"""

from __future__ import annotations

from multiprocessing import Pool
from pathlib import Path

import soundfile
import soxr

from others.options import parse_options

RATE = 16000
BLOCK_SECONDS = 60


def count_samples(path: Path) -> int:
    """Return the number of samples at 16 kHz; long recordings are read in blocks of a minute."""
    count = 0
    with soundfile.SoundFile(path) as file:
        stream = soxr.ResampleStream(file.samplerate, RATE, 1, dtype="float32")
        block_size = BLOCK_SECONDS * file.samplerate
        for block in file.blocks(block_size, dtype="float32", always_2d=True):
            mono = block[:, 0] if file.channels == 1 else block.mean(axis=1)
            count += len(stream.resample_chunk(mono, last=file.tell() == file.frames))
    return count


def main() -> None:
    options = parse_options(__doc__)
    with Pool(options.jobs) as pool:
        print(sum(pool.imap_unordered(count_samples, options.files, chunksize=8)))


if __name__ == "__main__":
    main()
