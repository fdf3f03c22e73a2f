"""Finds equal contents under two names: each recording counts once, with one label."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from batchemo.audio import Failure
from batchemo.errors import UsageError
from batchemo.sources.names import for_display
from batchemo.training.corpora.digest import signal_digest
from batchemo.training.corpora.example import Duplicate, Example


@dataclass(frozen=True, slots=True)
class Distinct:
    """Each content once, and what was left out."""

    examples: tuple[Example, ...]
    duplicates: tuple[Duplicate, ...]
    failures: tuple[tuple[Path, str], ...]


def distinct(examples: Sequence[Example]) -> Distinct:
    """Hear all recordings; of equal ones keep the first, and of broken ones tell why."""
    kept: dict[str, Example] = {}
    duplicates: list[Duplicate] = []
    failures: list[tuple[Path, str]] = []
    # Decoding and hashing happen outside of Python's lock, so threads share the work.
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for example, (digest, why) in zip(examples, pool.map(_listen, examples), strict=True):
            if why:
                failures.append((example.path, why))
                continue
            first = kept.setdefault(digest, replace(example, digest=digest))
            if first.path is not example.path:
                _check_labels(first, example)
                duplicates.append(Duplicate(first.path, example.path))
    return Distinct(tuple(kept.values()), tuple(duplicates), tuple(failures))


def _listen(example: Example) -> tuple[str, str]:
    """The digest of a recording, or else why it has none."""
    try:
        return signal_digest(example.path), ""
    except Failure as failure:
        return "", str(failure)


def _check_labels(one: Example, other: Example) -> None:
    if one.emotion != other.emotion:
        raise UsageError(
            f"The same recording carries two labels: {for_display(str(one.path))} is "
            f"{one.emotion}, {for_display(str(other.path))} is {other.emotion}. Remove the one "
            "that is wrong (or its row of the manifest)."
        )
