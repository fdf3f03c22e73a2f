"""Writes a bundle's model card from its figures, so that the two cannot disagree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

USE = """\
## What the output is, and what it is not

A guess at how an utterance *sounds*: which of the emotions that actors were asked to play it
resembles most, with a probability that was calibrated on actors whom the net had not heard. It is
not what a person feels, no diagnosis, and no ground for decisions about people.

Meant for research on corpora, for sorting and searching recordings, and for teaching. Not meant for
judging a person, for surveillance, or for any use with consequences for whoever speaks. In the
European Union, systems that infer emotions of people at work or in education are prohibited (AI
Act, Regulation (EU) 2024/1689, Article 5(1)(f)), apart from medical and safety reasons; other
uses of emotion recognition are high-risk there.
"""

LIMITS = """\
## Limits

- It learnt from acted speech, in quiet rooms, of few speakers: North American English and Polish.
  Spontaneous speech is weaker in expression, and other languages, ages, microphones and noises
  differ; expect fewer right answers there than the figures above.
- Confidence is calibrated on actors of RAVDESS. On other speech it tends to be too high: see the
  calibration error in the foreign language above.
- RAVDESS speaks two sentences only. Nothing here understands words.
- Every window of speech gets one of the labels, also when what is expressed is none of them.
- The interval over actors is wide: with so few speakers, no figure is better known than that.
"""


def write_card(info: Mapping[str, Any]) -> str:
    """The card as Markdown: what it is, how good, on what it was trained, what it must not be."""
    title = f"# {info['name']}\n\n{info['description']}\n"
    figures = info["figures"]
    parts = [
        title,
        _unseen(figures["unseen_actors"]),
        _foreign(figures["emovo_four_classes"]),
        USE,
        LIMITS,
        _training(info["training"]),
        _licence(info),
    ]
    return "\n".join(parts)


def _unseen(figures: Mapping[str, Any]) -> str:
    low, high = figures["uar_interval_over_actors"]
    seeds = figures["seeds"]
    spread = figures["uar_spread_over_seeds"]
    told = f"{seeds} seeds, spread {spread:.3f}" if seeds > 1 else "one seed only"
    rows = "\n".join(
        f"| {fold['name']} | {fold['recordings']} | {fold['uar']:.3f} | {fold['accuracy']:.3f} |"
        for fold in figures["folds"]
    )
    return f"""\
## How well it does on actors that it never heard

RAVDESS speech, {len(figures["recall"])} classes: UAR (the mean recall of the classes)
**{figures["uar"]:.3f}**, accuracy **{figures["accuracy"]:.3f}**.
The 95 % interval of UAR over actors is {low:.3f} to {high:.3f}; the spread (standard deviation)
over folds is {figures["uar_spread_over_folds"]:.3f}; {told}.

| fold | recordings | UAR | accuracy |
| --- | --- | --- | --- |
{rows}

Recall by class: {_recall(figures)}.

Expected calibration error: {figures["ece"]:.3f} with each fold by the temperature of the other
folds, {figures["ece_uncalibrated"]:.3f} with none (10 bins).

Protocol: {figures["protocol"]}
"""


def _foreign(figures: Mapping[str, Any]) -> str:
    return f"""\
## How well it does in a language that it never heard

{figures["recordings"]} recordings, {len(figures["recall"])} classes: UAR
**{figures["uar"]:.3f}**, accuracy {figures["accuracy"]:.3f}, expected calibration error
{figures["ece"]:.3f}. Recall by class: {_recall(figures)}.

Protocol: {figures["protocol"]}
"""


def _recall(figures: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {share:.2f}" for name, share in figures["recall"].items())


def _training(training: Mapping[str, Any]) -> str:
    corpora = "\n".join(
        f"- {name}: {facts['recordings']} recordings of {facts['speakers']} speakers"
        for name, facts in training["corpora"].items()
    )
    return f"""\
## How it was trained

{corpora}

{training["how"]}

Made by `{training["command"]}`; the options of that run are in `bundle.json`.
"""


def _licence(info: Mapping[str, Any]) -> str:
    citations = "\n".join(f"- {citation}" for citation in info["citations"])
    return f"""\
## Licence

The weights: {info["licence"]}, as the recordings that they were trained on. Cite these:

{citations}
"""
