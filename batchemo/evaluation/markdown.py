"""An evaluation as Markdown: figures for model cards and pages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchemo.common.text import for_display
from batchemo.evaluation.plots import PICTURES
from batchemo.evaluation.results import (
    FIGURES,
    GROUPINGS,
    PROTOCOL_SUBJECTS,
    UNKNOWN,
    Evaluation,
    Figure,
)

NOTHING = "—"

_MARKUP = re.compile(r"([\\`*_\[\]<>|#$~&!])")


def plain(text: str) -> str:
    r"""Escape what Markdown would take for markup.

    >>> print(plain("a|b <i>"))
    a\|b \<i\>
    """
    return _MARKUP.sub(r"\\\1", for_display(text))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table whose first column holds names.

    >>> print(table(["a", "b"], [["x", "1"]]))
    | a | b |
    | --- | ---: |
    | x | 1 |
    """
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def share(value: float | None) -> str:
    """Write a share to three digits.

    >>> share(0.5), share(None)
    ('0.500', '—')
    """
    return NOTHING if value is None else f"{value:.3f}"


def figure(value: Figure, *, interval: bool = True) -> str:
    """Write a mean, its spread over seeds, and where known its interval over speakers.

    >>> figure(Figure(0.5, 0.01, None, (0.4, 0.6)))
    '0.500 ± 0.010 (0.40 to 0.60)'
    """
    spread = value.spread_over_seeds
    told = share(value.mean) + ("" if spread is None else f" ± {spread:.3f}")
    if interval and value.interval_over_speakers is not None:
        low, high = value.interval_over_speakers
        told += f" ({low:.2f} to {high:.2f})"
    return told


_COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)

_COVERAGE_TOLD = """\
When only the most confident answers are kept (`--min-confidence P` calls all others `uncertain`):
"""
_GROUPED_TOLD = """\
With `--speaker`, what is said of a recording is seen against the mean of what is said of all that
its speaker says. That helps where speakers express several emotions in turn; where most of their
recordings share one, it may do harm.
"""
_CONDITIONS_TOLD = """\
The same recordings, changed by computation before they are heard. Points are those of UAR, more or
less than of the same recordings as they are. In those called unheard nothing sounds like speech any
more: a scan refuses them, and no figure counts them.
"""


def headline(evaluation: Evaluation) -> str:
    """How much was judged, and the figures that matter most."""
    figures, seeds = evaluation.figures, len(evaluation.seeds)
    heard = _counted(evaluation.recordings, "recording")
    if evaluation.speakers:
        heard += f" of {_counted(evaluation.speakers, 'speaker')}"
    spread = f"The mean of {seeds} seeds ± their standard deviation" if seeds > 1 else "One seed"
    return (
        f"{heard}, {len(evaluation.labels)} classes: UAR (the mean recall of the classes)"
        f" **{figure(figures['uar'])}**, accuracy {figure(figures['accuracy'])}. {spread}; in"
        " brackets the 95 % interval over speakers, where it is known.\n"
    )


def chapters(evaluation: Evaluation) -> str:
    """All that is known of one evaluation, in sections of the third level."""
    parts = (_classes, _folds, _groups, _calibration, _coverage, _grouped, _conditions)
    return "\n".join(text for part in parts for text in part(evaluation))


def conditions_table(evaluation: Evaluation) -> str:
    """The figures under each condition, below those of the recordings as they are."""
    plain_ones = [evaluation.figures[kind] for kind in ("uar", "accuracy", "ece")]
    rows = [_condition("as they are", evaluation.recordings, "", "", plain_ones)]
    for one in evaluation.conditions:
        change, figures = f"{100 * one.change:+.1f}", [one.uar, one.accuracy, one.ece]
        rows.append(
            _condition(one.description, one.recordings, f"{one.without_speech:,}", change, figures)
        )
    return table(["", "recordings", "unheard", "UAR", "points", "accuracy", "ECE"], rows)


