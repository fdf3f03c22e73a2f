"""Each corpus has figures of its own; of plain speech counts what is claimed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_predictions import make_info, make_prediction

from batchemo.evaluation import Evaluation, evaluate
from batchemo.evaluation.predictions import Prediction
from batchemo.evaluation.results import CorpusFigures

LABELS = ("neutral", "calm", "happy", "sad")


def of_corpus(corpus: str, *pairs: str, seed: int = 0, language: str = "") -> list[Prediction]:
    """Predict recordings written as `true>predicted`."""
    made = []
    for number, pair in enumerate(pairs):
        emotion, predicted = pair.split(">")
        prediction = make_prediction(
            emotion,
            predicted,
            labels=LABELS,
            speaker=f"{corpus}-{number % 4}",
            name=f"{corpus}-{number}.wav",
            fold=corpus,
            seed=seed,
            confidence=0.7,
        )
        example = replace(prediction.example, corpus=corpus, language=language)
        made.append(replace(prediction, example=example))
    return made


ACTED = of_corpus(
    "acted", "happy>happy", "happy>sad", "sad>sad", "sad>sad", "neutral>calm", language="pl"
)
PLAIN = of_corpus(
    "plain", "neutral>neutral", "neutral>calm", "neutral>sad", "neutral>neutral", language="ko"
)


def evaluated(*predictions: Prediction, protocol: str = "corpus") -> Evaluation:
    return evaluate(predictions, LABELS, info=make_info(protocol))


def figures_of(evaluation: Evaluation, corpus: str) -> CorpusFigures:
    [found] = [of for of in evaluation.by_corpus if of.corpus == corpus]
    return found


def test_uar_is_over_the_classes_of_the_corpus_and_chance_is_among_these() -> None:
    found = figures_of(evaluated(*ACTED, *PLAIN), "acted")

    assert (found.recordings, found.speakers, found.classes) == (5, 4, 3)
    assert found.languages == ("pl",)
    assert found.uar
    assert found.uar.mean == pytest.approx((0.5 + 1 + 0) / 3, abs=1e-6)
    assert found.chance == pytest.approx(1 / 3)
    assert found.accuracy == pytest.approx(0.6)
    assert found.confidence == pytest.approx(0.7)
    assert found.ece == pytest.approx(0.1)
    assert found.claimed is None


def test_among_its_classes_the_other_labels_cannot_be_predicted() -> None:
    prediction = replace(ACTED[4], probabilities=(0.3, 0.5, 0.1, 0.1))

    found = figures_of(evaluated(*ACTED[:4], prediction), "acted")

    assert found.uar
    assert found.uar.mean == pytest.approx(0.5)
    assert found.uar_among_classes == pytest.approx(2.5 / 3, abs=1e-6)


def test_of_plain_speech_counts_for_how_much_an_emotion_is_claimed() -> None:
    found = figures_of(evaluated(*ACTED, *PLAIN), "plain")

    assert found.claimed
    assert found.claimed.mean == 0.25, "neither neutral nor calm claims an emotion"
    assert found.claimed.interval_over_speakers
    assert (found.uar, found.chance, found.uar_among_classes) == (None, None, None)


def test_a_corpus_that_is_calm_throughout_is_plain_speech() -> None:
    calm = of_corpus("calm", "calm>calm", "calm>sad")

    found = figures_of(evaluated(*ACTED, *calm), "calm")

    assert found.claimed
    assert found.claimed.mean == 0.5
    assert found.uar is None


def test_plain_speech_has_no_part_in_other_figures() -> None:
    both, acted = evaluated(*ACTED, *PLAIN), evaluated(*ACTED)

    assert both.figures == acted.figures
    assert both.recordings == acted.recordings == 5
    assert both.classes == acted.classes
    assert [fold.fold for fold in both.folds] == ["acted"]


def test_plain_speech_alone_has_all_figures() -> None:
    found = evaluated(*PLAIN, protocol="speaker")

    assert found.figures["accuracy"].mean == 0.5
    assert found.recordings == 4


def test_the_mean_over_corpora_counts_each_the_same_and_has_no_interval() -> None:
    other = of_corpus("other", *["happy>happy", "sad>sad"] * 20)

    found = evaluated(*ACTED, *other)

    assert found.figures["uar"].mean == pytest.approx((0.5 + 1) / 2)
    assert found.figures["uar"].interval_over_speakers is None
    assert evaluated(*ACTED, *other, protocol="speaker").figures["uar"].interval_over_speakers


def test_figures_are_the_mean_over_seeds_and_conditions_have_no_part_in_them() -> None:
    second = of_corpus("acted", *["happy>happy"] * 2, *["sad>sad"] * 2, "neutral>neutral", seed=1)
    second = [replace(one, example=first.example) for one, first in zip(second, ACTED, strict=True)]
    under_mp3 = [replace(one, variant="mp3", probabilities=(1.0, 0, 0, 0)) for one in ACTED]

    found = figures_of(evaluated(*ACTED, *second, *under_mp3), "acted")

    assert found.uar
    assert found.uar.mean == pytest.approx((0.5 + 1) / 2)
    assert found.uar.spread_over_seeds
    assert found.recordings == 5


def test_it_is_read_back_equal() -> None:
    found = evaluated(*ACTED, *PLAIN)

    assert Evaluation.from_dict(found.to_dict()) == found
