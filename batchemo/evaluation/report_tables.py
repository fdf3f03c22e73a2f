"""The tables of an evaluation: CSV, Markdown and the terminal only render them.

`report_tables` returns the tables that are written as CSV, with all their columns. For readers,
Markdown and the terminal choose among the columns and rows of these (`ReportTable.select`,
`ReportTable.where`), or lay the same figures out across (`confusion_grid`, `adaptation_table`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from batchemo.evaluation.report_table import Column, ReportTable, Value
from batchemo.evaluation.results import FIGURES, CorpusFigures, Evaluation, Figure

NO_ADAPTATION, BY_SPEAKER = "none", "by speaker"


def report_tables(evaluation: Evaluation) -> tuple[ReportTable, ...]:
    """Return the tables of an evaluation in full."""
    builders = (
        figures_table,
        classes_table,
        confusion_table,
        coverage_table,
        corpora_table,
        groups_table,
        conditions_table,
    )
    return tuple(build(evaluation) for build in builders)


def figures_table(evaluation: Evaluation) -> ReportTable:
    """Return all figures, without adaptation and adapted to each speaker."""
    rows = [_figure_row(name, NO_ADAPTATION, of) for name, of in evaluation.figures.items()]
    if evaluation.speaker_adapted:
        adapted = evaluation.speaker_adapted.figures
        rows += [_figure_row(name, BY_SPEAKER, figure) for name, figure in adapted.items()]
    return ReportTable(
        "figures",
        "Figures",
        (
            Column("figure", "figure", "text", wording=FIGURES),
            Column("adaptation", "adaptation", "text"),
            Column("mean", "mean"),
            Column("spread_over_seeds", "± seeds"),
            Column("spread_over_folds", "± folds"),
            Column("interval", "95 % of speakers", "interval"),
        ),
        tuple(rows),
    )


def _figure_row(name: str, adaptation: str, figure: Figure) -> tuple[Value, ...]:
    return (
        name,
        adaptation,
        figure.mean,
        figure.spread_over_seeds,
        figure.spread_over_folds,
        figure.interval_over_speakers,
    )


def classes_table(evaluation: Evaluation) -> ReportTable:
    """Return the classification report."""
    return ReportTable(
        "classes",
        "By class",
        (
            Column("label", "class", "text"),
            Column("precision", "precision"),
            Column("recall", "recall"),
            Column("f1", "F1"),
            Column("support", "support", "count"),
        ),
        tuple(
            (row.label, row.precision, row.recall, row.f1, row.support)
            for row in evaluation.classes
        ),
    )


def confusion_table(evaluation: Evaluation) -> ReportTable:
    """Return the confusion matrix with a row for each cell.

    Labels are values here and not names of columns: whatever characters they hold, a CSV file of
    them stays readable.
    """
    return ReportTable(
        "confusion",
        "Confusions",
        (
            Column("label", "class", "text"),
            Column("predicted", "predicted", "text"),
            Column("recordings", "recordings", "count"),
            Column("share", "share", "percent"),
        ),
        tuple(_confusion_rows(evaluation)),
    )


def _confusion_rows(evaluation: Evaluation) -> Iterator[tuple[Value, ...]]:
    labels, confusion = evaluation.labels, evaluation.confusion
    for label, *row in zip(labels, confusion.counts, confusion.shares, strict=True):
        for predicted, count, share in zip(labels, *row, strict=True):
            yield label, predicted, count, share


def confusion_grid(evaluation: Evaluation, *, numbered: bool = False) -> ReportTable:
    """Return the confusion matrix laid out across, in percent of the class.

    Where it is `numbered`, columns are headed by the number of a class, which its row shows too.
    """
    numbers = [str(number) for number in range(1, len(evaluation.labels) + 1)]
    names = evaluation.labels
    if numbered:
        names = tuple(f"{number} {label}" for number, label in zip(numbers, names, strict=True))
    titles = numbers if numbered else names
    return ReportTable(
        "confusion",
        "each true class (row) by predicted class (column), in % of the true class",
        (
            Column("label", "", "text"),
            *(
                Column(number, title, "count")
                for number, title in zip(numbers, titles, strict=True)
            ),
        ),
        tuple(
            (name, *(None if share is None else 100 * share for share in shares))
            for name, shares in zip(names, evaluation.confusion.shares, strict=True)
        ),
    )


def frequent_confusions(evaluation: Evaluation, most: int) -> ReportTable:
    """Return the most frequent confusions, the greatest share of its class first."""
    confused = [
        (share, label, predicted)
        for label, shares in zip(evaluation.labels, evaluation.confusion.shares, strict=True)
        for predicted, share in zip(evaluation.labels, shares, strict=True)
        if share and predicted != label
    ]
    confused.sort(key=lambda row: (-row[0], row[1], row[2]))
    return replace(
        confusion_table(evaluation).select("label", "predicted", "share"),
        title="most frequent confusions",
        rows=tuple((label, predicted, share) for share, label, predicted in confused[:most]),
    )


def folds_table(evaluation: Evaluation) -> ReportTable:
    """Return the figures of each fold."""
    return ReportTable(
        "folds",
        "By fold",
        (
            Column("fold", "fold", "text"),
            Column("recordings", "recordings", "count"),
            Column("uar", "UAR"),
            Column("accuracy", "accuracy"),
            Column("macro_f1", "macro F1"),
        ),
        tuple(
            (row.fold, row.recordings, row.uar, row.accuracy, row.macro_f1)
            for row in evaluation.folds
        ),
    )


def corpora_table(evaluation: Evaluation, *, mean: bool = False) -> ReportTable:
    """Return the figures of each corpus; with `mean`, and of several, their means last."""
    rows = [_corpus_row(figures) for figures in evaluation.by_corpus]
    if mean and len(rows) > 1:
        # Plain speech has no part in the means, but for its own figure.
        scored = [row for row in rows if row[5] is not None]
        means = [_mean_value(row[index] for row in scored) for index in range(5, 11)]
        rows.append(("mean", *[None] * 4, *means, _mean_value(row[11] for row in rows)))
    return ReportTable(
        "corpora",
        "By corpus",
        (
            Column("corpus", "corpus", "text"),
            Column("languages", "language", "text"),
            Column("recordings", "recordings", "count"),
            Column("speakers", "speakers", "count"),
            Column("classes", "classes", "count"),
            Column("uar", "UAR", "figure"),
            Column("chance", "chance"),
            Column("uar_among_classes", "UAR among its classes"),
            Column("accuracy", "accuracy"),
            Column("confidence", "mean confidence"),
            Column("ece", "ECE"),
            Column("claimed", "emotion claimed", "figure"),
        ),
        tuple(rows),
    )


def has_corpora_to_show(evaluation: Evaluation) -> bool:
    """Return whether figures by corpus say more than those of all recordings."""
    return len(evaluation.by_corpus) > 1 or any(of.claimed for of in evaluation.by_corpus)


def _corpus_row(figures: CorpusFigures) -> tuple[Value, ...]:
    return (
        figures.corpus,
        ", ".join(figures.languages) or None,
        figures.recordings,
        figures.speakers or None,
        figures.classes,
        figures.uar,
        figures.chance,
        figures.uar_among_classes,
        figures.accuracy,
        figures.confidence,
        figures.ece,
        figures.claimed,
    )


def _mean_value(values: Iterable[Value]) -> Figure | float | None:
    """Return the mean of the numbers, or of the figures, among these values."""
    known = [value for value in values if isinstance(value, (float, Figure))]
    if not known:
        return None
    mean = sum(of.mean if isinstance(of, Figure) else of for of in known) / len(known)
    return Figure(mean, None, None, None) if isinstance(known[0], Figure) else mean


def groups_table(evaluation: Evaluation) -> ReportTable:
    """Return the figures of recordings that share a property, for each property."""
    return ReportTable(
        "groups",
        "By group",
        (
            Column("grouping", "grouping", "text"),
            Column("name", "group", "text"),
            Column("recordings", "recordings", "count"),
            Column("accuracy", "accuracy"),
            Column("uar", "UAR"),
        ),
        tuple(
            (grouping, group.name, group.recordings, group.accuracy, group.uar)
            for grouping, groups in evaluation.groups.items()
            for group in groups
        ),
    )


def coverage_table(evaluation: Evaluation) -> ReportTable:
    """Return the accuracy of the most confident predictions, by the share that is kept."""
    return ReportTable(
        "coverage",
        "Coverage",
        (
            Column("coverage", "kept", "percent"),
            Column("least_confidence", "least confidence"),
            Column("accuracy", "accuracy"),
        ),
        tuple((point.coverage, point.confidence, point.accuracy) for point in evaluation.coverage),
    )


def conditions_table(evaluation: Evaluation, *, unchanged: bool = False) -> ReportTable:
    """Return the figures under each recording condition; `unchanged` recordings first if wanted."""
    rows: list[tuple[Value, ...]] = [
        (
            row.name,
            row.description,
            row.recordings,
            row.without_speech,
            row.uar,
            row.accuracy.mean,
            row.ece.mean,
            row.change,
            row.change_spread_over_seeds,
        )
        for row in evaluation.conditions
    ]
    if unchanged:
        uar, accuracy, ece = (evaluation.figures[name] for name in ("uar", "accuracy", "ece"))
        count = evaluation.recordings
        first = ("", "unchanged", count, None, uar, accuracy.mean, ece.mean, None, None)
        rows.insert(0, first)
    return ReportTable(
        "conditions",
        "Under other recording conditions",
        (
            Column("condition", "condition", "text"),
            Column("description", "condition", "text"),
            Column("recordings", "recordings", "count"),
            Column("without_speech", "without speech", "count"),
            Column("uar", "UAR", "figure"),
            Column("accuracy", "accuracy"),
            Column("ece", "ECE"),
            Column("uar_change", "points", "points"),
            Column("uar_change_spread_over_seeds", "± seeds"),
        ),
        tuple(rows),
    )


def adaptation_table(evaluation: Evaluation) -> ReportTable:
    """Compare the figures with and without adaptation; no rows where nothing was adapted."""
    names = ("uar", "accuracy", "ece")
    adapted = evaluation.speaker_adapted
    by_row = {"not adapted": evaluation.figures, adapted.title: adapted.figures} if adapted else {}
    return ReportTable(
        "adaptation",
        "Adapted to each speaker",
        (Column("adaptation", "", "text"), *figure_columns(names)),
        tuple((title, *(of[name] for name in names)) for title, of in by_row.items()),
    )


def figure_columns(names: Iterable[str]) -> Iterator[Column]:
    """Yield the columns of figures that are laid out across."""
    return (Column(name, FIGURES[name], "figure") for name in names)
