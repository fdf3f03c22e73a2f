"""An evaluation as Markdown: the figures of model cards, and tables for pages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from batchemo.common.text import counted, for_display
from batchemo.evaluation.plots import PLOTS
from batchemo.evaluation.report_table import (
    Column,
    ReportTable,
    format_figure,
    format_value,
)
from batchemo.evaluation.report_tables import (
    adaptation_table,
    classes_table,
    conditions_table,
    confusion_grid,
    corpora_table,
    coverage_table,
    folds_table,
    groups_table,
    has_corpora_to_show,
)
from batchemo.evaluation.results import FIGURES, TESTED_ON, UNKNOWN, Evaluation

_MARKUP = re.compile(r"([\\`*_\[\]<>|#$~&!])")


def escape(text: str) -> str:
    r"""Escape what Markdown would take for markup.

    >>> print(escape("a|b <i>"))
    a\|b \<i\>
    """
    return _MARKUP.sub(r"\\\1", for_display(text))


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out cells of Markdown as a table whose first column holds names.

    >>> print(markdown_table(["a", "b"], [["x", "1"]]))
    | a | b |
    | --- | ---: |
    | x | 1 |
    """
    alignment = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, alignment, *rows))


def render_table(table: ReportTable) -> str:
    """Render a table of an evaluation, with all text escaped."""
    rows = [
        [
            escape(format_value(value, column))
            for value, column in zip(row, table.columns, strict=True)
        ]
        for row in table.rows
    ]
    return markdown_table([escape(column.title) for column in table.columns], rows)


def conditions_markdown(evaluation: Evaluation) -> str:
    """Return the figures under each condition, after those of the unchanged recordings."""
    return render_table(_conditions_for_readers(evaluation))


def _conditions_for_readers(evaluation: Evaluation) -> ReportTable:
    return conditions_table(evaluation, unchanged=True).select(
        "description", "recordings", "without_speech", "uar", "uar_change", "accuracy", "ece"
    )


@dataclass(frozen=True, slots=True)
class CardFigures:
    """The figures of one subject as a model card and a bundle.json hold them."""

    first_lines: str
    """Markdown: the figures that stand above all others, on new speakers and on new corpora."""
    table: str
    """Markdown: a row for each evaluation, and for those of other subjects to compare with."""
    figures: dict[str, Any]
    """By `evaluation_key`, for bundle.json."""
    chapters: str
    """Markdown: everything about the headline and about each test of the finished model."""


_HEADLINE, _CORPORA = "speaker", "corpus"
_OVERVIEW_FIGURES = ("uar", "accuracy", "macro_f1", "ece", "brier")
_CARD_PLOTS = {
    "coverage": "How much is wrong among the most confident predictions",
    "reliability": "How often predictions of a confidence are correct",
}
"""The plots of the headline that a card shows, with their alternative texts."""


def evaluation_key(evaluation: Evaluation) -> str:
    """Return the key of an evaluation among those of its subject.

    That of a recipe is its protocol, that of a finished model its protocol and its test corpora.
    """
    info = evaluation.info
    if info.kind == "recipe":
        return info.protocol
    return "-".join([info.protocol, *sorted(info.corpora)])


def figures_for_card(
    evaluations: Sequence[Evaluation], comparisons: Sequence[Evaluation] = ()
) -> CardFigures:
    """Return the figures of one subject, the headline first.

    Each evaluation needs a key of its own (`evaluation_key`). The comparisons are evaluations of
    other subjects; they only get a row of the table.
    """
    by_key = _in_card_order(evaluations)
    rows = [[_measured(row), *_overview(row)] for row in by_key.values()]
    rows += [
        [f"for comparison, `{other.info.subject}`, {_measured(other)}", *_overview(other)]
        for other in comparisons
    ]
    header = ["protocol", *(FIGURES[name] for name in _OVERVIEW_FIGURES)]
    return CardFigures(
        first_lines="".join(f"- {line}\n" for line in _first_lines(by_key)),
        table=markdown_table(header, rows) + "\n",
        figures={key: _bundle_figures(evaluation) for key, evaluation in by_key.items()},
        chapters="\n".join(
            _chapter(key, evaluation)
            for key, evaluation in by_key.items()
            if key in (_HEADLINE, _CORPORA) or evaluation.info.kind == "bundle"
        ),
    )


def _first_lines(by_key: Mapping[str, Evaluation]) -> Iterator[str]:
    """Yield a line for new speakers, and one for new corpora and languages."""
    for key in (_HEADLINE, _CORPORA):
        if evaluation := by_key.get(key):
            uar, ece = (evaluation.figures[name] for name in ("uar", "ece"))
            where = _tested_on(evaluation)
            yield (
                f"{where[0].upper()}{where[1:]}: UAR **{format_figure(uar)}**"
                f"{_over_corpora(evaluation) if key == _CORPORA else ''}, ECE {ece.mean:.3f}"
            )


