"""What `batchemo adapt` prints: before and after, and what more answers would bring."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import IO, Any

import click

from batchemo.adaptation.outcome import Comparison, Figures, expected_gain
from batchemo.adaptation.run import AdaptResult, unanswered
from batchemo.common.text import counted, for_display


def show_result(result: AdaptResult, stream: IO[str]) -> None:
    """Print the result as text."""
    for line in _lines(result):
        click.echo(line, file=stream)


def facts(result: AdaptResult) -> dict[str, Any]:
    """Return the result for programs."""
    origin, comparison = result.origin, result.comparison
    return {
        "model": result.base.name,
        "answers": dict(origin.answers),
        "not_used": result.not_used,
        "left_out": origin.left_out,
        "groups": origin.groups,
        "temperature": origin.temperature,
        "before": _figures(comparison.before),
        "after": _figures(comparison.after),
        "gain": comparison.gain,
        "gain_interval": comparison.gain_interval,
        "likelier": comparison.likelier,
        "helps": comparison.helps,
        "curve": [{"answers": point.answers, "uar": point.uar} for point in result.curve],
        "gain_by_twice_as_many": expected_gain(result.curve),
        "bundle": None if result.bundle is None else str(result.bundle.path),
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "uar": figures.uar,
        "uar_interval": figures.uar_interval,
        "accuracy": figures.accuracy,
        "ece": figures.ece,
    }


def _lines(result: AdaptResult) -> Iterator[str]:
    origin, comparison = result.origin, result.comparison
    answers = sum(origin.answers.values())
    by_label = ", ".join(f"{label} {count}" for label, count in origin.answers.items() if count)
    yield f"{counted(answers, 'answer')}: {by_label}"
    for reason, count in result.not_used.items():
        yield f"  {count:,} not used: {reason}"
    if missing := unanswered(origin):
        yield f"  no answer: {', '.join(missing)}; the adapted model predicts these less often"
    yield ""
    grouped = "" if origin.left_out == "single recordings" else f", {origin.groups} groups"
    yield f"answers that were left out in turn ({origin.left_out}{grouped})"
    yield f"{'':12}{'before':>22}{'after':>22}"
    before, after = comparison.before, comparison.after
    yield f"{'UAR':12}{_interval(before):>22}{_interval(after):>22}"
    yield f"{'accuracy':12}{before.accuracy:>22.2f}{after.accuracy:>22.2f}"
    yield f"{'ECE':12}{before.ece:>22.2f}{after.ece:>22.2f}"
    for label, old, new in zip(origin.answers, before.recall, after.recall, strict=True):
        if not math.isnan(old):
            yield f"  {label:10}{old:>22.2f}{new:>22.2f}"
    yield ""
    yield from _curve(result)
    yield _verdict(result, comparison)


def _interval(figures: Figures) -> str:
    if figures.uar_interval is None:
        return f"{figures.uar:.2f}"
    low, high = figures.uar_interval
    return f"{figures.uar:.2f} ({low:.2f} to {high:.2f})"


def _curve(result: AdaptResult) -> Iterator[str]:
    points = ", ".join(f"{point.uar:.2f} by {point.answers}" for point in result.curve)
    yield f"UAR by the number of answers: {points}"
    gain = expected_gain(result.curve)
    yield f"twice as many answers would add about {gain:.2f}, if it goes on like this"
    yield ""


def _verdict(result: AdaptResult, comparison: Comparison) -> str:
    interval = ""
    if comparison.gain_interval is not None:
        low, high = comparison.gain_interval
        interval = f" ({low:+.2f} to {high:+.2f})"
    change = f"UAR {comparison.gain:+.2f}{interval}"
    if result.bundle is not None:
        shown = for_display(str(result.bundle.path))
        if comparison.helps:
            return f"{change} → {shown}"
        return f"{change}: not shown to help, and written all the same (--force) → {shown}"
    return (
        f"{change}: these answers do not show that it helps (the labels of left-out ones became "
        f"more probable by {comparison.likelier:.1f} standard errors), so no model was written. "
        "Give more answers, of labels that have few"
    )
