"""A card shows all that was measured, each figure where it belongs, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace

from made_predictions import LABELS, make_evaluation, make_info, make_prediction, random_predictions

from batchemo.evaluation import (
    CorpusCounts,
    Evaluation,
    EvaluationInfo,
    conditions_markdown,
    evaluate,
    evaluation_key,
    figures_for_card,
    plots_for_card,
)


def finished_model_on(corpus: str = "emovo", language: str = "it") -> Evaluation:
    """A finished model on a corpus that it was not trained on."""
    info = EvaluationInfo(
        subject="mfcc40",
        kind="bundle",
        protocol="speaker",
        protocol_description="The finished model.",
        corpora={corpus: CorpusCounts(72, 6)},
    )
    predictions = [
        replace(one, example=replace(one.example, language=language))
        for one in random_predictions(seeds=1, random_seed=3)
    ]
    return evaluate(predictions, LABELS, info=info)


def everything() -> Evaluation:
    """An evaluation with everything that there can be."""
    predictions = [
        replace(one, uncalibrated=one.probabilities) for one in random_predictions(takes=6)
    ]
    under_mp3 = [replace(one, variant="mp3") for one in predictions[1:]]
    return evaluate([*predictions, *under_mp3], LABELS, info=make_info())


def section(text: str, title: str) -> str:
    _, found = text.split(f"{title}\n")
    return found.split("\n##")[0].split("\n###")[0]


def test_keys_are_the_protocol_and_for_finished_models_the_corpora_too() -> None:
    assert evaluation_key(make_evaluation("random")) == "random"
    assert evaluation_key(finished_model_on()) == "speaker-emovo"


def test_the_headline_is_first_and_finished_models_follow_by_corpus() -> None:
    card = figures_for_card(
        [finished_model_on("urdu", "ur"), finished_model_on(), make_evaluation()]
    )

    assert list(card.figures) == ["speaker", "speaker-emovo", "speaker-urdu"]
    rows = card.table.splitlines()[2:]
    assert rows[0].startswith("| `speaker`: on speakers that are not in its training data |")
    assert rows[1].startswith("| the finished model on emovo (language: it), `speaker`: on")
    titles = [line for line in card.chapters.splitlines() if line.startswith("## ")]
    on_new_speakers = "n speakers that are not in its training data"
    assert titles == [
        f"## O{on_new_speakers}",
        f"## The finished model on emovo (language: it), o{on_new_speakers}",
        f"## The finished model on urdu (language: ur), o{on_new_speakers}",
    ]


def test_protocols_are_rows_in_a_fixed_order() -> None:
    evaluations = [make_evaluation(protocol) for protocol in ("leaky", "speaker", "random")]

    card = figures_for_card(evaluations)

    rows = card.table.splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == ["speaker", "random", "leaky"]
    assert "LEAKY" in rows[-1]
    assert list(card.figures) == ["speaker", "random", "leaky"]
    assert card.figures["speaker"]["uar"]["mean"] == evaluations[1].figures["uar"].mean
    assert set(card.figures["leaky"]["recall"]) == set(LABELS)
    assert "not a measure" in card.figures["leaky"]["tested_on"]


def test_random_and_leaky_have_a_row_and_no_chapter() -> None:
    card = figures_for_card([make_evaluation("random"), make_evaluation("leaky")])

    assert len(card.table.splitlines()) == 4
    assert card.chapters == ""
    assert plots_for_card([make_evaluation("random")]) == {}


def test_other_subjects_are_compared_in_the_table_and_nowhere_else() -> None:
    other = make_evaluation(subject="functionals", random_seed=2)

    card = figures_for_card([make_evaluation()], [other])

    *_, last = card.table.splitlines()
    assert last.startswith(
        "| for comparison, `functionals`, `speaker`: on speakers that are not in its training data"
    )
    assert f"{other.figures['uar'].mean:.3f}" in last
    assert list(card.figures) == ["speaker"]
    assert card.chapters.count("\n### By class") == 1


def left_out_corpora() -> Evaluation:
    """Two corpora that were left out, and plain speech of which a quarter is claimed."""
    labels = (*LABELS, "neutral")
    corpora = {"acted": LABELS, "other": LABELS[:2], "plain": ["neutral"] * 4}
    predictions = [
        replace(one, example=replace(one.example, corpus=corpus, language=language))
        for (corpus, emotions), language in zip(corpora.items(), ("pl", "de", "ko"), strict=True)
        for number, emotion in enumerate(emotions)
        for one in [
            make_prediction(
                emotion,
                "sad" if number == 0 else emotion,
                labels=labels,
                fold=corpus,
                name=f"{corpus}{number}",
            )
        ]
    ]
    return evaluate(predictions, labels, info=make_info("corpus"))


def test_new_speakers_and_new_corpora_stand_on_the_first_lines() -> None:
    speaker, corpus = figures_for_card([left_out_corpora(), make_evaluation()]).first_lines.split(
        "\n", 1
    )

    uar = make_evaluation().figures["uar"]
    assert speaker.startswith(
        f"- On speakers that are not in its training data: UAR **{uar.mean:.3f} ±"
    )
    assert corpus == (
        "- On corpora and languages that are not in its training data: UAR **1.000** (mean of 2"
        " corpora; chance 0.417); an emotion is claimed for 25% of plain speech, ECE 0.000\n"
    )
    assert figures_for_card([make_evaluation("random")]).first_lines == ""


def test_left_out_corpora_have_a_row_after_new_speakers_and_a_chapter_with_a_table() -> None:
    card = figures_for_card([left_out_corpora(), make_evaluation("random"), make_evaluation()])

    assert list(card.figures) == ["speaker", "corpus", "random"]
    chapter = card.chapters.partition("## On corpora and languages")[2]
    rows = [line for line in section(chapter, "### By corpus").splitlines() if line[:1] == "|"]
    assert rows[2:] == [
        "| acted | pl | 3 | 1 | 3 | 1.000 | 0.333 | 1.000 | 1.000 | 1.000 | 0.000 | — |",
        "| other | de | 2 | 1 | 2 | 1.000 | 0.500 | 1.000 | 1.000 | 1.000 | 0.000 | — |",
        "| plain | ko | 4 | 1 | 1 | — | — | — | 0.750 | 1.000 | 0.250 | 0.250 |",
        "| mean | — | — | — | — | 1.000 | 0.417 | 1.000 | 1.000 | 1.000 | 0.000 | 0.250 |",
    ]
    assert "### By fold" not in chapter
    assert [of["corpus"] for of in card.figures["corpus"]["by_corpus"]] == [
        *("acted", "other", "plain"),
    ]


def test_a_single_corpus_has_no_table_of_corpora() -> None:
    assert "### By corpus" not in figures_for_card([make_evaluation()]).chapters


def test_a_chapter_shows_everything_that_was_measured() -> None:
    found = everything()

    text = figures_for_card([found]).chapters

    assert "108 recordings of 6 speakers, 3 classes: UAR" in text
    assert "The mean of 2 seeds ± their standard deviation" in text
    assert f"| sad | 36 | {found.classes[0].recall:.3f} |" in section(text, "### By class")
    share = found.confusion.shares[0][0] or 0
    assert f"| sad | {100 * share:.0f} |" in section(text, "### By class")
    assert section(text, "### By fold").count("| fold ") == 4
    assert "| gender: male | 54 |" in section(text, "### By group")
    assert "| speaker: actor-3 | 18 |" in section(text, "### By group")
    assert "intensity" not in section(text, "### By group"), "all are of one intensity"
    assert "| ECE | " in section(text, "### Calibration")
    assert "before calibration" in section(text, "### Calibration")
    point = {point.coverage: point for point in found.coverage}[0.8]
    row = f"| 80% | {point.accuracy:.3f} | {point.confidence:.3f} |"
    assert row in section(text, "### Coverage")
    adapted = section(text, "### Adapted to each speaker")
    assert "| adapted to each speaker (18 recordings each, no labels) | " in adapted
    conditions = section(text, "### Under other recording conditions")
    assert "| unchanged | 108 | — | " in conditions
    assert "| MP3, mono, 44.1 kHz, about 50 kbit/s (VBR) | 108 | 0 | " in conditions
    assert conditions_markdown(found) in conditions


def test_a_chapter_leaves_out_what_was_not_measured() -> None:
    found = evaluate([make_prediction("sad", "sad", speaker="")], LABELS, info=make_info())

    text = figures_for_card([found]).chapters

    titles = [line for line in text.splitlines() if line.startswith("###")]
    assert titles == ["### By class", "### Calibration", "### Coverage"]
    assert "before calibration" not in text
    assert "1 recording, 3 classes" in text
    assert "One seed; in brackets" in text


def test_the_plots_of_the_headline_are_on_the_card() -> None:
    evaluations = [finished_model_on(), make_evaluation()]

    plots = plots_for_card(evaluations)

    text = figures_for_card(evaluations).chapters
    assert set(plots) == {"coverage.png", "reliability.png"}
    assert all(content.startswith(b"\x89PNG") for content in plots.values())
    assert [text.count(f"]({name})") for name in plots] == [1, 1]


def test_bundle_json_gets_the_figures_of_the_card() -> None:
    found = everything()

    figures = figures_for_card([found]).figures["speaker"]

    assert json.loads(json.dumps(figures)) == figures
    assert figures["uar"]["mean"] == found.figures["uar"].mean
    assert figures["accuracy_at_80"]["mean"] == found.figures["accuracy_at_80"].mean
    assert figures["ece_uncalibrated"]["mean"] == found.figures["ece_uncalibrated"].mean
    assert found.speaker_adapted
    adapted = figures["speaker_adapted"]["figures"]
    assert adapted["uar"]["mean"] == found.speaker_adapted.figures["uar"].mean
    assert figures["conditions"][0]["name"] == "mp3"
    assert figures["groups"]["gender"][0]["name"] == "female"


def test_no_name_is_taken_for_markup() -> None:
    labels = ("a|b", "<img src=x>")
    predictions = [
        make_prediction(label, label, labels=labels, speaker=f"[x](y) {n}", gender="*")
        for n, label in enumerate(labels)
    ]

    text = figures_for_card([evaluate(predictions, labels, info=make_info())]).chapters

    assert "| a\\|b | 1 | 1.000 |" in text
    assert "<img" not in text.replace("\\<", "")
    assert "[x]" not in text