def _over_corpora(evaluation: Evaluation) -> str:
    """Say how many corpora a mean is of, what chance gives, and what plain speech gets."""
    scored = [of for of in evaluation.by_corpus if of.chance]
    chance = sum(of.chance or 0 for of in scored) / max(1, len(scored))
    several = "one corpus" if len(scored) == 1 else f"mean of {len(scored)} corpora"
    text = f" ({several}; chance {chance:.3f})"
    claims = [of.claimed.mean for of in evaluation.by_corpus if of.claimed]
    if claims:
        text += f"; an emotion is claimed for {sum(claims) / len(claims):.0%} of plain speech"
    return text


def plots_for_card(evaluations: Sequence[Evaluation]) -> dict[str, bytes]:
    """Return the image files that the card of these evaluations shows, by name."""
    headline = _in_card_order(evaluations).get(_HEADLINE)
    if headline is None:
        return {}
    return {f"{name}.png": PLOTS[name](headline) for name in _CARD_PLOTS}


def _in_card_order(evaluations: Sequence[Evaluation]) -> Mapping[str, Evaluation]:
    """Return the protocols in their order, then the finished model on its corpora by name."""
    by_key = {evaluation_key(evaluation): evaluation for evaluation in evaluations}
    order = [*(key for key in TESTED_ON if key in by_key), *sorted(set(by_key) - set(TESTED_ON))]
    return {key: by_key[key] for key in order}


def _overview(evaluation: Evaluation) -> list[str]:
    return [format_figure(evaluation.figures[name]) for name in _OVERVIEW_FIGURES]


def _measured(evaluation: Evaluation) -> str:
    """Describe the protocol, and for a finished model what it was tested on, as a row's name."""
    protocol = f"`{evaluation.info.protocol}`: {_tested_on(evaluation)}"
    if evaluation.info.kind == "recipe":
        return protocol
    return f"{_finished_model(evaluation)}, {protocol}"


def _tested_on(evaluation: Evaluation) -> str:
    protocol = evaluation.info.protocol
    return escape(TESTED_ON.get(protocol, protocol))


def _finished_model(evaluation: Evaluation) -> str:
    """Name the corpora on which a finished model was tested, and their languages."""
    corpora = " and ".join(sorted(evaluation.info.corpora)) or "recordings"
    languages = [group.name for group in evaluation.groups["language"] if group.name != UNKNOWN]
    if languages:
        corpora += f" (language: {', '.join(languages)})"
    return f"the finished model on {escape(corpora)}"


def _bundle_figures(evaluation: Evaluation) -> dict[str, Any]:
    """Return what of an evaluation stands in bundle.json."""
    contents = evaluation.to_dict()
    protocol = evaluation.info.protocol
    return {
        "tested_on": TESTED_ON.get(protocol, protocol),
        "protocol": evaluation.info.protocol_description,
        "corpora": contents["info"]["corpora"],
        "classes": contents["labels"],
        "seeds": len(evaluation.seeds),
        "recordings": evaluation.recordings,
        "speakers": evaluation.speakers,
        **contents["figures"],
        "recall": {of_class.label: of_class.recall for of_class in evaluation.classes},
        "by_corpus": contents["by_corpus"],
        "groups": contents["groups"],
        "coverage": contents["coverage"],
        "speaker_adapted": contents["speaker_adapted"],
        "conditions": contents["conditions"],
    }


def _chapter(key: str, evaluation: Evaluation) -> str:
    title = _tested_on(evaluation)
    if evaluation.info.kind == "bundle":
        title = f"{_finished_model(evaluation)}, {title}"
    parts = [f"## {title[0].upper()}{title[1:]}\n", _headline(evaluation)]
    parts += [text for section in _SECTIONS for text in section(evaluation)]
    if key == _HEADLINE:
        images = (f"![{text}]({name}.png)" for name, text in _CARD_PLOTS.items())
        parts.append("\n".join(images) + "\n")
    return "\n".join(parts)


def _headline(evaluation: Evaluation) -> str:
    """State the size of the test and the figures that matter most."""
    figures, seeds = evaluation.figures, len(evaluation.seeds)
    tested = counted(evaluation.recordings, "recording")
    if evaluation.speakers:
        tested += f" of {counted(evaluation.speakers, 'speaker')}"
    spread = f"The mean of {seeds} seeds ± their standard deviation" if seeds > 1 else "One seed"
    over_corpora = _over_corpora(evaluation) if evaluation.info.protocol == _CORPORA else ""
    return (
        f"{tested}, {len(evaluation.labels)} classes: UAR (the mean recall of the classes)"
        f" **{format_figure(figures['uar'])}**{over_corpora}, accuracy"
        f" {format_figure(figures['accuracy'])}."
        f" {spread}; in brackets the 95 % interval over speakers, where it is known.\n"
    )


