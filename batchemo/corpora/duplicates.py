"""Finds equal contents under two names: each recording counts once, with one label."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from batchemo.audio import Failure, open_audio
from batchemo.audio.decode import Decoder
from batchemo.common.text import for_display
from batchemo.corpora.example import Duplicate, Example
from batchemo.errors import UsageError


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


@dataclass(frozen=True, slots=True)
class DistinctExamples:
    """Each content once, and what was left out."""

    examples: tuple[Example, ...]
    duplicates: tuple[Duplicate, ...]
    failures: tuple[tuple[Path, str], ...]


def deduplicate(examples: Sequence[Example]) -> DistinctExamples:
    """Hear all recordings; of equal ones keep the first, and of broken ones tell why."""
    kept: dict[str, Example] = {}
    duplicates: list[Duplicate] = []
    failures: list[tuple[Path, str]] = []
    for heard, why in _hear(examples):
        if why:
            failures.append((heard.path, why))
            continue
        first = kept.setdefault(heard.digest, heard)
        if first is not heard:
            _check_labels(first, heard)
            duplicates.append(Duplicate(first.path, heard.path))
    return DistinctExamples(tuple(kept.values()), tuple(duplicates), tuple(failures))


def _hear(examples: Sequence[Example]) -> Iterator[tuple[Example, str]]:
    """The examples in their order with their digests, or with the reason why there is none."""
    # Decoding and hashing happen outside of Python's lock, so threads share the work.
    pool = ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1))
    try:
        yield from pool.map(_with_digest, examples)
    finally:
        pool.shutdown(cancel_futures=True)


def _with_digest(example: Example) -> tuple[Example, str]:
    try:
        return replace(example, digest=signal_digest(example.path)), ""
    except Failure as failure:
        return example, str(failure)


def _check_labels(one: Example, other: Example) -> None:
    if one.emotion != other.emotion:
        raise UsageError(
            f"The same recording carries two labels: {for_display(str(one.path))} is "
            f"{one.emotion}, {for_display(str(other.path))} is {other.emotion}. Remove the one "
            "that is wrong (or its row of the manifest)."
        )
