"""An ONNX graph that is imported, and changes so that it takes what a bundle's does.

A bundle's graph takes one array (batch, samples). A graph that somebody exported may also take an
attention mask, or be for one window at a time. What it gives is the subject of `graph_outputs`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchemo.bundles.onnx_check import check_onnx
from batchemo.bundles.schema import GRAPH_DATA
from batchemo.common.text import for_display
from batchemo.errors import BundleError, MissingExtraError, UsageError
from batchemo.importing.weights import take_in_weights

SAMPLES = "samples"
_MASKS = ("attention_mask", "padding_mask", "mask")
_PASSED_ON = ("Identity", "Dropout", "Cast")
"""Operators between the last layer and the output that change no number."""


@dataclass(slots=True)
class Graph:
    """A graph that is being changed, and what is known of it."""

    path: Path
    model: Any
    """The `onnx.ModelProto`."""
    data: bytes = b""
    """The weights that stand in a file of their own, called `GRAPH_DATA`."""

    @property
    def graph(self) -> Any:
        """The `onnx.GraphProto`."""
        return self.model.graph

    def bytes(self) -> bytes:
        """Return the file of the graph as a bundle has it; BundleError if it may have none such."""
        content: bytes = self.model.SerializeToString()
        check_onnx(content, {GRAPH_DATA: len(self.data)} if self.data else {})
        return content

    def inputs(self) -> list[Any]:
        """Return what must be given to it, without weights that old graphs list as well."""
        weights = {tensor.name for tensor in self.graph.initializer}
        return [each for each in self.graph.input if each.name not in weights]

    def producer(self, name: str) -> Any | None:
        """Return the node that computes a value, over those that only pass it on."""
        for node in reversed(self.graph.node):
            if name in node.output:
                return self.producer(node.input[0]) if node.op_type in _PASSED_ON else node
        return None

    def weight_shape(self, name: str) -> tuple[int, ...] | None:
        """Return the shape of a weight of single precision, or None if it is none."""
        single = onnx_package().TensorProto.FLOAT
        weights = (t for t in self.graph.initializer if t.name == name and t.data_type == single)
        return next((tuple(tensor.dims) for tensor in weights), None)


def open_graph_file(path: Path) -> Graph:
    """Read and check a graph; weights that stand in files beside it become a part of it.

    They stay in one file where the graph would be too large with them.
    """
    onnx = onnx_package()
    if not path.is_file():  # Reading from a pipe might never end.
        raise UsageError(f"{for_display(str(path))}: is no regular file")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{for_display(str(path))}: cannot be read: {error.strerror}") from None
    try:
        model = onnx.load_from_string(content)
    except Exception as error:  # protobuf's own, of which there are several.
        raise BundleError(f"{for_display(str(path))}: is no ONNX graph: {error}") from error
    data = take_in_weights(model, path.parent)
    try:
        check_onnx(model.SerializeToString(), {GRAPH_DATA: len(data)} if data else {})
    except BundleError as error:
        raise BundleError(f"{for_display(str(path))}: {error}") from error
    return Graph(path, model, data)


def input_sizes(value: Any) -> list[int | None]:
    """Return the sizes of an input; None for one that is free."""
    return [
        size.dim_value if size.HasField("dim_value") else None
        for size in value.type.tensor_type.shape.dim
    ]


def take_waveform(graph: Graph) -> tuple[int | None, bool]:
    """Make the samples the only input, called `samples`.

    Return their fixed number, if it is one, and whether the graph was exported for a single window:
    then the number of windows is made free, and only a trial shows whether it is.

    An attention mask becomes a part of the graph: windows are given to it without any padding, so
    that all of it is ones.
    """
    samples = only_array(graph)
    shown = for_display(samples.name)
    sizes = input_sizes(samples)
    is_waveform = len(sizes) == 2 or (len(sizes) == 3 and sizes[1] == 1)
    if not is_waveform:
        raise BundleError(
            f"{graph.path}: its input {shown} has {len(sizes)} dimensions, where a waveform has "
            "two: (batch, samples)"
        )
    if sizes[0] not in (None, 1):
        raise BundleError(
            f"{graph.path}: takes batches of {sizes[0]} only: export it with a first dimension "
            "that is free (for torch.onnx.export: dynamic_axes={'" + shown + "': {0: 'batch', 1: "
            "'samples'}})"
        )
    rename_input(graph, samples.name, SAMPLES if len(sizes) == 2 else f"{SAMPLES}_3d")
    if len(sizes) == 3:
        _add_channel(graph)
    set_samples_input(graph, sizes[-1])
    if sizes[0] == 1:
        # What is said of values on the way has the single window in it.
        del graph.graph.value_info[:]
    return sizes[-1], sizes[0] == 1


def only_array(graph: Graph) -> Any:
    """Return the only input of numbers, after masks have become a part of the graph."""
    onnx = onnx_package()
    masks: list[Any] = []
    others: list[Any] = []
    for each in graph.inputs():
        is_float = each.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        (masks if each.name in _MASKS and not is_float else others).append(each)
    floats = [each for each in others if each.type.tensor_type.elem_type == onnx.TensorProto.FLOAT]
    if len(floats) != 1 or len(others) != 1:
        names = for_display(", ".join(each.name for each in graph.inputs())) or "nothing"
        raise BundleError(
            f"{graph.path}: takes {names}; a model of a scan takes one array of single precision "
            "numbers, and an attention mask at most"
        )
    for mask in masks:
        _fill_mask(graph, mask, floats[0])
    return floats[0]


def _fill_mask(graph: Graph, mask: Any, samples: Any) -> None:
    onnx = onnx_package()
    helper, types = onnx.helper, onnx.TensorProto
    kind = mask.type.tensor_type.elem_type
    if kind not in (types.INT64, types.INT32, types.BOOL):
        raise BundleError(
            f"{graph.path}: its mask {for_display(mask.name)} is neither of whole numbers of 32 or "
            "64 bits nor of truth values"
        )
    if len(input_sizes(samples)) != len(input_sizes(mask)):
        raise BundleError(
            f"{graph.path}: its mask {for_display(mask.name)} has not the shape of its input"
        )
    one = helper.make_tensor("value", kind, [1], [1])
    nodes = [
        helper.make_node("Shape", [samples.name], ["imported/shape"]),
        helper.make_node("ConstantOfShape", ["imported/shape"], [mask.name], value=one),
    ]
    insert_nodes(graph, nodes)
    graph.graph.input.remove(mask)


def rename_input(graph: Graph, old: str, new: str) -> None:
    """Give all nodes that take an input the value of another name."""
    if old == new:
        return
    used = {name for node in graph.graph.node for name in (*node.input, *node.output)}
    if new in used:
        raise BundleError(f"{graph.path}: has a value called {new} that is not its input")
    for node in graph.graph.node:
        for index, name in enumerate(node.input):
            if name == old:
                node.input[index] = new


def _add_channel(graph: Graph) -> None:
    onnx = onnx_package()
    axis = onnx.helper.make_tensor("imported/axis", onnx.TensorProto.INT64, [1], [1])
    graph.graph.initializer.append(axis)
    # Opset 13 and later; earlier ones have the axis as an attribute.
    node = onnx.helper.make_node("Unsqueeze", [SAMPLES, axis.name], [f"{SAMPLES}_3d"])
    if opset_of(graph) < 13:
        node = onnx.helper.make_node("Unsqueeze", [SAMPLES], [f"{SAMPLES}_3d"], axes=[1])
    insert_nodes(graph, [node])


def set_samples_input(graph: Graph, count: int | None) -> None:
    """Make samples the only input; `count` is how many, if it is fixed."""
    set_input(graph, SAMPLES, ["samples" if count is None else count])


def set_input(graph: Graph, name: str, shape: Sequence[int | str]) -> None:
    """Make this array of single precision the only input; `shape` is that of a window."""
    onnx = onnx_package()
    weights = {tensor.name for tensor in graph.graph.initializer}
    kept = [each for each in graph.graph.input if each.name in weights]
    del graph.graph.input[:]
    graph.graph.input.extend(
        [
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", *shape]),
            *kept,
        ]
    )


def insert_nodes(graph: Graph, nodes: Sequence[Any]) -> None:
    """Put nodes before all others: those that they feed must come later."""
    rest = list(graph.graph.node)
    del graph.graph.node[:]
    graph.graph.node.extend([*nodes, *rest])


def opset_of(graph: Graph) -> int:
    """Return the version of ONNX's operators that a graph uses."""
    versions: Iterator[int] = (
        each.version for each in graph.model.opset_import if each.domain in ("", "ai.onnx")
    )
    return next(versions, 1)


def onnx_package() -> Any:
    """Return the package onnx, which only an import needs."""
    try:
        import onnx
        import onnx.helper
    except ImportError as error:
        raise MissingExtraError(
            "importing models needs the package onnx: pip install 'batchemo[import]'"
        ) from error
    return onnx
