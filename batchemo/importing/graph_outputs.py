"""Changes of an ONNX graph so that it gives what a bundle's does.

A bundle's graph gives logits or dimensions, and an embedding. One that somebody exported may give
probabilities, or have outputs that nobody asked for; and the embedding, from which its last layer
computes the logits, is seldom among its outputs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchemo.bundles.schema import MAX_EMBEDDING_SIZE
from batchemo.common.text import counted, for_display
from batchemo.errors import UsageError
from batchemo.importing.graph import Graph, input_sizes, onnx_package
from batchemo.importing.labels import class_names, dimension_names
from batchemo.importing.options import ImportOptions

LOGITS, DIMENSIONS, EMBEDDING = "logits", "dimensions", "embedding"


@dataclass(frozen=True, slots=True)
class GivenOutputs:
    """What the changed graph gives, and which outputs of the original these are."""

    info: Mapping[str, Any]
    """The `outputs` of bundle.json."""
    originals: Mapping[str, str]
    """The outputs of the original by kind, where it has them: `probabilities` is one with a
    softmax."""
    notes: tuple[str, ...]
    """What was changed, for the user and the card."""


@dataclass(frozen=True, slots=True)
class _SourceOutput:
    """An output of the graph as it was exported."""

    name: str
    size: int | None
    """The numbers of a window, if the graph says it."""
    has_softmax: bool = False


def give_outputs(
    graph: Graph,
    options: ImportOptions,
    names: Sequence[str],
    *,
    are_dimensions: bool = False,
    output: str | None = None,
    labelled: Collection[str] | None = None,
) -> GivenOutputs:
    """Make the graph give classes or dimensions of these names, and the embedding, if it has one.

    `output` is the name of that output, and `labelled` are those that have names for what they
    give, where the source says so: then the only vector besides them is the embedding.
    """
    wanted = options.classes or output
    named_embedding = None if labelled is None else _only_vector(graph, labelled)
    info: dict[str, Any]
    if are_dimensions:
        labels = dimension_names(names, options.rename)
        main, name = _give_dimensions(graph, wanted), DIMENSIONS
        info = {"dimensions": {"name": name, "dimensions": list(labels)}}
    else:
        labels = class_names(names, options.rename, own=options.own_labels)
        main, name = _give_classes(graph, wanted), LOGITS
        info = {"classes": {"name": name, "labels": list(labels)}}
    if main.size is not None and main.size != len(labels):
        raise UsageError(
            f"{graph.path}: its output {for_display(main.name)} gives "
            f"{counted(main.size, 'number')}, and there are {counted(len(labels), 'label')}: "
            f"{for_display(', '.join(names))}"
        )
    [kind] = info
    originals = {"probabilities" if main.has_softmax else kind: main.name}
    renamed = [f"{old} is {new}" for old, new in zip(names, labels, strict=True) if old != new]
    notes = [f"Labels: {for_display(', '.join(renamed))}."] if renamed else []
    if main.has_softmax:
        notes.append("The softmax at the end of the graph is left out: a bundle gives logits.")
    size = _add_embedding(graph, name, named_embedding)
    if size is not None:
        info["embedding"] = {"name": EMBEDDING, "size": size}
        what = "what the last layer takes"
        if named_embedding is not None:
            what = for_display(named_embedding.name)
            originals["embedding"] = named_embedding.name
        notes.append(f"The embedding is {what}, {counted(size, 'number')}.")
    return GivenOutputs(info, originals, tuple(notes))


def _give_classes(graph: Graph, wanted: str | None) -> _SourceOutput:
    """Choose the output with the classes, and give what a softmax at its end takes."""
    output = _choose(graph, wanted)
    name, size = output.name, _declared_size(output)
    last = graph.producer(name)
    # Logarithms of probabilities are logits of the same probabilities, and stay.
    has_softmax = last is not None and last.op_type == "Softmax"
    source = name if last is None or not has_softmax else str(last.input[0])
    size = size or _last_size(graph, source)
    _set_outputs(graph, {LOGITS: (source, size)})
    return _SourceOutput(name, size, has_softmax)


def _give_dimensions(graph: Graph, wanted: str | None) -> _SourceOutput:
    """Choose the output with the dimensions, and give it as it is."""
    output = _choose(graph, wanted)
    size = _declared_size(output) or _last_size(graph, output.name)
    _set_outputs(graph, {DIMENSIONS: (output.name, size)})
    return _SourceOutput(output.name, size)


def _add_embedding(graph: Graph, given: str, output: _SourceOutput | None = None) -> int | None:
    """Also give the embedding; return its size, or None if there is no such.

    That is this output of the graph as it was, or else what the last layer takes before the output
    `given`: a layer of weights (size, classes) on one vector for each window.
    """
    if output is not None:
        source, size = output.name, output.size
    else:
        layer = _last_layer(graph, given)
        source, size = (layer[0].input[0], layer[1]) if layer else ("", None)
    if size is None or size > MAX_EMBEDDING_SIZE:
        return None
    main = next(each for each in graph.graph.output if each.name == given)
    _set_outputs(graph, {given: (None, _declared_size(main)), EMBEDDING: (source, size)})
    return size


def _only_vector(graph: Graph, besides: Collection[str]) -> _SourceOutput | None:
    """Return the output of one vector for each window; None if there are none, or several."""
    others = [each for each in graph.graph.output if each.name not in besides]
    found = [_SourceOutput(each.name, _declared_size(each)) for each in others]
    vectors = [each for each in found if each.size]
    return vectors[0] if len(vectors) == 1 else None


def _choose(graph: Graph, wanted: str | None) -> Any:
    outputs = {each.name: each for each in graph.graph.output}
    for name in (wanted, LOGITS) if wanted is None else (wanted,):
        if name in outputs:
            return outputs[name]
    if wanted is None and len(outputs) == 1:
        return next(iter(outputs.values()))
    names = for_display(", ".join(outputs))
    problem = "has several outputs" if wanted is None else f"has no output {for_display(wanted)}"
    raise UsageError(
        f"{graph.path}: {problem}: {names}. --classes NAME names the one with the classes"
    )


def _declared_size(output: Any) -> int | None:
    sizes = input_sizes(output)
    return sizes[1] if len(sizes) == 2 else None


def _last_layer(graph: Graph, name: str) -> tuple[Any, int] | None:
    """Return the product of the last layer, and the size of what it takes."""
    node = graph.producer(name)
    if node is not None and node.op_type == "Add":
        products = [graph.producer(each) for each in node.input]
        node = next((each for each in products if each and each.op_type == "MatMul"), None)
    if node is None or node.op_type not in ("Gemm", "MatMul"):
        return None
    shape = graph.weight_shape(node.input[1])
    if shape is None or len(shape) != 2:
        return None
    is_transposed = any(each.name == "transB" and each.i for each in node.attribute)
    if any(each.name == "transA" and each.i for each in node.attribute):
        return None
    return node, shape[1] if is_transposed else shape[0]


def _last_size(graph: Graph, name: str) -> int | None:
    layer = _last_layer(graph, name)
    if layer is None:
        return None
    shape = graph.weight_shape(layer[0].input[1])
    assert shape is not None
    return shape[1] if shape[0] == layer[1] else shape[0]


def _set_outputs(graph: Graph, outputs: dict[str, tuple[str | None, int | None]]) -> None:
    """Make these the only outputs, of single precision: new name → value and size."""
    onnx = onnx_package()
    values = {name: source for name, (source, _) in outputs.items()}
    taken = {name for node in graph.graph.node for name in node.output}
    for name, source in values.items():
        if source in (None, name):
            continue
        if name in taken:
            _rename_value(graph, name, f"imported/{name}")
            source = f"imported/{name}" if source == name else source
        graph.graph.node.append(onnx.helper.make_node("Identity", [source], [name]))
    del graph.graph.output[:]
    graph.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", size])
        for name, (_, size) in outputs.items()
    )


def _rename_value(graph: Graph, old: str, new: str) -> None:
    for node in graph.graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new
