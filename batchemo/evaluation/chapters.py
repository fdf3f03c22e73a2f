"""What a model card tells of one evaluation, as Markdown: nothing that was not measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from batchemo.evaluation.evaluation import (
    FIGURES,
    GROUPINGS,
    Evaluation,
    Figure,
)
from batchemo.evaluation.markdown import (
    figure,
    plain,
    share,
    table,
)

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
        rows.append(_condition(one.told, one.recordings, f"{one.unheard:,}", change, figures))
    return table(["", "recordings", "unheard", "UAR", "points", "accuracy", "ECE"], rows)


def _condition(
    told: str, recordings: int, unheard: str, change: str, figures: Sequence[Figure]
) -> list[str]:
    uar, accuracy, ece = figures
    shares = share(accuracy.mean), share(ece.mean)
    return [told, f"{recordings:,}", unheard, figure(uar), change, *shares]


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
    grouped = evaluation.grouped
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
