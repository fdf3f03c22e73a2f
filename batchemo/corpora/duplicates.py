"""Finds recordings with equal contents under two names: each counts once, with one label.

A recording in the training and in the test data would make a model look better than it is, and
corpora do hold copies, some of them in another container.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from batchemo.audio import Failure, open_audio
from batchemo.audio.decode import open_decoder
from batchemo.common.text import for_display
from batchemo.corpora.example import Duplicate, Example
from batchemo.errors import UsageError


@dataclass(frozen=True, slots=True)
class DistinctExamples:
    """Each content once, and what was left out."""

    examples: tuple[Example, ...]
    duplicates: tuple[Duplicate, ...]
    failures: tuple[tuple[Path, str], ...]
    """Recordings that cannot be decoded, with the reason."""


def deduplicate(examples: Sequence[Example]) -> DistinctExamples:
    """Decode all recordings, and keep the first of those whose signals are equal.

    The examples that are kept have their digest. Raises `UsageError` where equal recordings have
    different labels: one of the labels is wrong, and which one cannot be known.
    """
    first_by_digest: dict[str, Example] = {}
    duplicates: list[Duplicate] = []
    failures: list[tuple[Path, str]] = []
    for example, reason in _with_digests(examples):
        if reason:
            failures.append((example.path, reason))
            continue
        first = first_by_digest.setdefault(example.digest, example)
        if first is not example:
            _check_labels(first, example)
            duplicates.append(Duplicate(first.path, example.path))
    return DistinctExamples(tuple(first_by_digest.values()), tuple(duplicates), tuple(failures))


def signal_digest(path: Path) -> str:
    """Return the SHA-256 of the rate, the number of channels and all decoded samples.

    Raises `batchemo.audio.Failure` for a recording that cannot be decoded, as a scan does.
    """
    with open_audio(str(path)) as file, closing(open_decoder(file)) as decoder:
        decoder.check()
        digest = hashlib.sha256(f"{decoder.sample_rate} {decoder.channels}\n".encode())
        for block in decoder.blocks():
            # In a fixed byte order, so that digests agree between machines.
            digest.update(block.astype("<f4", copy=False).tobytes())
        return digest.hexdigest()


def _with_digests(examples: Sequence[Example]) -> Iterator[tuple[Example, str]]:
    """Yield the examples in order, with their digest or with the reason why there is none."""
    # Decoding and hashing release Python's global lock, so threads run in parallel.
    pool = ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1))
    try:
        yield from pool.map(_with_digest, examples)
    finally:
        # After an error or Ctrl-C, recordings that are still queued need not be decoded.
        pool.shutdown(cancel_futures=True)


def _with_digest(example: Example) -> tuple[Example, str]:
    try:
        return replace(example, digest=signal_digest(example.path)), ""
    except Failure as failure:
        return example, str(failure)


def _check_labels(first: Example, second: Example) -> None:
    if first.emotion != second.emotion:
        raise UsageError(
            f"The same recording has two labels: {for_display(str(first.path))} is "
            f"{first.emotion}, {for_display(str(second.path))} is {second.emotion}. Remove the one "
            "that is wrong (or its row of the manifest)."
        )
