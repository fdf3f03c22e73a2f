"""Plots of an evaluation as PNG: confusions, reliability, coverage. Equal input, equal bytes."""

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

_LONGEST_LABEL = 18
_TITLE_WIDTH = 64
_DARK_FROM = 0.55
"""The share from which a cell is so dark that its number is written in white."""


def draw_confusion(evaluation: Evaluation) -> bytes:
    """Draw the confusion matrix: shares of each true class, coloured, with their numbers."""
    side = min(3.2 + 0.55 * len(evaluation.labels), 20.0)
    return _draw(evaluation, (max(side, 6.0), max(side - 0.6, 4.4)), _confusion)


def draw_reliability(evaluation: Evaluation) -> bytes:
    """Draw how often predictions of a confidence are correct, and how often they should be."""
    return _draw(evaluation, (6.0, 5.6), _reliability)


def draw_coverage(evaluation: Evaluation) -> bytes:
    """Draw the error rate of the most confident predictions, from few to all (risk, coverage)."""
    return _draw(evaluation, (6.0, 5.0), _coverage)


PLOTS: Mapping[str, Callable[[Evaluation], bytes]] = {
    "confusion": draw_confusion,
    "reliability": draw_reliability,
    "coverage": draw_coverage,
}
"""The plots by the name of their file."""


def _draw(
    evaluation: Evaluation,
    size: tuple[float, float],
    draw: Callable[[Figure, Axes, Evaluation], None],
) -> bytes:
    import matplotlib.style
    from matplotlib.figure import Figure

    image = io.BytesIO()
    # Not the user's own style: it might change the bytes, or run text through TeX.
    with matplotlib.style.context("default"), warnings.catch_warnings():
        # A label in a script that the font lacks is drawn as boxes; the CSV has it whole.
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        figure = Figure(figsize=size, dpi=120, layout="constrained")
        axes = figure.subplots()
        draw(figure, axes, evaluation)
        axes.set_title(_wrapped(evaluation.info.title), fontsize=10, parse_math=False)
        # The version of matplotlib would be written into the file, and change its bytes.
        figure.savefig(image, format="png", metadata={"Software": None})
    return image.getvalue()


def _confusion(figure: Figure, axes: Axes, evaluation: Evaluation) -> None:
    shares = [[share or 0.0 for share in row] for row in evaluation.confusion.shares]
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = _shortened(evaluation.labels)
    ticks = range(len(names))
    axes.set_xticks(ticks, names, rotation=45, ha="right", parse_math=False)
    axes.set_yticks(ticks, names, parse_math=False)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    for row, shares_of_class in enumerate(evaluation.confusion.shares):
        for column, share in enumerate(shares_of_class):
            if share is not None:
                colour = "white" if share > _DARK_FROM else "black"
                text = f"{share:.0%}"
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    figure.colorbar(image, label="share of the true class")


def _reliability(figure: Figure, axes: Axes, evaluation: Evaluation) -> None:
    bins = evaluation.reliability
    most = max(filled.recordings for filled in bins)
    for filled in bins:
        # The more recordings, the darker: the height of a bin of three says little.
        opacity = 0.25 + 0.75 * filled.recordings / most
        width = filled.high - filled.low
        axes.bar(filled.low, filled.accuracy, width, align="edge", color="tab:blue", alpha=opacity)
    axes.plot([0, 1], [0, 1], "--", color="grey", label="perfect calibration")
    confidences, accuracies = zip(
        *((filled.confidence, filled.accuracy) for filled in bins), strict=True
    )
    axes.plot(confidences, accuracies, "o", color="black")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="share correct")
    title = f"ECE {evaluation.figures['ece'].mean:.3f}"
    if before := evaluation.figures.get("ece_uncalibrated"):
        title += f" ({before.mean:.3f} before calibration)"
    axes.legend(loc="lower right", title=f"{title}; darker: more recordings")


def _coverage(figure: Figure, axes: Axes, evaluation: Evaluation) -> None:
    curve = evaluation.coverage
    errors = [1 - point.accuracy for point in curve]
    axes.plot([point.coverage for point in curve], errors, color="tab:blue")
    marked = (("accuracy", 1.0, "o"), ("accuracy_at_80", 0.8, "s"), ("accuracy_at_50", 0.5, "^"))
    for name, coverage, mark in marked:
        accuracy = evaluation.figures[name].mean
        label = f"{accuracy:.3f} correct at {coverage:.0%}"
        axes.plot(coverage, 1 - accuracy, mark, color="black", label=label)
    axes.set(xlim=(0, 1.02), ylim=(0, max(0.1, 1.25 * max(errors))))
    axes.set(xlabel="coverage: share kept, the most confident", ylabel="share wrong")
    axes.legend(loc="lower left")


def _shortened(names: Sequence[str]) -> list[str]:
    return [
        name if len(name) <= _LONGEST_LABEL else f"{name[: _LONGEST_LABEL - 1]}…"
        for name in map(for_display, names)
    ]


def _wrapped(title: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(for_display(title), _TITLE_WIDTH, max_lines=4))
