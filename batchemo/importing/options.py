"""What an import is asked for, and what a source turns out to be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from batchemo.common.arrays import Float32
from batchemo.features import FeatureSet

WINDOW = 10.0
"""Seconds of a window, where neither the user nor the graph asks for another."""
SHORTEST, LONGEST = 0.25, 30.0
"""The windows that a graph of free length may be given; no shorter recording is analysed."""

Original: TypeAlias = Callable[[Float32], Mapping[str, Float32]]
"""Samples of one window, at the model's rate → the outputs of the original by kind, without a
dimension for the batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """The options of `batchemo models import`; None is what the source says."""

    source: Path
    output: Path
    labels: tuple[str, ...] = ()
    """The name of each class, in the order of the graph's output."""
    dimensions: tuple[str, ...] = ()
    """The same for a model that gives dimensions, and no classes."""
    rename: Mapping[str, str] = field(default_factory=dict)
    own_labels: bool = False
    """Keep names such as `ang`, which otherwise become the usual ones."""
    input: str | None = None
    """What a single graph takes; `waveform` is all there is."""
    features: FeatureSet | None = None
    """The feature set that a Keras model takes."""
    scaler: Path | None = None
    """A file with the mean and the scale of each feature, that a Keras model takes them by."""
    rate: int | None = None
    normalise: bool | None = None
    """Whether the samples of each window get mean 0 and variance 1."""
    window: float | None = None
    hop: float | None = None
    classes: str | None = None
    """The name of the graph's output with the classes, or the dimensions."""
    licence: str | None = None
    recordings: tuple[str, ...] = ()
    """Files and folders of recordings on which the bundle and the original are compared."""
    int8: bool = False
    """Store and multiply the weights of products in 8 bits."""
    overwrite: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedModel:
    """A source as a bundle has it, and the source itself to compare with."""

    kind: str
    """What the source is, in words."""
    graph: bytes
    input: Mapping[str, Any]
    """As in bundle.json."""
    outputs: Mapping[str, Any]
    """As in bundle.json."""
    original: Original
    data: bytes = b""
    """Its weights, where graph and weights are too large for one file."""
    licence: str | None = None
    """What the source itself says."""
    notes: tuple[str, ...] = ()
    """What was changed, for the user and the card."""
    for_single_windows: bool = False
    """Whether the graph was exported for one window at a time: it may still take several."""
