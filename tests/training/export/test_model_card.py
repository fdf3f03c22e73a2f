"""A model card says what the model is, how good, what it is not meant for, and how to train it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from made_predictions import make_evaluation
from tiny_bundle import tiny_info

from batchemo.evaluation import figures_for_card
from batchemo.features import get_feature_set
from batchemo.training.export.encoder_terms import ENCODER_LICENCES
from batchemo.training.export.model_card import write_model_card

SELECTED = {"number": 4, "validation_uar": 0.5, "validation_accuracy": 0.6}


def made_info(
    training: dict[str, Any] | None = None, *, waveform: bool = False, **changes: Any
) -> dict[str, Any]:
    info = tiny_info(
        ["sad", "happy"],
        name="mine",
        description="A net.",
        waveform=waveform,
        features=get_feature_set("mfcc40").to_dict(),
        licences={
            "weights": "CC BY-NC-SA 4.0",
            "training_data": {"made": "CC BY-NC-SA 4.0", "calls": "not known"},
        },
        citations=["Somebody (2018)"],
        training={
            "corpora": {
                "made": {"recordings": 1200, "speakers": 0, "languages": ["pl"]},
                "calls": {"recordings": 9, "speakers": 3, "languages": ["en", "no"]},
            },
            "net": "mfcc40",
            "nets": 1,
            "command": "batchemo train made --recipe mfcc40 -o mine",
            "options": {"epochs": 9, "augmentations": [], "of": ["a", "b"]},
            **(training or {}),
        },
    )
    return {**info, **changes}


def made_card(training: dict[str, Any] | None = None, **changes: Any) -> str:
    return write_model_card(made_info(training, **changes), figures_for_card([make_evaluation()]))


def front_matter(card: str) -> list[str]:
    return card.split("---\n")[1].splitlines()


def test_it_begins_with_the_metadata_that_hugging_face_reads() -> None:
    assert front_matter(made_card()) == [
        "license: cc-by-nc-sa-4.0",
        "language:",
        "- en",
        '- "no"',
        "- pl",
        "library_name: batchemo",
        "pipeline_tag: audio-classification",
        "tags:",
        "- speech-emotion-recognition",
        "- emotion",
        "- speech",
        "- onnx",
        "- batchemo",
        "datasets:",
        "- calls",
        "- made",
        "metrics:",
        "- recall",
        "- accuracy",
        "- f1",
        "- brier_score",
    ]


def test_a_licence_without_an_identifier_is_named() -> None:
    licences = {"weights": 'not stated: "yet"', "training_data": {}}

    lines = front_matter(made_card(licences=licences))

    assert lines[:2] == ["license: other", r'license_name: "not stated: \"yet\""']


@pytest.mark.parametrize("name", ["a: b", "- x", "Yes", "1", "#", "x\ny", "”", "", "a\n---\n"])
def test_names_that_mean_something_in_yaml_are_quoted(name: str) -> None:
    corpora = {name: {"recordings": 1, "speakers": 1, "languages": []}}

    lines = front_matter(made_card({"corpora": corpora}))

    # A text quoted as in JSON is one in YAML, too.
    assert json.loads(lines[lines.index("datasets:") + 1].removeprefix("- ")) == name


def test_it_says_what_the_model_takes_and_gives_and_what_that_is_not() -> None:
    text = " ".join(made_card().partition("\n# ")[2].split())

    assert text.startswith("mine A net. - On speakers that are not in its training data: UAR **0.")
    assert "The input is speech at 22,050 Hz in windows of 3 s" in text
    assert "as the feature set `mfcc40`" in text
    assert "each of 2 labels: sad, happy." in text
    assert "how an expression *sounds*" in text
    assert "**not what a person feels**" in text
    assert "no ground for decisions about people" in text
    assert "**at work or in education are prohibited** (AI Act" in text
    assert "Article 5(1)(f)" in text


def test_a_model_of_waveforms_takes_samples() -> None:
    text = " ".join(made_card(waveform=True).split())

    assert "speech at 16,000 Hz in windows of 3 s, as samples." in text


def test_figures_stand_with_their_protocol_before_the_use_and_in_full_after_it() -> None:
    card = made_card()

    assert [line for line in card.splitlines() if line.startswith("## ")] == [
        "## Evaluation",
        "## Intended use",
        "## On speakers that are not in its training data",
        "## Limitations",
        "## Training",
        "## Licences",
    ]
    assert "Protocol `speaker`, 2 seeds, 72 recordings: How speaker splits." in card


def test_without_figures_it_says_so_and_how_to_measure_some() -> None:
    card = write_model_card(made_info(), figures_for_card([]))

    assert "The model was not evaluated: `batchemo evaluate` measures it" in card
    assert "metrics:" not in card
    assert "UAR" not in card


def test_figures_of_the_validation_are_called_optimistic() -> None:
    training = {"validation": {"ann": 8, "ben": 4}, "selected_epoch": SELECTED, "epochs": 9}
    card = " ".join(made_card(training).split())

    assert "12 of these recordings (ann, ben) were held out for validation" in card
    assert "Epoch 5 of 9: UAR 0.500, accuracy 0.600 on the validation recordings (optim" in card


@pytest.mark.parametrize(
    ("training", "sentence"),
    [
        ({"validation": {"": 3}}, "3 of these recordings (speakers not known) were held out"),
        ({"validation": {}}, "All of them were trained on; none was held out for validation."),
        ({"nets": 3}, "The model is the mean of 3 nets `mfcc40`."),
        ({"selected_epoch": None}, "All of them were trained on"),
    ],
)
def test_it_says_of_a_training_what_applies(training: dict[str, Any], sentence: str) -> None:
    card = made_card(training)

    assert sentence in card
    assert "Epoch" not in card


def test_the_last_epoch_of_a_training_without_validation_has_no_figures() -> None:
    last = {"number": 8, "validation_uar": None, "validation_accuracy": None}
    training = {"validation": {}, "selected_epoch": last, "epochs": 9}

    assert "Epoch 9 of 9. `training.csv`" in made_card(training)


def test_command_hyperparameters_licences_and_citations_are_there() -> None:
    card = made_card()

    assert "- made: 1,200 recordings of unknown speakers" in card
    assert "\n    batchemo train made --recipe mfcc40 -o mine\n" in card
    assert "| epochs | 9 |" in card
    assert "| augmentations | none |" in card
    assert "| of | a, b |" in card
    assert "- weights: CC BY-NC-SA 4.0\n- training data, made: CC BY-NC-SA 4.0\n" in card
    assert "- training data, calls: not known\n\nPlease cite:\n\n- Somebody (2018)" in card


def test_a_model_with_the_encoder_has_its_licence_texts_and_others_have_not() -> None:
    licences = {"weights": "MIT", "training_data": {"calls": "not known", **ENCODER_LICENCES}}

    card = made_card(licences=licences)

    assert "- training data, calls: not known\n- pretrained encoder, Whisper tiny: MIT\n" in card
    for notice in ("(c) 2022 OpenAI", "2024–2026, Daily", "680,000 hours"):
        assert notice in card
        assert notice not in made_card()
