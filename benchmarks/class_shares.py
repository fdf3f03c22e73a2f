"""What it gains to tell a scan which labels a corpus has, or how frequent they are.

    python benchmarks/class_shares.py RAVDESS RAVDESS_SONG NEMO EMODB SPEECHOCEAN EMOSPEECH_CALM \\
        --foreign EMOVO --work own.work --recipes default

Predicts each corpus by nets that were not trained on it, as `own_systems.py` does, and takes its
trainings from the same work folder; what is not there is trained. Besides the corpora as they are,
whose labels are about equally frequent, it draws corpora from them where one label prevails.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from own_systems import left_out_experiment, make_parser

from batchemo.bundles.class_shares import log_shares
from batchemo.bundles.speaker_adaptation import SpeakerMeans, log_probabilities
from batchemo.common.arrays import Float64, Index
from batchemo.evaluation import metrics
from batchemo.evaluation.predictions import Prediction
from batchemo.training.experiment.cross_validation import run_experiment

PREVAILING = ("neutral", "angry", "sad")
SHARE = 0.8
"""Of the prevailing label in the corpora that are drawn."""
DRAWS = 20


@dataclass(frozen=True, slots=True)
class Recordings:
    """Recordings of one corpus, and what a model that was not trained on it predicts for them."""

    labels: tuple[str, ...]
    probabilities: Float64
    classes: Index
    speakers: tuple[str, ...]

    def select(self, rows: Index) -> Recordings:
        """Return some of them."""
        speakers = tuple(self.speakers[row] for row in rows)
        return Recordings(self.labels, self.probabilities[rows], self.classes[rows], speakers)

    def shares(self, *, even: bool) -> str:
        """Return how frequent the labels are, or only which there are."""
        counts = np.bincount(self.classes)
        found = [(self.labels[index], counts[index]) for index in np.flatnonzero(counts)]
        return ",".join(label if even else f"{label}={count}" for label, count in found)

    def without_other_labels(self) -> Float64:
        """Return the probabilities as they are, of the labels that there are."""
        present = np.isin(np.arange(len(self.labels)), self.classes)
        kept = self.probabilities * present
        result: Float64 = kept / kept.sum(axis=1, keepdims=True)
        return result

    def told(self, shares: str, *, by_speaker: bool = False) -> Float64:
        """Return the probabilities adapted to class shares, as a scan does."""
        logarithms = log_shares(shares, self.labels)
        logs = log_probabilities(self.probabilities)
        logs[:, np.isneginf(logarithms)] = -np.inf
        means, corpora = SpeakerMeans(), [("corpus",)] * len(logs)
        speakers = self.speakers if by_speaker else [None] * len(logs)
        means.add(corpora, logs)
        means.add(speakers, logs)
        return means.adapt(speakers, logs, corpora=corpora, log_shares=logarithms)


def main() -> None:
    options = make_parser(__doc__).parse_args()
    print("UAR / accuracy / ECE")
    header = (
        "model",
        "corpus",
        "as it is",
        "without other labels",
        "labels given",
        "labels given, by speaker",
        "shares given",
    )
    print(f"| {' | '.join(header)} |\n|{' --- |' * len(header)}", flush=True)
    for name in options.recipes:
        experiment = left_out_experiment(name, options)
        predictions = run_experiment(experiment).predictions
        for title, draws in _corpora(predictions, experiment.labels):
            cells = []
            for probabilities in (
                [each.probabilities for each in draws],
                [each.without_other_labels() for each in draws],
                [each.told(each.shares(even=True)) for each in draws],
                [each.told(each.shares(even=True), by_speaker=True) for each in draws],
                [each.told(each.shares(even=False)) for each in draws],
            ):
                figures = [_figures(*pair) for pair in zip(draws, probabilities, strict=True)]
                cells.append(" / ".join(f"{value:.3f}" for value in np.mean(figures, axis=0)))
            print(f"| {' | '.join((f'`{name}`', title, *cells))} |", flush=True)


def _corpora(
    predictions: Sequence[Prediction], labels: tuple[str, ...]
) -> Iterator[tuple[str, list[Recordings]]]:
    """Yield each corpus as it is, and then draws from each where one label prevails."""
    whole = {}
    for name in sorted({prediction.example.corpus for prediction in predictions}):
        of_corpus = [each for each in predictions if each.example.corpus == name]
        recordings = Recordings(
            labels,
            np.array([each.probabilities for each in of_corpus]),
            np.array([labels.index(each.example.emotion) for each in of_corpus]),
            tuple(each.example.speaker for each in of_corpus),
        )
        if len(np.unique(recordings.classes)) > 1:
            whole[name] = recordings
            yield name, [recordings]
    for label in PREVAILING:
        for name, recordings in whole.items():
            draws = [_draw(recordings, labels.index(label), seed) for seed in range(DRAWS)]
            yield f"{name}, {SHARE:.0%} {label}", draws


def _draw(recordings: Recordings, prevailing: int, seed: int) -> Recordings:
    """Return all recordings of a label, and as many of each other as make it prevail."""
    random = np.random.default_rng(seed)
    rows = np.flatnonzero(recordings.classes == prevailing)
    others = [each for each in np.unique(recordings.classes) if each != prevailing]
    count = max(1, round(len(rows) * (1 - SHARE) / SHARE / len(others)))
    drawn = [
        random.permutation(np.flatnonzero(recordings.classes == each))[:count] for each in others
    ]
    return recordings.select(np.sort(np.concatenate([rows, *drawn])))


def _figures(recordings: Recordings, probabilities: Float64) -> tuple[float, float, float]:
    predicted, classes = probabilities.argmax(axis=1), recordings.classes
    confusion = metrics.confusion_matrix(classes, predicted, probabilities.shape[1])
    ece = metrics.calibration_error(probabilities.max(axis=1), predicted == classes)
    return metrics.uar(confusion), metrics.accuracy(confusion), ece


if __name__ == "__main__":
    main()
