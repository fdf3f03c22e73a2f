"""What adapting to speakers without labels gains, and what it costs where one emotion prevails.

    python benchmarks/speakers.py RAVDESS NEMO --work own.work --models default accurate

Judges speakers that no net heard, as `own_systems.py` does, and takes its trainings from the same
work folder; what is not there is trained. Then it takes recordings of a speaker by chance: all, so
many, or all of one emotion and some others; and compares what is right with and without.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from batchemo.bundles.speaker_adaptation import adapt, log_probabilities
from batchemo.corpora import Corpus, read_corpus
from batchemo.evaluation.predictions import Prediction
from batchemo.training.experiment.cross_validation import Experiment, run_experiment
from batchemo.training.recipes import get_recipe

Float64 = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]
SelectEpoch = Callable[[Places, np.random.Generator], Iterator[Places]]
"""Which recordings of a speaker are adapted together, some sets one after another."""

SIZE = 16
OTHERS = (19, 12, 5, 0)
"""So many recordings of other emotions beside all of one, which are eight in RAVDESS."""
DRAWS = 8


class PitchTrack(NamedTuple):
    """What one net said of all that one speaker said."""

    probabilities: Float64
    truth: Places


def main() -> None:
    options = _options()
    corpus = read_corpus(options.corpora)
    print("| model | recordings of a speaker | right | adapted | points |")
    print("| --- | --- | ---: | ---: | ---: |")
    for name in options.models:
        voices = _adapter(_judged(name, corpus, options), corpus.labels)
        cases: dict[str, SelectEpoch] = {"all": _all, f"any {SIZE}": _at_random}
        cases |= {f"8 of one emotion and {some} others": _prevailing(some) for some in OTHERS}
        for told, choose in cases.items():
            before, after = _compare(voices, choose)
            points = 100 * (after - before)
            print(f"| `{name}` | {told} | {before:.3f} | {after:.3f} | {points:+.1f} |", flush=True)


def _judged(name: str, corpus: Corpus, options: argparse.Namespace) -> Sequence[Prediction]:
    system = get_recipe(name)
    experiment = Experiment(
        system=system,
        hyperparameters=system.hyperparameters,
        examples=corpus.examples,
        labels=corpus.labels,
        work=options.work,
        seeds=tuple(range(max(1, options.seeds // system.nets))),
        folds="luna-jimenez",
    )
    return run_experiment(experiment).predictions


def _adapter(predictions: Sequence[Prediction], labels: Sequence[str]) -> list[PitchTrack]:
    parts: dict[tuple[int, str], list[Prediction]] = defaultdict(list)
    for one in predictions:
        parts[one.seed, one.example.speaker].append(one)
    return [
        PitchTrack(
            np.array([one.probabilities for one in own]),
            np.array([labels.index(one.example.emotion) for one in own]),
        )
        for own in parts.values()
    ]


def _compare(voices: Sequence[PitchTrack], choose: SelectEpoch) -> tuple[float, float]:
    """The share that is right of the chosen recordings, each alone and adapted together."""
    random = np.random.default_rng(0)
    alone, together = [], []
    for voice in voices:
        for places in choose(voice.truth, random):
            chosen, truth = voice.probabilities[places], voice.truth[places]
            alone.append(np.mean(chosen.argmax(axis=1) == truth))
            together.append(np.mean(adapt(log_probabilities(chosen)).argmax(axis=1) == truth))
    return float(np.mean(alone)), float(np.mean(together))


def _all(truth: Places, random: np.random.Generator) -> Iterator[Places]:
    yield np.arange(len(truth))


def _at_random(truth: Places, random: np.random.Generator) -> Iterator[Places]:
    for _ in range(DRAWS):
        yield random.permutation(len(truth))[:SIZE]


def _prevailing(others: int) -> SelectEpoch:
    def choose(truth: Places, random: np.random.Generator) -> Iterator[Places]:
        for label in np.flatnonzero(np.bincount(truth) == 8):
            for _ in range(DRAWS if others else 1):
                beside = random.permutation(np.flatnonzero(truth != label))[:others]
                yield np.concatenate([np.flatnonzero(truth == label), beside])

    return choose


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpora", nargs="+", type=Path, help="folders that are learnt from")
    parser.add_argument("--work", type=Path, default=Path("own.work"), help="what is kept")
    parser.add_argument("--models", nargs="+", default=["default"], help="systems to judge")
    parser.add_argument("--seeds", type=int, default=3, help="how often each fold was trained")
    return parser.parse_args()


if __name__ == "__main__":
    main()