def _condition(
    told: str, recordings: int, without_speech: str, change: str, figures: Sequence[Figure]
) -> list[str]:
    uar, accuracy, ece = figures
    shares = share(accuracy.mean), share(ece.mean)
    return [told, f"{recordings:,}", without_speech, figure(uar), change, *shares]


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def _classes(evaluation: Evaluation) -> Iterator[str]:
    yield "### By class\n"
    names = [plain(label) for label in evaluation.labels]
    rows = [
        [name, f"{one.support:,.0f}", *map(share, (one.recall, one.precision, one.f1))]
        for name, one in zip(names, evaluation.classes, strict=True)
    ]
    yield table(["class", "recordings", "recall", "precision", "F1"], rows) + "\n"
    yield "What each class (row) was told as, in % of the class:\n"
    rows = [
        [name, *("" if one is None else f"{100 * one:.0f}" for one in shares)]
        for name, shares in zip(names, evaluation.confusion.shares, strict=True)
    ]
    yield table(["", *names], rows) + "\n"


def _folds(evaluation: Evaluation) -> Iterator[str]:
    if len(evaluation.folds) > 1:
        yield "### By fold\n"
        rows = [
            [plain(one.fold), f"{one.recordings:,}", share(one.uar), share(one.accuracy)]
            for one in evaluation.folds
        ]
        yield table(["fold", "recordings", "UAR", "accuracy"], rows) + "\n"


def _groups(evaluation: Evaluation) -> Iterator[str]:
    rows = [
        [
            f"{grouping}: {plain(one.name)}",
            f"{one.recordings:,}",
            share(one.uar),
            share(one.accuracy),
        ]
        for grouping in GROUPINGS
        for one in evaluation.groups[grouping]
        if len(evaluation.groups[grouping]) > 1
    ]
    if rows:
        yield "### By group\n"
        yield table(["", "recordings", "UAR", "accuracy"], rows) + "\n"


def _calibration(evaluation: Evaluation) -> Iterator[str]:
    yield "### Calibration\n"
    figures = evaluation.figures
    both = "ece_uncalibrated" in figures
    rows = [[FIGURES[name], *_calibrated(figures, name, both)] for name in ("ece", "brier")]
    yield table(["", "calibrated", *(["before calibration"] if both else [])], rows) + "\n"
    by_chance = figures.get("ece_by_chance")
    least = f" Chance alone makes it {share(by_chance.mean)} on so few." if by_chance else ""
    yield (
        "ECE, the expected calibration error (10 bins), is how far confidence is from the share"
        f" that is right.{least} The Brier score runs from 0, sure and right, to 2, sure and"
        " wrong.\n"
    )


def _calibrated(figures: Mapping[str, Figure], name: str, both: bool) -> list[str]:
    names = (name, f"{name}_uncalibrated") if both else (name,)
    return [figure(figures[one], interval=False) for one in names]


def _coverage(evaluation: Evaluation) -> Iterator[str]:
    yield "### Coverage\n"
    yield _COVERAGE_TOLD
    kept = {one.coverage: one for one in evaluation.coverage}
    rows = [
        [f"{coverage:.0%}", share(kept[coverage].accuracy), share(kept[coverage].confidence)]
        for coverage in _COVERAGES
    ]
    yield table(["kept", "accuracy", "least confidence"], rows) + "\n"


def _grouped(evaluation: Evaluation) -> Iterator[str]:
    grouped = evaluation.speaker_adapted
    if grouped is None:
        return
    yield "### Grouped by speaker\n"
    yield _GROUPED_TOLD
    kinds = ("uar", "accuracy", "ece")
    told = {"each alone": evaluation.figures, grouped.title: grouped.figures}
    rows = [[name, *(figure(some[kind]) for kind in kinds)] for name, some in told.items()]
    yield table(["", *(FIGURES[kind] for kind in kinds)], rows) + "\n"


