"""An evaluation is shown with its protocol first, and fits where it is shown."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from made_predictions import LABELS, make_evaluation, make_info, make_prediction, random_predictions

from batchemo.cli.output.evaluation_report import show_evaluation
from batchemo.evaluation import Evaluation, evaluate


def shown(evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch, columns: int = 80) -> str:
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = io.StringIO()
    show_evaluation(evaluation, stream)
    return stream.getvalue()


SMALL = """\
mfcc40, protocol random — on other recordings of speakers in its training data
How random splits.
4 recordings of 4 speakers, 1 fold, 1 seed
2 recordings left out: too short
a note

figure                       mean   95 % of speakers   ± seeds   ± folds
────────────────────────────────────────────────────────────────────────
UAR                         0.750        0.500–1.000         —         —
accuracy                    0.750        0.250–1.000         —         —
accuracy at 80 % coverage   0.750                  —         —         —
accuracy at 50 % coverage   0.750                  —         —         —
macro F1                    0.733                  —         —         —
ECE                         0.250                  —         —         —
ECE by chance alone         0.000                  —         —         —
Brier score                 0.500                  —         —         —

class                              support   recall   precision      F1
───────────────────────────────────────────────────────────────────────
sad     ████████████                     2    0.500       1.000   0.667
happy   ████████████████████████         2    1.000       0.667   0.800
angry                                    0        —           —       —

each true class (row) by predicted class (column), in % of the true class
           1     2   3
──────────────────────
1 sad     50    50   0
2 happy    0   100   0
3 angry    —     —   —

speaker   recordings   accuracy     UAR
───────────────────────────────────────
a                  1      1.000   1.000
b                  1      0.000   0.000
c                  1      1.000   1.000
d                  1      1.000   1.000
"""


def test_a_small_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [("sad", "sad"), ("sad", "happy"), ("happy", "happy"), ("happy", "happy")]
    every = [make_prediction(*pair, speaker=name) for pair, name in zip(pairs, "abcd", strict=True)]
    info = replace(make_info("random"), left_out={"too short": 2}, notes=("a note",))

    text = shown(evaluate(every, LABELS, info=info), monkeypatch)

    assert [line.rstrip() for line in text.splitlines()] == SMALL.splitlines()


def test_a_leaky_evaluation_says_so_first(monkeypatch: pytest.MonkeyPatch) -> None:
    first = " ".join(shown(make_evaluation("leaky"), monkeypatch).split()[:12])

    assert first.startswith("mfcc40, protocol leaky — LEAKY: copies of the same")


@pytest.mark.parametrize("columns", [40, 50, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal_and_no_figure_cut(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    text = shown(everything(), monkeypatch, columns)

    assert max(map(len, text.splitlines())) <= columns
    assert "…" not in text
    assert ("± seeds" in text) == (columns >= 60)


def everything() -> Evaluation:
    """With figures before calibration, adapted to speakers, and under a condition."""
    every = [replace(one, uncalibrated=one.probabilities) for one in random_predictions(takes=6)]
    return evaluate(
        [*every, *(replace(one, variant="telephone") for one in every)], LABELS, info=make_info()
    )


def test_adapted_figures_and_conditions_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(everything(), monkeypatch)

    assert "Brier score before calibration" in text
    _, adapted = text.split("adapted to each speaker (18 recordings each, no labels)\n")
    assert adapted.count("UAR ") == 2
    _, conditions = text.split("the same recordings under other recording conditions\n")
    assert "telephone          108" in conditions
    assert "+0.0" in conditions


def test_a_matrix_that_does_not_fit_gives_way_to_the_worst_confusions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labels = tuple(f"feeling {letter}" for letter in "abcdefghijkl")
    many = evaluate(random_predictions(labels=labels), labels, info=make_info())

    assert "most frequent confusions" in shown(many, monkeypatch, 60)
    assert "most frequent confusions" not in shown(many, monkeypatch, 120)


def test_many_speakers_are_cut_short_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    many = evaluate(random_predictions(speakers=30), LABELS, info=make_info())

    text = shown(many, monkeypatch)

    assert "and 18 more" in text


def test_names_move_no_cursor_and_are_not_taken_for_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = ("\x1b[2J", "[red]b[/]")
    every = [make_prediction(label, label, labels=labels, speaker="[/]\n") for label in labels]
    info = replace(make_info(subject="[bold]x\x07"), notes=("\x1b]0;title\x07",))

    text = shown(evaluate(every, labels, info=info), monkeypatch)

    assert not set(text) & {"\x1b", "\x07"}
    assert "[red]b[/]" in text
    assert "[bold]x\\x07" in text


@pytest.mark.parametrize(
    ("columns", "header"),
    [
        (50, ["corpus", "UAR", "chance", "ECE", "emotion", "claimed"]),
        (80, ["corpus", "recordings", "UAR", "chance", "ECE", "emotion", "claimed"]),
        (
            120,
            [
                *("corpus", "language", "recordings", "classes", "UAR", "chance", "ECE"),
                *("mean", "confidence", "accuracy", "emotion", "claimed"),
            ],
        ),
    ],
)
def test_corpora_are_shown_with_their_mean_and_what_plain_speech_is_claimed_to_be(
    monkeypatch: pytest.MonkeyPatch, columns: int, header: list[str]
) -> None:
    labels = (*LABELS, "neutral")
    corpora = {"acted": ("sad", "happy"), "other": ("sad", "angry"), "plain": ("neutral",)}
    predictions = [
        replace(one, example=replace(one.example, corpus=corpus))
        for corpus, emotions in corpora.items()
        for emotion in emotions
        for one in [make_prediction(emotion, "sad", labels=labels, fold=corpus, name=corpus)]
    ]

    text = shown(evaluate(predictions, labels, info=make_info("corpus")), monkeypatch, columns)

    lines = [line.split() for line in text.splitlines()]
    assert header in lines
    rows = {line[0]: line for line in lines if line}
    assert "0.500" in rows["acted"]
    assert rows["plain"][-1] == "1.000"
    assert "0.500" in rows["mean"]
    assert "fold" not in rows
