"""The page that puts recipes and protocols side by side (docs/accuracy.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from batchemo.evaluation.markdown import escape, markdown_table
from batchemo.evaluation.report_table import (
    MISSING,
    format_figure,
)
from batchemo.evaluation.results import FIGURES, TESTED_ON, Evaluation, Figure

ByProtocol = Mapping[str, Evaluation]
Item = TypeVar("Item")

_GROUPINGS = ("channel", "gender", "intensity")
_MAIN_FIGURES = ("uar", "accuracy")
_LEAKY_FIGURES = ("accuracy", "macro_f1", "uar")

_INTRODUCTION = """\
# Accuracy

Every figure stands under the protocol that gave it. **`speaker` is the headline**: what to expect
of people who are not in the training data. `random` has other recordings of the speakers in the
training data. **`leaky` is no measure of accuracy on new speech**: copies of the same recordings
are in the training and the test data, which is how figures like those claimed come about.

Figures are the mean over seeds ± the standard deviation over seeds, and in brackets the 95 %
interval over actors (bootstrap: had other actors like these been recorded). A seed's figure is the
mean of its folds'. UAR is the mean of the classes' recalls; ECE, the expected calibration error
(10 bins), is how far confidence is from the share that is correct. Where songs are trained on and
tested too, "By corpus" has the figures of speech, of song and of both.
"""


def accuracy_page(
    evaluations: Sequence[Evaluation], claims: Mapping[str, str], *, command: str
) -> str:
    """Return the whole page as Markdown.

    `claims` are the published figures by recipe, in the order of the page; `command` is what makes
    the page again.
    """
    recipes = _by_recipe(evaluations, claims)
    parts = [
        _INTRODUCTION,
        f"Made by `{command}`.\n",
        _overview(recipes) + "\n",
        *_by_corpus(recipes),
        "## Compared with the claims\n",
        f"`leaky`: {TESTED_ON['leaky'].removeprefix('LEAKY: ')}.\n",
        _compared_with_claims(recipes, claims) + "\n",
        "## How it was measured\n",
        *_protocols(recipes.values()),
        *(part for name, found in recipes.items() for part in _section(name, found)),
    ]
    return "\n".join(parts)


def _by_recipe(
    evaluations: Iterable[Evaluation], claims: Mapping[str, str]
) -> dict[str, ByProtocol]:
    """Return the evaluations by recipe, in the order of the claims, and then by protocol."""
    found: dict[str, dict[str, Evaluation]] = {name: {} for name in claims}
    for evaluation in evaluations:
        of_recipe = found.setdefault(evaluation.info.subject, {})
        of_recipe[evaluation.info.protocol] = evaluation
    return {name: _in_order(of_recipe) for name, of_recipe in found.items()}


def _in_order(by_protocol: Mapping[str, Item]) -> dict[str, Item]:
    order = [*TESTED_ON, *(name for name in by_protocol if name not in TESTED_ON)]
    return {name: by_protocol[name] for name in order if name in by_protocol}


def _overview(recipes: Mapping[str, ByProtocol]) -> str:
    columns = [(protocol, name) for protocol in ("speaker", "random") for name in _MAIN_FIGURES]
    header = ["recipe", *(f"`{protocol}` {FIGURES[name]}" for protocol, name in columns)]
    rows = [
        [f"[`{recipe}`](#{recipe})", *(_cell(found, *column) for column in columns)]
        for recipe, found in recipes.items()
    ]
    return markdown_table(header, rows)


def _by_corpus(recipes: Mapping[str, ByProtocol]) -> Iterator[str]:
    """Yield the figures of each corpus, such as speech and song, and of all together."""
    protocols = [name for name in TESTED_ON if any(name in found for found in recipes.values())]
    rows = [
        [f"`{recipe}`, {name}", *cells]
        for recipe, found in recipes.items()
        for name, cells in _corpus_rows(found, protocols)
    ]
    if rows:
        columns = (f"`{name}` {FIGURES[of]}" for name in protocols for of in _MAIN_FIGURES)
        yield "## By corpus\n"
        yield markdown_table(["recipe", *columns], rows) + "\n"


def _corpus_rows(found: ByProtocol, protocols: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and cells of each corpus; nothing where there is only one."""
    corpora = {
        protocol: {of.corpus: of for of in evaluation.by_corpus}
        for protocol, evaluation in found.items()
    }
    names = dict.fromkeys(name for by_name in corpora.values() for name in by_name)
    if len(names) < 2:
        return
    for name in names:
        figures = [corpora.get(protocol, {}).get(name) for protocol in protocols]
        pairs = ((of and of.uar, of and of.accuracy) for of in figures)
        cells = [cell for uar, share in pairs for cell in (_without_interval(uar), _share(share))]
        yield escape(name), cells
    yield (
        "all",
        [
            _without_interval(found[protocol].figures[name]) if protocol in found else MISSING
            for protocol in protocols
            for name in _MAIN_FIGURES
        ],
    )


