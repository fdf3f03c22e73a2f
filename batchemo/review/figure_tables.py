"""The figures of a review as tables of text, for the terminal and for the page, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TypedDict

from batchemo.common.text import counted, for_display
from batchemo.review.agreement import Agreement
from batchemo.review.candidates import Candidates
from batchemo.review.figures import Figures, Share
from batchemo.tables.labels import Key

NAMED = 3
"""Recordings that are named for a cell of the confusion."""


class FigureTable(TypedDict):
    """A table of text."""

    title: str
    columns: list[str]
    rows: list[list[str]]


def figure_tables(figures: Figures, candidates: Candidates) -> list[FigureTable]:
    """Return all figures as tables."""
    return [
        _basis(figures),
        _precision(figures),
        _confusion(figures, candidates),
        _behind(figures, candidates),
        _confidence(figures),
        _thresholds(figures),
        *agreement_tables(figures.agreement),
    ]


def figures_json(figures: Figures, candidates: Candidates) -> dict[str, Any]:
    """Return all figures as plain values, with the recordings behind each cell."""
    values = asdict(figures)
    del values["labels"], values["weights"]
    values["confusion"] = [
        {
            "label": label,
            "predicted": predicted,
            "recordings": [
                {
                    **candidates.keys[row]._asdict(),
                    "confidence": float(candidates.confidence[row]),
                    "weight": float(figures.weights[row]),
                }
                for row in rows
            ],
        }
        for (label, predicted), rows in sorted(figures.confusion.items())
    ]
    return values


def agreement_tables(found: Agreement) -> list[FigureTable]:
    """Return the agreement of reviewers; no table where no recording has two labels."""
    if not found.recordings:
        return []
    rows = [
        [
            *map(for_display, pair.reviewers),
            str(pair.recordings),
            percent(pair.agreeing),
            _number(pair.kappa),
        ]
        for pair in found.pairs
    ]
    title = (
        f"Agreement of reviewers: Krippendorff's α {_number(found.alpha)}, of "
        f"{counted(found.recordings, 'recording')} with two labels or more"
    )
    return [_table(title, ["reviewer", "and", "recordings", "agree", "Cohen's κ"], rows)]


def percent(share: float | None) -> str:
    """Format a share.

    >>> percent(0.755), percent(None)
    ('75.5 %', '–')
    """
    return "–" if share is None else f"{share:.1%}".replace("%", " %")


def _basis(figures: Figures) -> FigureTable:
    if figures.is_random:
        basis = f"a random sample of {counted(figures.used, 'recording')}"
    else:
        basis = (
            f"all {counted(figures.used, 'label')}, which are no random sample: estimates may be "
            "off (--by random asks for one)"
        )
    rows = [
        ["recordings answered", str(figures.answers)],
        ["of these without a single label", str(figures.unsure)],
        ["answered, but not in the table", str(figures.elsewhere)],
        ["answers after the prediction was shown", str(figures.shown)],
        ["figures come from", basis],
        ["correct predictions", _with_interval(figures.accuracy)],
    ]
    return _table("Labels", ["", ""], rows)


def _precision(figures: Figures) -> FigureTable:
    rows = [
        [
            for_display(each.label),
            f"{each.predicted:,}",
            str(each.precision.answers),
            _with_interval(each.precision),
        ]
        for each in figures.precision
    ]
    return _table("Precision", ["predicted", "recordings", "labels", "have it"], rows)


def _confusion(figures: Figures, candidates: Candidates) -> FigureTable:
    own = list(candidates.labels)
    others = sorted({label for label, _ in figures.confusion if label not in own})
    given = {label for label, _ in figures.confusion}
    rows = []
    for label in [*(each for each in own if each in given), *others]:
        cells = [len(figures.confusion.get((label, predicted), [])) for predicted in own]
        rows.append([for_display(label), *(str(cell) if cell else "·" for cell in cells)])
    return _table("Confusion: labels and predictions", ["label", *map(for_display, own)], rows)


def _behind(figures: Figures, candidates: Candidates) -> FigureTable:
    """Return examples of what was predicted otherwise than it was labelled."""
    wrong = [
        (label, predicted, rows)
        for (label, predicted), rows in figures.confusion.items()
        if label != predicted
    ]
    wrong.sort(key=lambda cell: (-len(cell[2]), cell[:2]))
    lines = []
    for label, predicted, rows in wrong:
        names = [_name(candidates.keys[row]) for row in rows[:NAMED]]
        more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
        lines.append([for_display(label), for_display(predicted), ", ".join(names) + more])
    return _table("Predicted otherwise", ["label", "predicted", "recordings"], lines)


def _confidence(figures: Figures) -> FigureTable:
    rows = [
        [
            f"{each.low:g} to {each.high:g}",
            f"{each.recordings:,}",
            percent(each.confidence),
            str(each.correct.answers),
            _with_interval(each.correct),
        ]
        for each in figures.confidence
        if each.recordings
    ]
    columns = ["confidence", "recordings", "mean", "labels", "correct"]
    return _table("Confidence and truth", columns, rows)


def _thresholds(figures: Figures) -> FigureTable:
    rows = []
    for each in figures.thresholds:
        label = "all" if each.label is None else for_display(each.label)
        if each.confidence is None or each.precision is None:
            rows.append([label, "not known", "", ""])
        else:
            interval = _with_interval(each.precision)
            rows.append([label, f"{each.confidence:.3f}", percent(each.kept), interval])
    title = f"Least confidence for a precision of {percent(figures.wanted)}"
    return _table(title, ["predicted", "confidence", "keeps", "precision"], rows)


def _table(title: str, columns: Sequence[str], rows: list[list[str]]) -> FigureTable:
    return {"title": title, "columns": list(columns), "rows": rows}


def _with_interval(share: Share) -> str:
    if share.share is None or share.low is None or share.high is None:
        return "–"
    return f"{percent(share.share)} ({100 * share.low:.0f}–{100 * share.high:.0f})"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _name(key: Key) -> str:
    times = "" if key.start is None or key.end is None else f" {key.start:g}–{key.end:g} s"
    return for_display(key.file) + times
