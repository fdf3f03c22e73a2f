"""Draws how a training went, epoch by epoch: equal input, equal bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from batchemo.common.text import for_display
from batchemo.training.fit.teach import Taught


def draw_curves(name: str, taught: Sequence[Taught]) -> bytes:
    """Loss and accuracy on what was learnt and on what was only watched, as PNG."""
    import matplotlib.style
    from matplotlib.figure import Figure

    picture = io.BytesIO()
    # Not the reader's own style: it might change the bytes, or run text through TeX.
    with matplotlib.style.context("default"):
        figure = Figure(figsize=(9.0, 3.8), dpi=120, layout="constrained")
        for axes, kind in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
            for number, one in enumerate(taught):
                net = f" (net {number + 1})" if len(taught) > 1 else ""
                _draw(axes, kind, one, net)
            axes.set(xlabel="epoch", ylabel=kind, ylim=(0, 1.02 if kind == "accuracy" else None))
            axes.legend()
        figure.suptitle(f"{for_display(name)}: training", fontsize=10, parse_math=False)
        figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()


def _draw(axes: Any, kind: str, taught: Taught, net: str) -> None:
    numbers = [epoch.number + 1 for epoch in taught.history]
    axes.plot(numbers, [getattr(epoch, kind) for epoch in taught.history], label=f"learnt{net}")
    watched = [getattr(epoch, f"validation_{kind}") for epoch in taught.history]
    if None not in watched:
        axes.plot(numbers, watched, label=f"only watched{net}")
        chosen = taught.chosen.number + 1
        axes.axvline(chosen, color="grey", linestyle=":", label=f"chosen epoch{net}")
