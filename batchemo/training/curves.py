"""Draws how a training went, epoch by epoch: equal input, equal bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence

from batchemo.sources.names import for_display
from batchemo.training.history import Epoch


def draw_curves(name: str, history: Sequence[Epoch], chosen: Epoch) -> bytes:
    """Loss and accuracy on what was learnt and on what was only watched, as PNG."""
    import matplotlib.style
    from matplotlib.figure import Figure

    numbers = [epoch.number + 1 for epoch in history]
    picture = io.BytesIO()
    # Not the reader's own style: it might change the bytes, or run text through TeX.
    with matplotlib.style.context("default"):
        figure = Figure(figsize=(9.0, 3.8), dpi=120, layout="constrained")
        for axes, kind in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
            axes.plot(numbers, [getattr(epoch, kind) for epoch in history], label="learnt")
            watched = [getattr(epoch, f"validation_{kind}") for epoch in history]
            axes.plot(numbers, watched, label="only watched")
            axes.axvline(chosen.number + 1, color="grey", linestyle=":", label="chosen epoch")
            axes.set(xlabel="epoch", ylabel=kind, ylim=(0, 1.02 if kind == "accuracy" else None))
            axes.legend()
        figure.suptitle(f"{for_display(name)}: training", fontsize=10, parse_math=False)
        figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()
