"""A model card says what the model is, how good, what it must not be, and how to make it again."""

from __future__ import annotations

from typing import Any

import pytest
from made_predictions import make_evaluation

from batchemo.evaluation import figures_for_card
from batchemo.training.export.model_card import write_system_card

CHOSEN = {"number": 4, "validation_uar": 0.5, "validation_accuracy": 0.6}


def make_info(**training: Any) -> dict[str, Any]:
    return {
        "name": "mine",
        "description": "A net.",
        "labels": ["sad", "happy"],
        "recipe": {"name": "mfcc40", "rate": 22050},
        "window": 3.0,
        "licence": "CC BY-NC-SA 4.0",
        "citations": ["Somebody (2018)"],
        "training": {
            "corpora": {"made": {"recordings": 1200, "speakers": 0}},
            "command": "batchemo train made --recipe mfcc40 -o mine",
            "options": {"epochs": 9, "copies": [], "watched": ["a", "b"]},
            **training,
        },
    }


def card(**training: Any) -> str:
    return write_system_card(make_info(**training), figures_for_card([make_evaluation()]))


def test_it_says_what_it_is_and_what_it_is_not() -> None:
    told = " ".join(card().split())

    assert told.startswith("# mine A net. It hears speech at 22,050 Hz in windows of 3 s")
    assert "each of 2 labels a probability: sad, happy." in told
    assert "how an expression *sounds*" in told
    assert "**not what a person feels**" in told
    assert "no ground for decisions about people" in told
    assert "**at work or in education are prohibited** (AI Act" in told
    assert "Article 5(1)(f)" in told


def test_figures_stand_with_their_protocol_before_the_use_and_in_full_after_it() -> None:
    titles = [line for line in card().splitlines() if line.startswith("## ")]

    assert titles == [
        "## How well it does",
        "## What the output is, and what it is not",
        "## On speakers that are not in its training data",
        "## Limits",
        "## How it was trained",
        "## Licence",
    ]
    assert "Protocol `speaker`, 2 seeds, 72 recordings: How speaker splits." in card()


def test_without_figures_it_says_so_and_how_to_get_some() -> None:
    told = write_system_card(make_info(), figures_for_card([]))

    assert "It was not evaluated: `batchemo evaluate` gives its figures" in told
    assert "UAR" not in told


def test_what_was_watched_made_its_figures_hopeful() -> None:
    told = card(watched={"ann": 8, "ben": 4}, chosen=CHOSEN, epochs=9)

    assert "12 of these recordings (ann, ben) were only watched" in told
    assert "Epoch 5 of 9: UAR 0.500, accuracy 0.600 on them (it was chosen by these: hope" in told


@pytest.mark.parametrize(
    ("training", "told"),
    [
        ({"watched": {"": 3}}, "3 of these recordings (speakers not known) were only watched"),
        ({"watched": {}}, "It learnt from all of them; none was watched"),
        ({"nets": 3}, "3 nets, each by a seed of its own, answer together."),
        ({"nets": 1, "chosen": None}, "It learnt from all of them"),
    ],
)
def test_it_tells_of_each_training_what_there_is_to_tell(
    training: dict[str, Any], told: str
) -> None:
    assert told in card(**training)
    assert "Epoch" not in card(**training)


def test_the_last_epoch_of_a_training_without_watching_has_no_figures() -> None:
    last = {"number": 8, "validation_uar": None, "validation_accuracy": None}

    assert "Epoch 9 of 9. `training.csv`" in card(watched={}, chosen=last, epochs=9)


def test_the_command_the_choices_and_what_to_cite_are_there() -> None:
    told = card()

    assert "- made: 1,200 recordings of unknown speakers" in told
    assert "\n    batchemo train made --recipe mfcc40 -o mine\n" in told
    assert "| epochs | 9 |" in told
    assert "| copies | none |" in told
    assert "| watched | a, b |" in told
    assert "The weights: CC BY-NC-SA 4.0.\nCite these:\n\n- Somebody (2018)" in told
