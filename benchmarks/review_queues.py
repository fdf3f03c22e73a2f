"""What the queues of `batchemo review` are worth to `adapt`, on corpora unknown to the nets.

    python benchmarks/review_queues.py RAVDESS RAVDESS_SONG NEMO EMODB SPEECHOCEAN \\
        --foreign EMOVO --work own.work --recipes accurate --encoder smart-turn-v3.2-cpu.onnx

Predicts each corpus by nets that were not trained on it, as `own_systems.py` does, and takes its
trainings from the same work folder; what is not there is trained. A reviewer answers with the true
labels, in the order of the queue; then a head is fitted as `adapt` does, and tested on the rest.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from own_systems import left_out_experiment, make_parser

from batchemo.adaptation.examples import Corpus as EmbeddedCorpus
from batchemo.adaptation.examples import Examples
from batchemo.adaptation.fit import BaseOutput, fit_head, normalised, one_thread
from batchemo.adaptation.leave_out import assess
from batchemo.adaptation.outcome import compare
from batchemo.bundles import softmax
from batchemo.bundles.head import FLOOR
from batchemo.common.arrays import Float32, Float64, Index
from batchemo.evaluation import metrics
from batchemo.review.candidates import Candidates
from batchemo.review.queues import FixedQueue, Queue, open_queue
from batchemo.tables.labels import key_of
from batchemo.training.experiment.calibration import corpus_weights, temperatures
from batchemo.training.experiment.runs import run_split
from batchemo.training.nets.familiarity import fit_familiarity

ANSWERS = 40
ROUND = 8
MOST = 900
"""Recordings of a corpus; of a larger one as many are drawn."""
CHANCE = "chance"
QUEUES = (CHANCE, "random", "informative")


@dataclass(frozen=True, slots=True, eq=False)
class Recordings:
    """Recordings of one corpus, and what nets that were not trained on it make of them."""

    labels: tuple[str, ...]
    probabilities: Float32
    embedding: Float32
    classes: Index

    def examples(self, rows: Index) -> Examples:
        """Return some of them as answered."""
        return Examples(
            self.labels,
            self.classes[rows].astype(np.int64),
            tuple(key_of("/", str(row)) for row in rows),
            np.arange(len(rows)),
            self.embedding[rows].astype(np.float64),
            np.log(self.probabilities[rows].astype(np.float64) + FLOOR),
        )

    def corpus(self) -> EmbeddedCorpus:
        """Return the moments of all."""
        centre = self.embedding.mean(axis=0, dtype=np.float64)
        squares = np.square(self.embedding - centre).sum(axis=1)
        return EmbeddedCorpus(len(self.classes), centre, float(np.sqrt(squares.mean())))


class Figures(NamedTuple):
    """Figures of the recordings that were not answered."""

    before: float
    after: float
    ece: float
    accepted: float


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--draws", type=int, default=8, help="how often each queue is played")
    options = parser.parse_args()
    print("| model | corpus | queue | UAR before | after | spread | ECE after | accepted |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in options.recipes:
        for title, recordings in _corpora(name, options):
            for by in QUEUES:
                with one_thread():
                    found = np.array([_play(recordings, by, n) for n in range(options.draws)])
                before, after, ece, accepted = found.mean(axis=0)
                numbers = (before, after, found[:, 1].std(), ece, accepted)
                cells = (f"`{name}`", title, by, *(f"{number:.3f}" for number in numbers))
                print(f"| {' | '.join(cells)} |", flush=True)


def _corpora(name: str, options: argparse.Namespace) -> Iterator[tuple[str, Recordings]]:
    """Yield each corpus with several labels, predicted without having been trained on."""
    experiment = left_out_experiment(name, options)
    context = experiment.context()
    # What validation says is true of the corpora that were trained on, and of no other.
    results = [
        replace(run_split(context, split), temperature=None) for split in experiment.splits(context)
    ]
    weigh = partial(corpus_weights, test_only=experiment.test_only)
    for result, temperature in zip(results, temperatures(context, results, weigh), strict=True):
        split = result.split
        familiarity = fit_familiarity(context.dataset(split.train))
        items = context.select(split.test)
        embedding = np.stack([familiarity.embed(item.windows).mean(axis=0) for item in items])
        predictions = result.predictions(temperature)
        probabilities = np.array([each.probabilities for each in predictions], np.float32)
        names = np.array([sample.example.corpus for sample in split.test])
        classes = context.label_indices(split.test)
        for corpus_name in sorted(set(names)):
            rows = np.flatnonzero(names == corpus_name)
            rows = np.sort(np.random.default_rng(99).permutation(rows)[:MOST])
            if len(np.unique(classes[rows])) > 1:
                yield (
                    corpus_name,
                    Recordings(
                        experiment.labels,
                        probabilities[rows],
                        np.asarray(embedding[rows], np.float32),
                        classes[rows],
                    ),
                )


def _play(recordings: Recordings, by: str, seed: int) -> Figures:
    """Answer what a queue asks, fit a head, and return the figures of the rest."""
    queue, asked = _open(recordings, by, seed), dict[int, str]()
    while len(asked) < ANSWERS:
        for row in queue.next(min(ROUND, ANSWERS - len(asked)), asked):
            asked[int(row)] = recordings.labels[recordings.classes[row]]
    rows = np.array(sorted(asked), np.intp)
    examples, corpus = recordings.examples(rows), recordings.corpus()
    base = BaseOutput.for_labels(recordings.labels, recordings.labels)
    groups = [key.file for key in examples.keys]
    assessment = assess(examples, base, corpus, groups)
    fit = fit_head(examples, base, corpus)
    others = np.setdiff1d(np.arange(len(recordings.classes)), rows)
    rest = recordings.examples(others)
    logits = fit.logits(base.of(rest.log_probabilities), normalised(rest, corpus))
    after = softmax(logits / assessment.temperature)
    return Figures(
        _uar(recordings.probabilities[others], rest.classes),
        _uar(after, rest.classes),
        metrics.calibration_error(after.max(axis=1), after.argmax(axis=1) == rest.classes),
        float(compare(examples, assessment, groups).helps),
    )


def _open(recordings: Recordings, by: str, seed: int) -> Queue:
    count = len(recordings.classes)
    if by == CHANCE:
        return FixedQueue(np.random.default_rng(seed).permutation(count))
    keys = [key_of("/", str(row)) for row in range(count)]
    candidates = Candidates(keys, recordings.labels, recordings.probabilities)
    embedding = (recordings.embedding, np.ones(count, bool))
    return open_queue(by, candidates, embedding=embedding, seed=seed)


def _uar(probabilities: Float32 | Float64, classes: Index) -> float:
    confusion = metrics.confusion_matrix(
        classes, probabilities.argmax(axis=1), probabilities.shape[1]
    )
    return metrics.uar(confusion)


if __name__ == "__main__":
    main()
