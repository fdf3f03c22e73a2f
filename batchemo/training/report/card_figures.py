"""The figures of one subject, as its model card and its bundle.json tell them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchemo.training.report.chapters import chapters, headline
from batchemo.training.report.evaluation import FIGURES, ON, UNKNOWN, Evaluation
from batchemo.training.report.markdown import figure, plain, table

_HEADLINE = "speaker"
_IN_TABLE = ("uar", "accuracy", "macro_f1", "ece", "brier")


@dataclass(frozen=True, slots=True)
class CardFigures:
    """A subject's figures under each protocol, side by side, and what else there is to tell."""

    table: str
    """Markdown: a line for each evaluation."""
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


def figures_for_card(evaluations: Sequence[Evaluation]) -> CardFigures:
    """The figures of one subject, the headline first; each evaluation has a key of its own."""
    found = _in_order({key_of(one): one for one in evaluations})
    rows = [
        [
            f"`{one.about.protocol}`: {_on(one)}",
            *(figure(one.figures[kind]) for kind in _IN_TABLE),
        ]
        for one in found.values()
    ]
    head = ["protocol", *(FIGURES[kind] for kind in _IN_TABLE)]
    whole = [one for name, one in found.items() if name == _HEADLINE or one.about.kind == "bundle"]
    return CardFigures(
        table(head, rows) + "\n",
        {name: _facts(one) for name, one in found.items()},
        "\n".join(_chapter(one) for one in whole),
    )


def _in_order(found: Mapping[str, Evaluation]) -> dict[str, Evaluation]:
    """The protocols in their order, then the finished model on corpora by name."""
    order = [*(name for name in ON if name in found), *sorted(set(found) - set(ON))]
    return {name: found[name] for name in order}


def _on(one: Evaluation) -> str:
    on = plain(ON.get(one.about.protocol, one.about.protocol))
    if one.about.kind == "recipe":
        return on
    languages = [of.name for of in one.groups["language"] if of.name != UNKNOWN]
    told = plain(", ".join([*sorted(one.about.corpora), *languages]))
    return f"{on}, the finished model: {told}"


def _chapter(one: Evaluation) -> str:
    told = _on(one)
    return f"## {told[0].upper()}{told[1:]}\n\n{headline(one)}\n{chapters(one)}"


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
