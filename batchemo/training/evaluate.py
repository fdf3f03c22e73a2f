"""How well a net does on whole recordings that it never heard, and how far to trust the figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchemo.audio import ListenOptions, listen
from batchemo.bundles import BATCH_SIZE, softmax
from batchemo.bundles.runtime import Graph
from batchemo.features import Recipe, extract
from batchemo.training.corpora import EMOTIONS, Example
from batchemo.training.pictures import Windows
from batchemo.training.report.metrics import calibration_error

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Heard:
    """A recording and the logits (windows, classes) of what a scan would have heard of it."""

    example: Example
    logits: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures of one set of recordings; `recall` is by class, None where it has no recordings."""

    recordings: int
    accuracy: float
    uar: float
    ece: float
    nll: float
    recall: dict[str, float | None]


def hear(
    examples: Sequence[Example], recipe: Recipe, windows: Windows, graph: Graph
) -> tuple[Heard, ...]:
    """Put recordings through a net exactly as a scan does, window by window."""
    options = ListenOptions(rate=recipe.rate, window=windows.seconds, hop=windows.hop)
    pictures, counts = [], []
    for example in examples:
        with listen(str(example.path), options) as heard:
            told = [extract(recipe, w.samples, windows.seconds) for w in heard if w.speech]
        pictures += told
        counts.append(len(told))
    logits = np.concatenate(
        [
            graph(np.stack(pictures[start : start + BATCH_SIZE]))
            for start in range(0, len(pictures), BATCH_SIZE)
        ]
    )
    parts = np.split(logits, np.cumsum(counts)[:-1])
    return tuple(Heard(*pair) for pair in zip(examples, parts, strict=True))


def file_probabilities(
    heard: Sequence[Heard], temperature: float = 1.0, classes: Sequence[str] = EMOTIONS
) -> Float64:
    """A recording's probabilities: the mean of its windows', shared out among some classes."""
    whole = np.stack([softmax(one.logits, temperature).mean(axis=0) for one in heard])
    some = whole[:, [EMOTIONS.index(name) for name in classes]]
    shared: Float64 = some / some.sum(axis=1, keepdims=True)
    return shared


def score(
    heard: Sequence[Heard], temperature: float = 1.0, classes: Sequence[str] = EMOTIONS
) -> Scores:
    """Figures over the recordings whose emotion is one of the classes."""
    heard = [one for one in heard if one.example.emotion in classes]
    probabilities = file_probabilities(heard, temperature, classes)
    truth = np.array([list(classes).index(one.example.emotion) for one in heard])
    right = probabilities.argmax(axis=1) == truth
    recall = {
        name: float(right[truth == place].mean()) if (truth == place).any() else None
        for place, name in enumerate(classes)
    }
    present = [share for share in recall.values() if share is not None]
    return Scores(
        recordings=len(heard),
        accuracy=float(right.mean()),
        uar=float(np.mean(present)),
        ece=calibration_error(probabilities.max(axis=1), right),
        nll=float(-np.log(probabilities[np.arange(len(truth)), truth]).mean()),
        recall=recall,
    )


def interval_over_speakers(
    heard: Sequence[Heard], *, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of UAR when other speakers like these had been recorded (bootstrap)."""
    speakers = sorted({one.example.speaker for one in heard})
    right = np.zeros((len(speakers), len(EMOTIONS)))
    count = np.zeros_like(right)
    for one, told in zip(heard, file_probabilities(heard), strict=True):
        place = speakers.index(one.example.speaker), EMOTIONS.index(one.example.emotion)
        count[place] += 1
        right[place] += told.argmax() == place[1]
    random = np.random.default_rng(seed)
    drawn = random.integers(len(speakers), size=(draws, len(speakers)))
    with np.errstate(invalid="ignore"):
        uars = np.nanmean(right[drawn].sum(axis=1) / count[drawn].sum(axis=1), axis=1)
    low, high = np.percentile(uars, [2.5, 97.5])
    return float(low), float(high)


def fit_temperature(heard: Sequence[Heard]) -> float:
    """The temperature under which the recordings' own emotions are likeliest."""
    tried = np.geomspace(0.5, 2.0, 57)
    return float(min(tried, key=lambda temperature: score(heard, float(temperature)).nll))
