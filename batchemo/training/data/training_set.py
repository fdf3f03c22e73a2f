"""Which recordings a bundle has learnt from, so that nobody tests it on these by mistake."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from batchemo.bundles import Bundle
from batchemo.corpora import Example
from batchemo.errors import UsageError
from batchemo.training.data.protocols import Protocol

TRAINING_SET = "learnt.csv"
"""The bundle's file that tells the digest and the speaker of every recording it has seen."""

_COLUMNS = ("digest", "corpus", "speaker")
_DIGITS = 16
"""So many digits of a digest are kept: enough that no two recordings share them by chance."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Digests, shortened, and speakers of what was learnt from, or watched to choose the epoch."""

    digests: frozenset[str]
    speakers: frozenset[str]


def training_set_bytes(examples: Iterable[Example]) -> bytes:
    """The content of a bundle's file, in a fixed order."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(sorted((one.digest[:_DIGITS], one.corpus, one.speaker) for one in examples))
    return text.getvalue().encode()


def read_training_set(bundle: Bundle) -> TrainingSet | None:
    """What the bundle has learnt from; None where it does not tell."""
    if TRAINING_SET not in bundle.info["files"]:
        return None
    rows = list(csv.DictReader(io.StringIO(bundle.read(TRAINING_SET).decode(errors="replace"))))
    if not rows or set(_COLUMNS) - rows[0].keys():
        raise UsageError(f"{bundle.path / TRAINING_SET}: needs the columns {', '.join(_COLUMNS)}")
    return TrainingSet(
        frozenset(row["digest"] for row in rows),
        frozenset(row["speaker"] for row in rows if row["speaker"]),
    )


def unseen_by(
    bundle: Bundle, examples: Sequence[Example], protocol: Protocol
) -> tuple[tuple[Example, ...], dict[str, int]]:
    """The recordings that a bundle may be tested on, and how many are left out, by reason.

    `speaker` leaves out every recording of a speaker it knows, `random` those it has heard
    themselves, `leaky` none.
    """
    learnt = read_training_set(bundle)
    if protocol == "leaky" or learnt is None:
        return tuple(examples), {}
    left_out: dict[str, int] = {}
    kept = []
    for example in examples:
        if example.digest[:_DIGITS] in learnt.digests:
            why = "the model learnt from this recording"
        elif protocol == "speaker" and example.speaker in learnt.speakers:
            why = "the model learnt from other recordings of this speaker"
        elif protocol == "speaker" and not example.speaker:
            why = "the speaker is not known"
        else:
            kept.append(example)
            continue
        left_out[why] = left_out.get(why, 0) + 1
    if not kept:
        told = "; ".join(f"{count}: {why}" for why, count in left_out.items())
        raise UsageError(
            f"no recording is left to test {bundle.name} on ({told}). Test it on others, train it"
            " anew without them (evaluate the recipe instead of the bundle), or see how well it"
            " knows what it has heard with --protocol leaky"
        )
    return tuple(kept), left_out
