"""Examples of a corpus that the base takes for another one."""

from __future__ import annotations

import numpy as np

from batchemo.adaptation.examples import Corpus, Examples
from batchemo.tables.labels import Key

LABELS = ("calm", "happy", "sad")


def make_examples(
    count: int, *, seed: int = 0, accent: float = 2.0, signal: float = 1.0
) -> Examples:
    """Make recordings of one or two windows whose embedding tells their class.

    The base takes many for the next class, by `accent`; without `signal` the embedding is noise.
    """
    random = np.random.default_rng(seed)
    classes = random.permutation(np.arange(count) % len(LABELS))
    example_of_window = np.sort(np.concatenate([np.arange(count), np.arange(0, count, 2)]))
    of_window = classes[example_of_window]
    directions = np.random.default_rng(99).normal(size=(len(LABELS), 16))
    embedding = signal * directions[of_window] + random.normal(size=(len(of_window), 16))
    logits = np.eye(len(LABELS))[of_window] + random.normal(size=(len(of_window), len(LABELS)))
    logits[:, 1] += accent
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    keys = tuple(Key("/data", f"{index % 5}/{index}.wav") for index in range(count))
    return Examples(LABELS, classes, keys, example_of_window, embedding, logs)


def corpus_of(examples: Examples) -> Corpus:
    """Return the moments of a corpus that consists of these examples."""
    centre = examples.embedding.mean(axis=0)
    squares = np.square(examples.embedding - centre).sum(axis=1)
    return Corpus(len(examples), centre, float(np.sqrt(squares.mean())))
