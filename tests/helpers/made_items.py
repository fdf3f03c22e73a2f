"""Feature items of made-up recordings, as many and as separable as wanted."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np

from batchemo.corpora import Example
from batchemo.training.data.dataset import Dataset, make_dataset
from batchemo.training.data.feature_store import FeatureItem

LABELS = ("neutral", "happy", "sad")
SPEAKERS = ("ann", "bob", "cy", "di")


def made_example(speaker: str, emotion: str, take: int = 0, **changes: str) -> Example:
    """Return a recording whose path and digest follow from speaker, emotion, channel and take."""
    channel = changes.get("channel", "speech")
    name = f"{speaker}-{emotion}-{channel}-{take}"
    gender = "male" if sum(speaker.encode()) % 2 else "female"
    facts = {
        "corpus": "made",
        "gender": gender,
        "intensity": "normal",
        "digest": sha256(name.encode()).hexdigest(),
        **changes,
    }
    return Example(path=Path(f"{name}.wav"), speaker=speaker, emotion=emotion, **facts)


def made_items(
    examples: Sequence[Example],
    augmentations: Sequence[str] = (),
    *,
    shape: tuple[int, ...] = (4,),
    labels: Sequence[str] = LABELS,
    noise: float = 0.3,
) -> tuple[FeatureItem, ...]:
    """Return each recording and its augmentations, one to three windows each.

    Each class has a mean of its own, about which the features of its windows scatter by `noise`.
    """
    random = np.random.default_rng(0)
    means = np.random.default_rng(1).normal(scale=2, size=(len(labels), shape[-1]))
    return tuple(
        FeatureItem(
            example,
            variant,
            (
                means[labels.index(example.emotion)]
                + random.normal(scale=noise, size=(random.integers(1, 4), *shape))
            ).astype(np.float32),
        )
        for example in examples
        for variant in ("original", *augmentations)
    )


def made_dataset(*corpora: str, labels: tuple[str, ...] = LABELS, noise: float = 3.0) -> Dataset:
    """Return four takes of each label by each speaker; only the first corpus has all labels."""
    examples = [
        made_example(f"{corpus}-{speaker}", label, take, corpus=corpus)
        for corpus in corpora
        for speaker in SPEAKERS
        for label in (labels if corpus == corpora[0] else labels[:2])
        for take in range(4)
    ]
    items = made_items(examples, shape=(6,), labels=labels, noise=noise)
    return make_dataset(items, labels, main_corpus=corpora[0])
