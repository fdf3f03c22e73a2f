"""Draws an evaluation as PNG: confusions, reliability, coverage. Equal input, equal bytes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from batchemo.common.text import for_display
from batchemo.evaluation.results import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LONGEST = 18
_TITLE_WIDTH = 64
_PALE = 0.55
"""The share from which a cell is so dark that its number is written in white."""


def draw_confusion(evaluation: Evaluation) -> bytes:
    """The confusion matrix: shares of each true class, coloured, with their numbers."""
    side = min(3.2 + 0.55 * len(evaluation.labels), 20.0)
    return _draw(evaluation, (max(side, 6.0), max(side - 0.6, 4.4)), _confusion)


def draw_reliability(evaluation: Evaluation) -> bytes:
    """How often answers of a confidence are right, beside how often they should be."""
    return _draw(evaluation, (6.0, 5.6), _reliability)


def draw_coverage(evaluation: Evaluation) -> bytes:
    """How much is wrong among the most confident answers, from few to all (risk, coverage)."""
    return _draw(evaluation, (6.0, 5.0), _coverage)


PICTURES: Mapping[str, Callable[[Evaluation], bytes]] = {
    "confusion": draw_confusion,
    "reliability": draw_reliability,
    "coverage": draw_coverage,
}
"""The pictures by the name of their file."""


def _draw(
    evaluation: Evaluation,
    size: tuple[float, float],
    draw: Callable[[Figure, Axes, Evaluation], None],
) -> bytes:
    import matplotlib.style
    from matplotlib.figure import Figure

    picture = io.BytesIO()
    # Not the reader's own style: it might change the bytes, or run text through TeX.
    with matplotlib.style.context("default"), warnings.catch_warnings():
        # A label in a script that the font lacks is drawn as boxes; the CSV has it whole.
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        figure = Figure(figsize=size, dpi=120, layout="constrained")
        axes = figure.subplots()
        draw(figure, axes, evaluation)
        axes.set_title(_wrapped(evaluation.info.title), fontsize=10, parse_math=False)
        figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()


def _confusion(figure: Figure, axes: Axes, evaluation: Evaluation) -> None:
    shares = [[share or 0.0 for share in row] for row in evaluation.confusion.shares]
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = _short(evaluation.labels)
    places = range(len(names))
    axes.set_xticks(places, names, rotation=45, ha="right", parse_math=False)
    axes.set_yticks(places, names, parse_math=False)
    axes.set_xlabel("told as")
    axes.set_ylabel("class")
    for row, told in enumerate(evaluation.confusion.shares):
        for column, share in enumerate(told):
            if share is not None:
                colour = "white" if share > _PALE else "black"
                text = f"{share:.0%}"
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    figure.colorbar(image, label="share of the class")


def _reliability(figure: Figure, axes: Axes, evaluation: Evaluation) -> None:
    bins = evaluation.reliability
    most = max(one.recordings for one in bins)
    for one in bins:
        # The more recordings, the darker: a bin of three tells little.
        shade = 0.25 + 0.75 * one.recordings / most
        width = one.high - one.low
        axes.bar(one.low, one.accuracy, width, align="edge", color="tab:blue", alpha=shade)
    axes.plot([0, 1], [0, 1], "--", color="grey", label="as confident as right")
    axes.plot([one.confidence for one in bins], [one.accuracy for one in bins], "o", color="black")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="share told right")
    told = f"ECE {evaluation.figures['ece'].mean:.3f}"
    if before := evaluation.figures.get("ece_uncalibrated"):
        told += f" ({before.mean:.3f} before calibration)"
    axes.legend(loc="lower right", title=f"{told}; darker: more recordings")


def _coverage(figure: Figure, axes: Axes, evaluation: Evaluation) -> None:
    curve = evaluation.coverage
    wrong = [1 - kept.accuracy for kept in curve]
    axes.plot([kept.coverage for kept in curve], wrong, color="tab:blue")
    points = (("accuracy", 1.0, "o"), ("accuracy_at_80", 0.8, "s"), ("accuracy_at_50", 0.5, "^"))
    for name, coverage, mark in points:
        right = evaluation.figures[name].mean
        told = f"{right:.3f} right at {coverage:.0%}"
        axes.plot(coverage, 1 - right, mark, color="black", label=told)
    axes.set(xlim=(0, 1.02), ylim=(0, max(0.1, 1.25 * max(wrong))))
    axes.set(xlabel="coverage: share kept, the most confident", ylabel="share told wrong")
    axes.legend(loc="lower left")


def _short(names: Sequence[str]) -> list[str]:
    shown = map(for_display, names)
    return [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name in shown]


def _wrapped(title: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(for_display(title), _TITLE_WIDTH, max_lines=4))
