"""A card tells all that was measured, each figure where it belongs, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace

from made_predictions import LABELS, make_evaluation, make_info, make_prediction, random_predictions

from batchemo.evaluation import (
    CorpusCounts,
    Evaluation,
    EvaluationInfo,
    evaluate,
    figures_for_card,
    key_of,
    pictures_for_card,
)
from batchemo.evaluation.predictions import Prediction


def other_corpora_share(corpus: str = "emovo", language: str = "it") -> Evaluation:
    """A finished model on a corpus that it did not learn from."""
    what = EvaluationInfo(
        subject="mfcc40",
        kind="bundle",
        protocol="speaker",
        protocol_description="The finished model.",
        corpora={corpus: CorpusCounts(72, 6)},
    )
    every = [
        replace(one, example=replace(one.example, language=language))
        for one in random_predictions(seeds=1, luck=3)
    ]
    return evaluate(every, LABELS, info=what)


def whole() -> Evaluation:
    """An evaluation with everything that there can be."""
    every = [replace(one, uncalibrated=one.probabilities) for one in random_predictions(takes=6)]
    return evaluate([*every, *under("mp3", every[1:])], LABELS, info=make_info())


def under(name: str, every: list[Prediction]) -> list[Prediction]:
    return [replace(one, variant=name) for one in every]


def section(text: str, title: str) -> str:
    _, found = text.split(f"{title}\n")
    return found.split("\n##")[0].split("\n###")[0]


def test_recipes_are_called_by_protocol_and_finished_models_by_what_they_heard() -> None:
    assert key_of(make_evaluation("random")) == "random"
    assert key_of(other_corpora_share()) == "speaker-emovo"

    card = figures_for_card(
        [other_corpora_share("urdu", "ur"), other_corpora_share(), make_evaluation()]
    )

    assert list(card.figures) == ["speaker", "speaker-emovo", "speaker-urdu"]
    lines = card.table.splitlines()[2:]
    assert lines[0].startswith("| `speaker`: on speakers that are not in its training data |")
    assert lines[1].startswith("| the finished model on emovo (language: it), `speaker`: on")
    titles = [line for line in card.chapters.splitlines() if line.startswith("## ")]
    assert titles == [
        "## On speakers that are not in its training data",
        "## The finished model on emovo (language: it), on speakers that are not in its training data",
        "## The finished model on urdu (language: ur), on speakers that are not in its training data",
    ]


def test_random_and_leaky_have_a_line_and_no_chapter() -> None:
    card = figures_for_card([make_evaluation("random"), make_evaluation("leaky")])

    assert len(card.table.splitlines()) == 4
    assert card.chapters == ""
    assert pictures_for_card([make_evaluation("random")]) == {}


def test_other_subjects_stand_beside_it_in_the_table_and_nowhere_else() -> None:
    control = make_evaluation(subject="functionals", luck=2)

    card = figures_for_card([make_evaluation()], [control])

    *_, last = card.table.splitlines()
    assert last.startswith(
        "| beside it, `functionals`, `speaker`: on speakers that are not in its training data"
    )
    assert f"{control.figures['uar'].mean:.3f}" in last
    assert list(card.figures) == ["speaker"]
    assert card.chapters.count("\n### By class") == 1


def test_a_chapter_tells_everything_that_was_measured() -> None:
    found = whole()

    told = figures_for_card([found]).chapters

    assert "108 recordings of 6 speakers, 3 classes: UAR" in told
    assert "The mean of 2 seeds ± their standard deviation" in told
    assert f"| sad | 36 | {found.classes[0].recall:.3f} |" in section(told, "### By class")
    share = found.confusion.shares[0][0] or 0
    assert f"| sad | {100 * share:.0f} |" in section(told, "### By class")
    assert section(told, "### By fold").count("| fold ") == 4
    assert "| gender: male | 54 |" in section(told, "### By group")
    assert "| speaker: actor-3 | 18 |" in section(told, "### By group")
    assert "intensity" not in section(told, "### By group"), "all are of one intensity"
    assert "| ECE | " in section(told, "### Calibration")
    assert "before calibration" in section(told, "### Calibration")
    kept = {one.coverage: one for one in found.coverage}[0.8]
    row = f"| 80% | {kept.accuracy:.3f} | {kept.confidence:.3f} |"
    assert row in section(told, "### Coverage")
    grouped = section(told, "### Grouped by speaker")
    assert "| grouped by speaker (18 recordings each, no labels) | " in grouped
    otherwise = section(told, "### Heard otherwise")
    assert "| as they are | 108 |  | " in otherwise
    assert "| MP3, mono, 44.1 kHz, about 50 kbit/s (VBR) | 108 | 0 | " in otherwise


def test_a_chapter_leaves_out_what_was_not_measured() -> None:
    found = evaluate([make_prediction("sad", "sad", speaker="")], LABELS, info=make_info())

    told = figures_for_card([found]).chapters

    titles = [line for line in told.splitlines() if line.startswith("###")]
    assert titles == ["### By class", "### Calibration", "### Coverage"]
    assert "before calibration" not in told
    assert "1 recording, 3 classes" in told
    assert "One seed; in brackets" in told


def test_the_headline_is_drawn_and_shown() -> None:
    every = [other_corpora_share(), make_evaluation()]

    pictures = pictures_for_card(every)

    told = figures_for_card(every).chapters
    assert set(pictures) == {"coverage.png", "reliability.png"}
    assert all(content.startswith(b"\x89PNG") for content in pictures.values())
    assert [told.count(f"]({name})") for name in pictures] == [1, 1]


def test_bundle_json_gets_what_the_card_tells() -> None:
    found = whole()

    facts = figures_for_card([found]).figures["speaker"]

    assert json.loads(json.dumps(facts)) == facts
    assert facts["uar"]["mean"] == found.figures["uar"].mean
    assert facts["accuracy_at_80"]["mean"] == found.figures["accuracy_at_80"].mean
    assert facts["ece_uncalibrated"]["mean"] == found.figures["ece_uncalibrated"].mean
    assert found.speaker_adapted
    assert (
        facts["speaker_adapted"]["figures"]["uar"]["mean"]
        == found.speaker_adapted.figures["uar"].mean
    )
    assert facts["conditions"][0]["name"] == "mp3"
    assert facts["groups"]["gender"][0]["name"] == "female"


def test_no_name_is_taken_for_markup() -> None:
    labels = ("a|b", "<img src=x>")
    every = [
        make_prediction(label, label, labels=labels, speaker=f"[x](y) {n}", gender="*")
        for n, label in enumerate(labels)
    ]

    told = figures_for_card([evaluate(every, labels, info=make_info())]).chapters

    assert "| a\\|b | 1 | 1.000 |" in told
    assert "<img" not in told.replace("\\<", "")
    assert "[x]" not in told