def _compared_with_claims(recipes: Mapping[str, ByProtocol], claims: Mapping[str, str]) -> str:
    header = ["recipe", *(f"`leaky` {FIGURES[name]}" for name in _LEAKY_FIGURES), "claimed"]
    rows = [
        [
            f"`{recipe}`",
            *(_cell(found, "leaky", name) for name in _LEAKY_FIGURES),
            escape(claims.get(recipe, MISSING)),
        ]
        for recipe, found in recipes.items()
    ]
    return markdown_table(header, rows)


def _cell(found: ByProtocol, protocol: str, name: str) -> str:
    """Write a figure: the headline in bold, and intervals only for the protocol `speaker`."""
    if protocol not in found:
        return MISSING
    figure = found[protocol].figures[name]
    text = format_figure(figure) if protocol == "speaker" else _without_interval(figure)
    return f"**{text}**" if (protocol, name) == ("speaker", "uar") else text


def _without_interval(figure: Figure | None) -> str:
    if figure is None:
        return MISSING
    return format_figure(replace(figure, interval_over_speakers=None))


def _protocols(recipes: Iterable[ByProtocol]) -> Iterator[str]:
    """Describe each protocol, once."""
    descriptions = {
        protocol: evaluation.info.protocol_description
        for found in recipes
        for protocol, evaluation in found.items()
    }
    for protocol, description in _in_order(descriptions).items():
        yield f"- `{protocol}`: {escape(description)}"
    yield ""


def _section(recipe: str, found: ByProtocol) -> Iterator[str]:
    yield f"## {escape(recipe)}\n"
    if not found:
        yield "Not evaluated.\n"
        return
    header = ["", *(f"`{protocol}`" for protocol in found)]
    evaluations = list(found.values())
    rows = [
        ["recordings", *(f"{evaluation.recordings:,}" for evaluation in evaluations)],
        ["speakers", *(str(evaluation.speakers) for evaluation in evaluations)],
        ["seeds", *(str(len(evaluation.seeds)) for evaluation in evaluations)],
        *_figures(evaluations),
    ]
    yield markdown_table(header, rows) + "\n"
    yield "Recall by class:\n"
    yield markdown_table(header, list(_recalls(evaluations))) + "\n"
    if groups := list(_groups(evaluations)):
        yield "Accuracy by group:\n"
        yield markdown_table(header, groups) + "\n"
    if notes := dict.fromkeys(note for evaluation in evaluations for note in evaluation.info.notes):
        yield "\n".join(f"- {escape(note)}" for note in notes) + "\n"


def _figures(evaluations: Sequence[Evaluation]) -> Iterator[list[str]]:
    """Yield the figures that are known under any protocol, those adapted to speakers last."""
    rows = {
        title: [evaluation.figures.get(name) for evaluation in evaluations]
        for name, title in FIGURES.items()
    }
    for name in _MAIN_FIGURES:
        rows[f"{FIGURES[name]}, adapted to each speaker"] = [
            evaluation.speaker_adapted.figures[name] if evaluation.speaker_adapted else None
            for evaluation in evaluations
        ]
    for title, figures in rows.items():
        if any(figures):
            yield [title, *map(_without_interval, figures)]


def _recalls(evaluations: Sequence[Evaluation]) -> Iterator[list[str]]:
    recalls = [{row.label: row.recall for row in evaluation.classes} for evaluation in evaluations]
    for label in dict.fromkeys(label for by_label in recalls for label in by_label):
        yield [escape(label), *(_share(by_label.get(label)) for by_label in recalls)]


def _groups(evaluations: Sequence[Evaluation]) -> Iterator[list[str]]:
    """Yield accuracies for the properties in which the recordings of any protocol differ."""
    for grouping in _GROUPINGS:
        accuracies = [
            {row.name: row.accuracy for row in evaluation.groups[grouping]}
            for evaluation in evaluations
        ]
        names = dict.fromkeys(name for by_name in accuracies for name in by_name)
        if len(names) > 1:
            for name in names:
                cells = (_share(by_name.get(name)) for by_name in accuracies)
                yield [f"{grouping}: {escape(name)}", *cells]


def _share(value: float | None) -> str:
    return MISSING if value is None else f"{value:.3f}"
