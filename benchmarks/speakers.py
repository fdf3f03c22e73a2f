"""What adapting to speakers without labels gains, and what it costs where one emotion prevails.

    python benchmarks/speakers.py RAVDESS RAVDESS_SONG NEMO EMODB SPEECHOCEAN EMOSPEECH_CALM \\
        --foreign EMOVO --work own.work --recipes default

Predicts unseen speakers as `own_systems.py` does, and takes its trainings from the same work
folder; what is not there is trained. Then it draws recordings of each speaker: all, a fixed number,
or all of one emotion and some others; and compares the accuracy with and without adaptation.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from own_systems import make_experiment, make_parser

from batchemo.bundles.speaker_adaptation import adapt, log_probabilities
from batchemo.common.arrays import Float64, Index
from batchemo.corpora import Corpus, read_corpus
from batchemo.evaluation.predictions import Prediction
from batchemo.training.experiment.cross_validation import run_experiment
from batchemo.training.recipes import get_recipe

Draw: TypeAlias = Callable[[Index, np.random.Generator], Iterator[Index]]
"""(classes of a speaker's recordings, random) → sets of recordings that are adapted together."""

SIZE = 16
"""How many recordings are drawn at random."""
OTHER_EMOTIONS = (19, 12, 5, 0)
"""How many recordings of other emotions are adapted with all of one."""
RECORDINGS_OF_EMOTION = 8
"""How many recordings of an emotion a speaker of RAVDESS has; neutral has fewer."""
DRAWS = 8


class SpeakerPredictions(NamedTuple):
    """What one net predicted for all recordings of one speaker."""

    probabilities: Float64
    classes: Index
    """The true class of each recording."""


def main() -> None:
    options = make_parser(__doc__).parse_args()
    corpus = read_corpus(options.corpora)
    print("| model | recordings of a speaker | accuracy | adapted | points |")
    print("| --- | --- | ---: | ---: | ---: |")
    for name in options.recipes:
        speakers = _by_speaker(_predict(name, corpus, options), corpus.labels)
        draws: dict[str, Draw] = {"all": _all, f"any {SIZE}": _at_random}
        draws |= {
            f"{RECORDINGS_OF_EMOTION} of one emotion and {others} others": _prevailing(others)
            for others in OTHER_EMOTIONS
        }
        for description, draw in draws.items():
            alone, adapted = _compare(speakers, draw)
            points = 100 * (adapted - alone)
            cells = (f"`{name}`", description, f"{alone:.3f}", f"{adapted:.3f}", f"{points:+.1f}")
            print(f"| {' | '.join(cells)} |", flush=True)


def _predict(name: str, corpus: Corpus, options: argparse.Namespace) -> Sequence[Prediction]:
    experiment = make_experiment(
        get_recipe(name),
        corpus,
        options,
        seeds=tuple(range(options.seeds)),
        folds="luna-jimenez",
        test_on=("ravdess",),
    )
    return run_experiment(experiment).predictions


def _by_speaker(
    predictions: Sequence[Prediction], labels: Sequence[str]
) -> list[SpeakerPredictions]:
    groups: dict[tuple[int, str], list[Prediction]] = defaultdict(list)
    for prediction in predictions:
        groups[prediction.seed, prediction.example.speaker].append(prediction)
    return [
        SpeakerPredictions(
            np.array([prediction.probabilities for prediction in group]),
            np.array([labels.index(prediction.example.emotion) for prediction in group]),
        )
        for group in groups.values()
    ]


def _compare(speakers: Sequence[SpeakerPredictions], draw: Draw) -> tuple[float, float]:
    """Return the accuracy on the drawn recordings, each alone and adapted together."""
    random = np.random.default_rng(0)
    alone, adapted = [], []
    for speaker in speakers:
        for drawn in draw(speaker.classes, random):
            probabilities, classes = speaker.probabilities[drawn], speaker.classes[drawn]
            alone.append(np.mean(probabilities.argmax(axis=1) == classes))
            together = adapt(log_probabilities(probabilities))
            adapted.append(np.mean(together.argmax(axis=1) == classes))
    return float(np.mean(alone)), float(np.mean(adapted))


def _all(classes: Index, random: np.random.Generator) -> Iterator[Index]:
    yield np.arange(len(classes))


def _at_random(classes: Index, random: np.random.Generator) -> Iterator[Index]:
    for _ in range(DRAWS):
        yield random.permutation(len(classes))[:SIZE]


def _prevailing(others: int) -> Draw:
    """Return a draw of all recordings of an emotion and some of others."""

    def draw(classes: Index, random: np.random.Generator) -> Iterator[Index]:
        for label in np.flatnonzero(np.bincount(classes) == RECORDINGS_OF_EMOTION):
            # Without others there is nothing to draw again.
            for _ in range(DRAWS if others else 1):
                drawn = random.permutation(np.flatnonzero(classes != label))[:others]
                yield np.concatenate([np.flatnonzero(classes == label), drawn])

    return draw


if __name__ == "__main__":
    main()
