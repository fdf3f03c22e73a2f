"""A Keras model over one of our feature sets, and the scaler that its features went through.

    model.h5 or model.keras      the net: layers of Keras's own, and weights
    scaler.json or scaler.npz    `mean` and `scale`: the net takes (feature - mean) / scale

The scaler becomes a part of the graph. Both are plain data: a scaler that is a pickle can run any
code, and is never loaded.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from batchemo.common.arrays import Float32, Float64
from batchemo.common.text import for_display
from batchemo.errors import BundleError, MissingExtraError, UsageError
from batchemo.features import FeatureSet, extract
from batchemo.importing.graph import Graph, insert_nodes, onnx_package, rename_input, set_input
from batchemo.importing.graph_outputs import GivenOutputs, give_outputs
from batchemo.importing.keras_file import open_keras
from batchemo.importing.options import ImportedModel, ImportOptions, Original
from batchemo.importing.plain_data import MAX_BYTES, read_json

KERAS_SUFFIXES = (".h5", ".hdf5", ".keras")
_FEATURES, _TAKEN = "features", "imported/taken"
_VECTOR_WINDOWS = (1.0, 10.0)
"""Windows of other lengths than the net was trained on, where the features are means over them."""


def import_keras(options: ImportOptions) -> ImportedModel:
    """Import a net; its original is the same net, run by Keras."""
    names = options.labels or options.dimensions
    if options.features is None or not names:
        raise UsageError(
            f"{for_display(str(options.source))}: a Keras model does not say which features it "
            "takes, nor what its classes are: add --features NAME and --labels a,b,c in the order "
            "of its output"
        )
    model = open_keras(options.source)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise BundleError(f"{options.source}: should have one input and one output")
    window = options.window or options.features.window
    given = options.features.shape(window)
    layout = _layout(options, given, tuple(model.inputs[0].shape)[1:])
    graph = _converted(options.source, model)
    _take_features(graph, layout)
    outputs = give_outputs(graph, options, names, are_dimensions=bool(options.dimensions))
    notes = list(outputs.notes)
    if layout.scaler is not None:
        notes.append(f"The scaler is a part of the graph: {for_display(str(options.scaler))}.")
    return ImportedModel(
        kind="a Keras model",
        graph=graph.bytes(),
        input=_input(options, options.features, window),
        outputs=outputs.info,
        original=_original(model, options.features, window, layout, outputs),
        notes=tuple(notes),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Scaler:
    """What is subtracted and what divides: a number for each column, or for each value."""

    mean: Float64
    scale: Float64


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """From an array of features to what the net takes."""

    given: tuple[int, ...]
    """The shape of the features of a window: (columns,) or (frames, columns)."""
    taken: tuple[int, ...]
    """The shape that the net takes."""
    is_transposed: bool
    """Whether it takes columns before frames."""
    scaler: _Scaler | None
    is_by_value: bool
    """Whether the scaler has a number for each value, in the layout that the net takes."""

    def apply(self, features: Float32) -> Float32:
        """Return the features of a window as the net takes them."""
        values: Float64 = features.astype(np.float64)
        if self.scaler is not None and not self.is_by_value:
            values = (values - self.scaler.mean) / self.scaler.scale
        values = (values.T if self.is_transposed else values).reshape(self.taken)
        if self.scaler is not None and self.is_by_value:
            values = (values - self.scaler.mean) / self.scaler.scale
        return values.astype(np.float32)


def _layout(
    options: ImportOptions, given: tuple[int, ...], wanted: tuple[int | None, ...]
) -> _Layout:
    """Find how the features become what the net takes: sizes of 1 and the order may differ."""
    sizes = [size for size in given if size != 1]
    is_transposed = not _fits(sizes, wanted)
    if is_transposed:
        sizes.reverse()
    if not _fits(sizes, wanted):
        shape = " × ".join(map(str, given))
        takes = " × ".join("any" if size is None else str(size) for size in wanted)
        raise UsageError(
            f"{for_display(str(options.source))}: takes {takes} numbers a window, and "
            f"{options.features.name if options.features else ''} gives {shape}: --param sets "
            "parameters of the feature set, such as n_mfcc=40"
        )
    rest = iter(sizes)
    taken = tuple(1 if size == 1 else next(rest) for size in wanted)
    scaler, is_by_value = None, False
    if options.scaler is not None:
        scaler = _read_scaler(options.scaler)
        is_by_value = scaler.mean.size != given[-1]
        if is_by_value:
            if scaler.mean.size != math.prod(given):
                raise UsageError(
                    f"{for_display(str(options.scaler))}: has {scaler.mean.size} numbers, for "
                    f"{given[-1]} columns of features, or {math.prod(given)} values in all"
                )
            scaler = _Scaler(scaler.mean.reshape(taken), scaler.scale.reshape(taken))
    return _Layout(given, taken, is_transposed, scaler, is_by_value)


def _fits(sizes: Sequence[int], wanted: Sequence[int | None]) -> bool:
    """Return whether these sizes are those that are wanted, which may be any or 1.

    >>> _fits([130, 62], [None, 62, 1]), _fits([62, 130], [None, 62])
    (True, False)
    """
    needed = [size for size in wanted if size != 1]
    return len(needed) == len(sizes) and all(
        size in (None, own) for size, own in zip(needed, sizes, strict=True)
    )


def _read_scaler(path: Path) -> _Scaler:
    shown = for_display(str(path))
    if path.suffix == ".json":
        data: Mapping[str, Any] = read_json(path)
    elif path.suffix == ".npz":
        data = _read_npz(path)
    else:
        raise UsageError(
            f"{shown}: a scaler is read from .json or .npz. A pickle can run any code, and is never"
            " loaded: examples/scaler_to_json.py writes it as JSON, in a place that you can lose"
        )
    try:
        mean, scale = (np.asarray(data[key], np.float64).ravel() for key in ("mean", "scale"))
    except (KeyError, TypeError, ValueError):
        raise UsageError(
            f"{shown}: should have the numbers mean and scale of each feature"
        ) from None
    is_usable = mean.size == scale.size and np.isfinite(mean).all() and np.isfinite(scale).all()
    if not is_usable or not (np.abs(scale) > 0).all():
        raise UsageError(
            f"{shown}: should have as many numbers of mean as of scale, and no scale of 0"
        )
    return _Scaler(mean, scale)


def _read_npz(path: Path) -> dict[str, Any]:
    shown = for_display(str(path))
    try:
        content = path.read_bytes() if path.stat().st_size <= MAX_BYTES else b""
    except OSError as error:
        raise UsageError(f"{shown}: cannot be read: {error.strerror}") from None
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            # Before anything is unpacked: zeros shrink to a thousandth.
            if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
                raise BundleError(f"{shown}: is larger than {MAX_BYTES // 2**20} MiB")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise BundleError(f"{shown}: is no file of plain arrays: {error}") from None


def _converted(source: Path, model: Any) -> Graph:
    try:
        import tf2onnx  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "Keras models are converted by tf2onnx: pip install 'batchemo[train]'"
        ) from error
    from batchemo.training.nets.convert import convert

    return Graph(source, onnx_package().load_from_string(convert(model)))


def _take_features(graph: Graph, layout: _Layout) -> None:
    """Put the scaler, and the change of layout, before the graph."""
    onnx = onnx_package()
    rename_input(graph, graph.inputs()[0].name, _TAKEN)
    constants: dict[str, Any] = {"imported/shape": np.array([-1, *layout.taken])}
    steps: list[tuple[str, list[str], dict[str, Any]]] = []
    scaling: list[tuple[str, list[str], dict[str, Any]]] = []
    if layout.scaler is not None:
        constants["imported/mean"] = layout.scaler.mean.astype(np.float32)
        constants["imported/scale"] = layout.scaler.scale.astype(np.float32)
        scaling = [("Sub", ["imported/mean"], {}), ("Div", ["imported/scale"], {})]
    steps += [] if layout.is_by_value else scaling
    steps += [("Transpose", [], {"perm": [0, 2, 1]})] if layout.is_transposed else []
    steps.append(("Reshape", ["imported/shape"], {}))
    steps += scaling if layout.is_by_value else []
    nodes, value = [], _FEATURES
    for number, (operator, more, attributes) in enumerate(steps, 1):
        result = _TAKEN if number == len(steps) else f"imported/step_{number}"
        nodes.append(onnx.helper.make_node(operator, [value, *more], [result], **attributes))
        value = result
    insert_nodes(graph, nodes)
    graph.graph.initializer.extend(
        onnx.numpy_helper.from_array(values, name) for name, values in constants.items()
    )
    set_input(graph, _FEATURES, layout.given)


def _input(options: ImportOptions, features: FeatureSet, window: float) -> dict[str, Any]:
    """Return the `input` of bundle.json."""
    shortest, longest = _VECTOR_WINDOWS if len(features.shape(window)) == 1 else (window, window)
    return {
        "type": "features",
        "features": features.to_dict(),
        "rate": features.rate,
        "window": window,
        "hop": options.hop or window,
        "window_range": [min(shortest, window), max(longest, window)],
        "normalisation": "graph",
        # As earlier projects cut their recordings, which the feature sets repeat.
        "padding": "trained",
    }


def _original(
    model: Any, features: FeatureSet, window: float, layout: _Layout, outputs: GivenOutputs
) -> Original:
    [kind] = outputs.originals

    def run(samples: Float32) -> Mapping[str, Float32]:
        taken = layout.apply(extract(features, samples, window))
        return {kind: np.asarray(model(taken[None], training=False), np.float32)[0]}

    return run
