"""The model card of a system that was trained by `batchemo train`, from its bundle's own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batchemo.training.card import USE
from batchemo.training.report import CardFigures

_NO_FIGURES = """\
It was not evaluated: `batchemo evaluate` gives its figures by protocol, and `batchemo train
--figures FILE` writes them here.
"""

_LIMITS = """\
## Limits

- It learnt from few speakers: see below. Where they were actors, spontaneous speech is weaker in
  expression; other languages, ages, microphones and noises differ too. Expect fewer right answers
  there than under `speaker` above.
- Confidence is calibrated on the speakers that were only watched. On other speech it tends to be
  too high.
- Every window of speech gets one of the labels, also when what is expressed is none of them.
- Nothing here understands words.
"""


def write_system_card(info: Mapping[str, Any], figures: CardFigures) -> str:
    """The card as Markdown: what it is, how good, how it was trained, what it must not be."""
    told = f"{figures.table}\n{_protocols(figures)}" if figures.figures else _NO_FIGURES
    return "\n".join(
        [
            f"# {info['name']}\n\n{info['description']}\n",
            f"## How well it does\n\n{told}",
            USE,
            _LIMITS,
            _training(info),
            _licence(info),
        ]
    )


def _protocols(figures: CardFigures) -> str:
    facts = figures.figures.items()
    return "".join(
        f"Protocol `{name}`, {one['seeds']} {'seed' if one['seeds'] == 1 else 'seeds'},"
        f" {one['recordings']} recordings: {one['protocol']}\n\n"
        for name, one in facts
    )


def _training(info: Mapping[str, Any]) -> str:
    training, options = info["training"], info["training"]["options"]
    chosen = training["chosen"]
    corpora = "\n".join(
        f"- {name}: {facts['recordings']} recordings of {facts['speakers'] or 'unknown'} speakers"
        for name, facts in training["corpora"].items()
    )
    watched = sum(training["watched"].values())
    speakers = ", ".join(name for name in training["watched"] if name) or "speakers not known"
    rows = "\n".join(f"| {name} | {_plain(value)} |" for name, value in options.items())
    return f"""\
## How it was trained

{corpora}

{watched} of these recordings ({speakers}) were only watched, to choose the epoch and the
temperature: epoch {chosen["number"] + 1} of {training["epochs"]}, UAR on them
{chosen["validation_uar"]:.3f}, accuracy {chosen["validation_accuracy"]:.3f} (chosen by these, so
hopeful). `training.csv` has every epoch, `curves.png` shows them, `learnt.csv` names every
recording by its digest.

Features: `{info["recipe"]["name"]}`, windows of {info["window"]:g} s. Made by

    {training["command"]}

| choice | |
| --- | --- |
{rows}
"""


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, (list, tuple)) else str(value)


def _licence(info: Mapping[str, Any]) -> str:
    told = f"## Licence\n\nThe weights: {info['licence']}.\n"
    if info["citations"]:
        told += "Cite these:\n\n" + "\n".join(f"- {one}" for one in info["citations"]) + "\n"
    return told
