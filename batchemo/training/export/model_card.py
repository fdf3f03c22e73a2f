"""The model card of what `batchemo train` made, from its bundle's own words and its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from batchemo.evaluation import CardFigures

_NO_FIGURES = """\
It was not evaluated: `batchemo evaluate` gives its figures by protocol, and `batchemo train
--figures FILE` writes them here.
"""

_USE = """\
## What the output is, and what it is not

A guess at how an expression *sounds*: which of the emotions that the speakers of its training data,
most of them actors, were asked to express it resembles most, and how sure that is. It is **not what
a person feels**, no diagnosis, and no ground for decisions about people.

Meant for research on corpora, for sorting and searching recordings, and for teaching. Not meant for
judging a person, for surveillance, or for any use with consequences for whoever speaks.

In the European Union, systems that infer emotions of people **at work or in education are
prohibited** (AI Act, Regulation (EU) 2024/1689, Article 5(1)(f)), apart from medical and safety
reasons; other uses of emotion recognition are high-risk there (Annex III), and people must be told
of them (Article 50(3)). Other places have laws of their own.
"""

_LIMITS = """\
## Limits

- It learnt from few speakers, in few languages: see below. Where they were actors, spontaneous
  speech is weaker in expression; other languages, ages, microphones and noises differ too. What was
  measured of these stands above. Elsewhere, expect fewer right answers than on speakers that it
  never heard.
- Figures of few speakers are not well known: the interval says how well, and by speaker they differ
  by far more than any choice of a model.
- Confidence is calibrated on speech like that of the training data. On other speech it tends to be
  too high.
- Every window of speech gets one of the labels, also when what is expressed is none of them.
- Nothing here understands words.
"""


def write_system_card(info: Mapping[str, Any], figures: CardFigures) -> str:
    """The card as Markdown: what it is, how good, how it was trained, what it must not be."""
    return "\n".join(
        [
            f"# {info['name']}\n\n{info['description']}\n\n{_facts(info)}",
            f"## How well it does\n\n{_overview(figures) if figures.figures else _NO_FIGURES}",
            _USE,
            *([figures.chapters] if figures.chapters else []),
            _LIMITS,
            _training(info),
            _licence(info),
        ]
    )


def _facts(info: Mapping[str, Any]) -> str:
    recipe = info["recipe"]
    return f"""\
It hears speech at {recipe["rate"]:,} Hz in windows of {info["window"]:g} s, as the features
`{recipe["name"]}`, and gives each of {len(info["labels"])} labels a probability:
{", ".join(info["labels"])}.
"""


def _overview(figures: CardFigures) -> str:
    """A line for each protocol, and what each of them does."""
    protocols = "".join(
        f"Protocol `{name}`, {one['seeds']} {'seed' if one['seeds'] == 1 else 'seeds'},"
        f" {one['recordings']} recordings: {one['protocol']}\n\n"
        for name, one in figures.figures.items()
    )
    return f"{figures.table}\n{protocols}".rstrip() + "\n"


def _training(info: Mapping[str, Any]) -> str:
    training = info["training"]
    corpora = "\n".join(
        f"- {name}: {facts['recordings']:,} recordings of {facts['speakers'] or 'unknown'} speakers"
        for name, facts in training["corpora"].items()
    )
    rows = "\n".join(f"| {name} | {_plain(value)} |" for name, value in training["options"].items())
    return f"""\
## How it was trained

{corpora}

{" ".join(_story(training))} `learnt.csv` names every recording by its digest. Made again by

    {training["command"]}

| choice | |
| --- | --- |
{rows}
"""


def _story(training: Mapping[str, Any]) -> Iterator[str]:
    """What was watched and chosen, in sentences."""
    if watched := training.get("watched"):
        speakers = ", ".join(name for name in watched if name) or "speakers not known"
        yield (
            f"{sum(watched.values())} of these recordings ({speakers}) were only watched, to choose"
            " the epoch and the temperature."
        )
    else:
        yield "It learnt from all of them; none was watched to choose anything."
    if (nets := training.get("nets", 1)) > 1:
        yield f"{nets} nets, each by a seed of its own, answer together."
    if beside := training.get("beside"):
        yield f"The net of the recipe {beside}, taught the same, stands beside with an equal say."
    if chosen := training.get("chosen"):
        yield f"Epoch {chosen['number'] + 1} of {training['epochs']}{_hopeful(chosen)}."
        yield "`training.csv` has every epoch, `curves.png` shows them."


def _hopeful(chosen: Mapping[str, Any]) -> str:
    uar, accuracy = chosen["validation_uar"], chosen["validation_accuracy"]
    if uar is None:
        return ""
    return f": UAR {uar:.3f}, accuracy {accuracy:.3f} on them (it was chosen by these: hopeful)"


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, (list, tuple)) else str(value)


def _licence(info: Mapping[str, Any]) -> str:
    told = f"## Licence\n\nThe weights: {info['licence']}.\n"
    if info["citations"]:
        told += "Cite these:\n\n" + "\n".join(f"- {one}" for one in info["citations"]) + "\n"
    return told