def _conditions(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.conditions:
        yield "### Heard otherwise\n"
        yield _CONDITIONS_TOLD
        yield conditions_table(evaluation) + "\n"


_HEADLINE = "speaker"
_IN_TABLE = ("uar", "accuracy", "macro_f1", "ece", "brier")
_DRAWN = {
    "coverage": "How much is wrong among the most confident answers",
    "reliability": "How often answers of a confidence are right",
}
"""What of the headline is drawn beside the card."""


@dataclass(frozen=True, slots=True)
class CardFigures:
    """A subject's figures under each protocol, side by side, and what else there is to tell."""

    table: str
    """Markdown: a line for each evaluation, and for those of other subjects beside it."""
    figures: dict[str, Any]
    """By protocol, and by corpus where a finished model was tested, for bundle.json."""
    chapters: str
    """Markdown: all that is known of the headline and of each test of the finished model."""


def key_of(evaluation: Evaluation) -> str:
    """What an evaluation is called among those of its subject.

    A recipe's is called by its protocol, a finished model's by its protocol and what it heard.
    """
    info = evaluation.info
    if info.kind == "recipe":
        return info.protocol
    return "-".join([info.protocol, *sorted(info.corpora)])


def figures_for_card(
    evaluations: Sequence[Evaluation], beside: Sequence[Evaluation] = ()
) -> CardFigures:
    """The figures of one subject, the headline first; each evaluation has a key of its own.

    Those `beside` it are of other subjects, to compare with.
    """
    found = _in_order(evaluations)
    rows = [_row(one, _where(one)) for one in found.values()]
    rows += [_row(one, f"beside it, `{one.info.subject}`, {_where(one)}") for one in beside]
    head = ["protocol", *(FIGURES[kind] for kind in _IN_TABLE)]
    told = (
        _chapter(name, one)
        for name, one in found.items()
        if name == _HEADLINE or one.info.kind == "bundle"
    )
    return CardFigures(
        table(head, rows) + "\n",
        {name: _facts(one) for name, one in found.items()},
        "\n".join(told),
    )


def pictures_for_card(evaluations: Sequence[Evaluation]) -> dict[str, bytes]:
    """The files that the card of these evaluations shows, by name."""
    one = _in_order(evaluations).get(_HEADLINE)
    return {} if one is None else {f"{name}.png": PICTURES[name](one) for name in _DRAWN}


def _in_order(evaluations: Sequence[Evaluation]) -> Mapping[str, Evaluation]:
    """The protocols in their order, then the finished model on corpora by name."""
    found = {key_of(one): one for one in evaluations}
    order = [
        *(name for name in PROTOCOL_SUBJECTS if name in found),
        *sorted(set(found) - set(PROTOCOL_SUBJECTS)),
    ]
    return {name: found[name] for name in order}


def _row(one: Evaluation, told: str) -> list[str]:
    return [told, *(figure(one.figures[kind]) for kind in _IN_TABLE)]


def _where(one: Evaluation) -> str:
    told = f"`{one.info.protocol}`: {_on(one)}"
    return told if one.info.kind == "recipe" else f"{_finished(one)}, {told}"


def _on(one: Evaluation) -> str:
    return plain(PROTOCOL_SUBJECTS.get(one.info.protocol, one.info.protocol))


def _finished(one: Evaluation) -> str:
    """What a finished model heard, and in which language."""
    languages = [of.name for of in one.groups["language"] if of.name != UNKNOWN]
    heard = " and ".join(sorted(one.info.corpora)) or "recordings"
    told = f"{heard} (language: {', '.join(languages)})" if languages else heard
    return f"the finished model on {plain(told)}"


def _chapter(name: str, one: Evaluation) -> str:
    title = _on(one) if name == _HEADLINE else f"{_finished(one)}, {_on(one)}"
    parts = [f"## {title[0].upper()}{title[1:]}\n", headline(one), chapters(one)]
    if name == _HEADLINE:
        parts.append("\n".join(f"![{told}]({drawn}.png)" for drawn, told in _DRAWN.items()) + "\n")
    return "\n".join(parts)


def _facts(one: Evaluation) -> dict[str, Any]:
    """What of an evaluation stands in bundle.json."""
    whole = one.to_dict()
    return {
        "tested_on": PROTOCOL_SUBJECTS.get(one.info.protocol, one.info.protocol),
        "protocol": one.info.protocol_description,
        "corpora": whole["info"]["corpora"],
        "classes": whole["labels"],
        "seeds": len(one.seeds),
        "recordings": one.recordings,
        "speakers": one.speakers,
        **whole["figures"],
        "recall": {of.label: of.recall for of in one.classes},
        "groups": whole["groups"],
        "coverage": whole["coverage"],
        "speaker_adapted": whole["speaker_adapted"],
        "conditions": whole["conditions"],
    }
