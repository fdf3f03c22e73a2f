"""Which recordings a bundle was trained on, so that nobody tests it on these by mistake."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from batchemo.bundles import Bundle
from batchemo.corpora import Example
from batchemo.errors import UsageError
from batchemo.training.data.left_out import base_languages
from batchemo.training.data.protocols import Protocol

TRAINING_SET = "training_set.csv"
"""The bundle's file with the digest, the corpus and the speaker of every training recording."""

_COLUMNS = ("digest", "corpus", "speaker")
_DIGITS = 16
"""How much of a digest is kept: 64 bits, enough that no two recordings share them by chance."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """The recordings of training and validation, by their shortened digests, and who speaks."""

    digests: frozenset[str]
    speakers: frozenset[str]
    corpora: frozenset[str]


def training_set_bytes(examples: Iterable[Example]) -> bytes:
    """Return the content of a bundle's file, sorted: the same for any order of the examples."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(
        sorted((example.digest[:_DIGITS], example.corpus, example.speaker) for example in examples)
    )
    return text.getvalue().encode()


def read_training_set(bundle: Bundle) -> TrainingSet | None:
    """Return what a bundle was trained on; None where it does not say."""
    if TRAINING_SET not in bundle.info["files"]:
        return None
    rows = list(csv.DictReader(io.StringIO(bundle.read(TRAINING_SET).decode(errors="replace"))))
    if not rows or set(_COLUMNS) - rows[0].keys():
        raise UsageError(f"{bundle.path / TRAINING_SET}: needs the columns {', '.join(_COLUMNS)}")
    return TrainingSet(
        frozenset(row["digest"] for row in rows),
        frozenset(row["speaker"] for row in rows if row["speaker"]),
        frozenset(row["corpus"] for row in rows if row["corpus"]),
    )


def select_unseen(
    bundle: Bundle, examples: Sequence[Example], protocol: Protocol
) -> tuple[tuple[Example, ...], dict[str, int]]:
    """Return the recordings that a bundle may be tested on, and how many are left out, by reason.

    `speaker` leaves out all recordings of the speakers that it was trained on, `corpus` also those
    of its corpora and languages, `random` the training recordings themselves, `leaky` none.
    """
    training_set = read_training_set(bundle)
    if protocol == "leaky" or training_set is None:
        return tuple(examples), {}
    left_out: dict[str, int] = {}
    unseen = []
    languages = _training_languages(bundle)
    for example in examples:
        if example.digest[:_DIGITS] in training_set.digests:
            reason = "the model was trained on this recording"
        elif protocol != "random" and example.speaker in training_set.speakers:
            reason = "the model was trained on other recordings of this speaker"
        elif protocol == "speaker" and not example.speaker:
            reason = "the speaker is not known"
        elif protocol == "corpus" and example.corpus in training_set.corpora:
            reason = "the model was trained on this corpus"
        elif protocol == "corpus" and base_languages([example.language]) & languages:
            reason = "the model was trained on this language"
        else:
            unseen.append(example)
            continue
        left_out[reason] = left_out.get(reason, 0) + 1
    if not unseen:
        counts = "; ".join(f"{count}: {reason}" for reason, count in left_out.items())
        raise UsageError(
            f"no recording is left to test {bundle.name} on ({counts}). Test it on others, train it"
            " anew without them (evaluate the recipe instead of the bundle), or see how well it"
            " does on what it was trained on with --protocol leaky"
        )
    return tuple(unseen), left_out


def _training_languages(bundle: Bundle) -> frozenset[str]:
    corpora = bundle.info["training"].get("corpora", {})
    return base_languages(code for of in corpora.values() for code in of.get("languages", ()))
