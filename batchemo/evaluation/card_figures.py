"""The figures of one subject, as its model card and its bundle.json tell them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchemo.evaluation.chapters import chapters, headline
from batchemo.evaluation.evaluation import (
    FIGURES,
    ON,
    UNKNOWN,
    Evaluation,
)
from batchemo.evaluation.markdown import figure, plain, table
from batchemo.evaluation.plots import PICTURES

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
    about = evaluation.about
    if about.kind == "recipe":
        return about.protocol
    return "-".join([about.protocol, *sorted(about.corpora)])


def figures_for_card(
    evaluations: Sequence[Evaluation], beside: Sequence[Evaluation] = ()
) -> CardFigures:
    """The figures of one subject, the headline first; each evaluation has a key of its own.

    Those `beside` it are of other subjects, to compare with.
    """
    found = _in_order(evaluations)
    rows = [_row(one, _where(one)) for one in found.values()]
    rows += [_row(one, f"beside it, `{one.about.subject}`, {_where(one)}") for one in beside]
    head = ["protocol", *(FIGURES[kind] for kind in _IN_TABLE)]
    told = (
        _chapter(name, one)
        for name, one in found.items()
        if name == _HEADLINE or one.about.kind == "bundle"
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
    order = [*(name for name in ON if name in found), *sorted(set(found) - set(ON))]
    return {name: found[name] for name in order}


def _row(one: Evaluation, told: str) -> list[str]:
    return [told, *(figure(one.figures[kind]) for kind in _IN_TABLE)]


def _where(one: Evaluation) -> str:
    told = f"`{one.about.protocol}`: {_on(one)}"
    return told if one.about.kind == "recipe" else f"{_finished(one)}, {told}"


def _on(one: Evaluation) -> str:
    return plain(ON.get(one.about.protocol, one.about.protocol))


def _finished(one: Evaluation) -> str:
    """What a finished model heard, and in which language."""
    languages = [of.name for of in one.groups["language"] if of.name != UNKNOWN]
    heard = " and ".join(sorted(one.about.corpora)) or "recordings"
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
        "on": ON.get(one.about.protocol, one.about.protocol),
        "protocol": one.about.protocol_told,
        "corpora": whole["about"]["corpora"],
        "classes": whole["labels"],
        "seeds": len(one.seeds),
        "recordings": one.recordings,
        "speakers": one.speakers,
        **whole["figures"],
        "recall": {of.label: of.recall for of in one.classes},
        "groups": whole["groups"],
        "coverage": whole["coverage"],
        "grouped": whole["grouped"],
        "conditions": whole["conditions"],
    }
