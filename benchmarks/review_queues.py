"""What the queues of `batchemo review` are worth to `adapt`, on corpora unknown to the nets.

    python benchmarks/review_queues.py RAVDESS RAVDESS_SONG NEMO EMODB SPEECHOCEAN EMOSPEECH_CALM \\
        --foreign EMOVO --work own.work --recipes accurate --encoder smart-turn-v3.2-cpu.onnx

Predicts each corpus by nets that were not trained on it, as `own_systems.py` does, and takes its
trainings from the same work folder; what is not there is trained. A reviewer answers with the true
labels, in the order of the queue; then a head is fitted as `adapt` does, and tested on the rest.
`kept` is UAR where heads that `adapt` would refuse are not used, and `worst` the least change of it
by one draw.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Sequence
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
    kept: float


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--draws", type=int, default=8, help="how often each queue is played")
    parser.add_argument("--answers", type=int, nargs="+", default=[40], help="how many are asked")
    parser.add_argument("--queues", nargs="+", default=list(QUEUES), choices=QUEUES)
    options = parser.parse_args()
    columns = ("model", "corpus", "answers", "queue", "UAR before", "after", "spread")
    print(f"| {' | '.join((*columns, 'ECE after', 'accepted', 'kept', 'worst'))} |")
    print("| --- " * (len(columns) + 4) + "|")
    for name in options.recipes:
        of_means: dict[tuple[int, str], list[Float64]] = {}
        for title, recordings in _corpora(name, options):
            for answers, by in itertools.product(options.answers, options.queues):
                with one_thread():
                    found = [_play(recordings, by, n, answers) for n in range(options.draws)]
                row = _row(found)
                of_means.setdefault((answers, by), []).append(row)
                _print_row(name, title, answers, by, row)
        for (answers, by), rows in of_means.items():
            mean = np.mean(rows, axis=0)
            mean[-1] = np.min(rows, axis=0)[-1]
            _print_row(name, "mean", answers, by, mean)


def _row(found: Sequence[Figures]) -> Float64:
    before, after, ece, accepted, kept = np.mean(found, axis=0)
    worst = min([figures.kept - figures.before for figures in found])
    return np.array(
        [before, after, np.std([each.after for each in found]), ece, accepted, kept, worst]
    )


def _print_row(name: str, title: str, answers: int, by: str, row: Float64) -> None:
    cells = (f"`{name}`", title, str(answers), by, *(f"{number:.3f}" for number in row))
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


def _play(recordings: Recordings, by: str, seed: int, answers: int) -> Figures:
    """Answer what a queue asks, fit a head, and return the figures of the rest."""
    queue, asked = _open(recordings, by, seed), dict[int, str]()
    while len(asked) < answers:
        for row in queue.next(min(ROUND, answers - len(asked)), asked):
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
    helps = compare(examples, assessment, groups).helps
    uars = [_uar(each, rest.classes) for each in (recordings.probabilities[others], after)]
    ece = metrics.calibration_error(after.max(axis=1), after.argmax(axis=1) == rest.classes)
    return Figures(*uars, ece, float(helps), uars[int(helps)])


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
