"""Made predictions: what models might have predicted, correct as often as wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from batchemo.corpora import Example
from batchemo.evaluation import Evaluation, EvaluationInfo, evaluate
from batchemo.evaluation.predictions import Prediction

LABELS = ("sad", "happy", "angry")


def make_info(protocol: str = "speaker", subject: str = "mfcc40") -> EvaluationInfo:
    return EvaluationInfo(
        subject=subject,
        kind="recipe",
        protocol=protocol,
        protocol_description=f"How {protocol} splits.",
    )


def make_prediction(
    emotion: str,
    predicted: str,
    *,
    speaker: str = "a",
    fold: str = "1",
    seed: int = 0,
    confidence: float = 1.0,
    labels: Sequence[str] = LABELS,
    name: str = "",
    variant: str = "original",
    gender: str = "female",
    uncalibrated: float | None = None,
) -> Prediction:
    """One recording, predicted with a confidence; the other labels share the rest."""
    path = Path(name or f"{speaker}-{emotion}.wav")
    example = Example(path, "made", speaker, gender, emotion, "normal")
    probabilities = _probabilities(predicted, confidence, labels)
    before = () if uncalibrated is None else _probabilities(predicted, uncalibrated, labels)
    return Prediction(example, variant, fold, seed, probabilities, before)


def _probabilities(predicted: str, confidence: float, labels: Sequence[str]) -> tuple[float, ...]:
    rest = (1 - confidence) / (len(labels) - 1)
    return tuple(confidence if label == predicted else rest for label in labels)


def random_predictions(
    *,
    seeds: int = 2,
    speakers: int = 6,
    takes: int = 4,
    labels: Sequence[str] = LABELS,
    random_seed: int = 0,
) -> list[Prediction]:
    """Every speaker expresses every emotion in some takes; about two in three are correct."""
    random = np.random.default_rng(random_seed)
    return [
        make_prediction(
            emotion,
            emotion if random.random() < 2 / 3 else str(random.choice(labels)),
            speaker=f"actor-{speaker}",
            fold=f"fold {speaker % 3}",
            seed=seed,
            confidence=float(random.uniform(0.5, 1)),
            labels=labels,
            name=f"{speaker}-{emotion}-{take}.wav",
            gender=("female", "male")[speaker % 2],
        )
        for seed in range(seeds)
        for speaker in range(speakers)
        for emotion in labels
        for take in range(takes)
    ]


def make_evaluation(
    protocol: str = "speaker", subject: str = "mfcc40", random_seed: int = 0
) -> Evaluation:
    predictions = random_predictions(random_seed=random_seed)
    return evaluate(predictions, LABELS, info=make_info(protocol, subject))
