"""The colours of labels: the same for every model, in the page and in reports."""

from __future__ import annotations

from collections.abc import Sequence

LABEL_COLOURS = {
    "neutral": "#9aa0a6",
    "calm": "#5bb8a6",
    "happy": "#f2b134",
    "sad": "#4c78a8",
    "angry": "#d64550",
    "fearful": "#8e6bbf",
    "disgust": "#7f9a3c",
    "surprised": "#f0803c",
}
"""The colours of well-known labels, the same for every model."""
OTHER_COLOURS = ("#17a2b8", "#b07aa1", "#9c755f", "#59a14f", "#ff9da7", "#2f4b7c")


def colours_of(labels: Sequence[str]) -> list[str]:
    """Return a colour for each label.

    >>> colours_of(["sad", "bored", "tired"])
    ['#4c78a8', '#17a2b8', '#b07aa1']
    """
    others = [label for label in labels if label not in LABEL_COLOURS]
    colours = {label: OTHER_COLOURS[i % len(OTHER_COLOURS)] for i, label in enumerate(others)}
    return [LABEL_COLOURS.get(label) or colours[label] for label in labels]
