"""Made items: features of recordings that nobody spoke, as many and as easy to tell as wanted."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np

from batchemo.corpora import Example
from batchemo.training.data.feature_store import FeatureItem

LABELS = ("neutral", "happy", "sad")


def made_example(speaker: str, emotion: str, take: int = 0, **more: str) -> Example:
    """One recording of a corpus; what `more` says of it is as it says."""
    channel = more.get("channel", "speech")
    name = f"{speaker}-{emotion}-{channel}-{take}"
    gender = "male" if sum(speaker.encode()) % 2 else "female"
    told = {
        "corpus": "made",
        "gender": gender,
        "intensity": "normal",
        "digest": sha256(name.encode()).hexdigest(),
        **more,
    }
    return Example(path=Path(f"{name}.wav"), speaker=speaker, emotion=emotion, **told)


def made_items(
    examples: Sequence[Example],
    augmentations: Sequence[str] = (),
    *,
    shape: tuple[int, ...] = (4,),
    labels: Sequence[str] = LABELS,
    hiss: float = 0.3,
) -> tuple[FeatureItem, ...]:
    """Each recording and its copies, one to three windows each; what tells emotions is loud."""
    random = np.random.default_rng(0)
    voices = np.random.default_rng(1).normal(scale=2, size=(len(labels), shape[-1]))
    return tuple(
        FeatureItem(
            example,
            copy,
            (
                voices[labels.index(example.emotion)]
                + random.normal(scale=hiss, size=(random.integers(1, 4), *shape))
            ).astype(np.float32),
        )
        for example in examples
        for copy in ("original", *augmentations)
    )