def _section(table: ReportTable, *before: str) -> Iterator[str]:
    """Yield the heading, the texts before the table, and the table."""
    yield f"### {table.title}\n"
    yield from before
    yield render_table(table) + "\n"


def _classes(evaluation: Evaluation) -> Iterator[str]:
    table = classes_table(evaluation)
    yield from _section(table.select("label", "support", "recall", "precision", "f1"))
    grid = confusion_grid(evaluation)
    yield f"{grid.title[0].upper()}{grid.title[1:]}:\n"
    yield render_table(grid) + "\n"


def _corpora(evaluation: Evaluation) -> Iterator[str]:
    if has_corpora_to_show(evaluation):
        yield from _section(corpora_table(evaluation, mean=True), _CORPORA_TEXT)


def _folds(evaluation: Evaluation) -> Iterator[str]:
    if len(evaluation.folds) > 1 and evaluation.info.protocol != _CORPORA:
        table = folds_table(evaluation)
        yield from _section(table.select("fold", "recordings", "uar", "accuracy"))


def _groups(evaluation: Evaluation) -> Iterator[str]:
    """Yield one table for all properties in which the recordings differ."""
    table = groups_table(evaluation)
    different = [name for name, groups in evaluation.groups.items() if len(groups) > 1]
    rows = tuple(
        (f"{grouping}: {name}", *figures)
        for grouping, name, *figures in table.where("grouping", *different).rows
    )
    if rows:
        table = replace(table, columns=table.columns[1:], rows=rows)
        yield from _section(table.select("name", "recordings", "uar", "accuracy"))


def _calibration(evaluation: Evaluation) -> Iterator[str]:
    figures = evaluation.figures
    columns = {"": "calibrated", "_uncalibrated": "before calibration"}
    known = {suffix: title for suffix, title in columns.items() if f"ece{suffix}" in figures}
    table = ReportTable(
        "calibration",
        "Calibration",
        (
            Column("figure", "", "text", wording=FIGURES),
            *(Column(title, title, "figure") for title in known.values()),
        ),
        tuple(
            (name, *(figures[f"{name}{suffix}"] for suffix in known)) for name in ("ece", "brier")
        ),
    )
    yield from _section(table)
    by_chance = figures.get("ece_by_chance")
    chance = (
        f" Chance alone makes it {by_chance.mean:.3f} on so few recordings." if by_chance else ""
    )
    yield (
        "ECE, the expected calibration error (10 bins), is how far confidence is from the share"
        f" that is correct.{chance} The Brier score runs from 0, certain and correct, to 2,"
        " certain and wrong.\n"
    )


def _coverage(evaluation: Evaluation) -> Iterator[str]:
    table = coverage_table(evaluation).where("coverage", 1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
    yield from _section(table.select("coverage", "accuracy", "least_confidence"), _COVERAGE_TEXT)


def _speaker_adapted(evaluation: Evaluation) -> Iterator[str]:
    table = adaptation_table(evaluation)
    if table.rows:
        yield from _section(table, _ADAPTATION_TEXT)


def _conditions(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.conditions:
        yield from _section(_conditions_for_readers(evaluation), _CONDITIONS_TEXT)


_COVERAGE_TEXT = """\
When only the most confident predictions are kept (`--min-confidence P` labels all others
`uncertain`):
"""
_ADAPTATION_TEXT = """\
With `--speaker`, the probabilities of a recording are compared with their mean over all recordings
of its speaker. That helps where speakers express several emotions in turn; where most of their
recordings share one, it may do harm.
"""
_CONDITIONS_TEXT = """\
The same recordings, changed by computation before they are analysed. Points are those of UAR, more
or less than of the same recordings unchanged. In those without speech none is detected any more: a
scan refuses them, and no figure counts them.
"""

_CORPORA_TEXT = """\
UAR is over the classes that a corpus has, whereas the model chooses among all of its labels; chance
is a guess among the classes of the corpus. Of plain speech, which is neutral throughout, counts for
how many recordings an emotion (not neutral, nor calm) is claimed; other means leave it out.
"""

_SECTIONS = (
    _corpora,
    _classes,
    _folds,
    _groups,
    _calibration,
    _coverage,
    _speaker_adapted,
    _conditions,
)
"""The sections of a chapter, in their order."""
