"""A graph with anything that is not on the allow-list is refused, however it is encoded."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protobuf_wire import Field, all_fields, all_messages, encode, fields_of, varint

from batchemo.bundles import Bundle, list_bundles, load_bundle
from batchemo.bundles.onnx_check import ALLOWED_DOMAINS, ALLOWED_OPERATORS, check_onnx
from batchemo.errors import BundleError

onnx = pytest.importorskip("onnx")

Change = Callable[[Any], None]


def _external(tensor: Any) -> None:
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"


def _external_initializer(model: Any) -> None:
    _external(model.graph.initializer[0])


def _external_without_location(model: Any) -> None:
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL


def _external_constant(model: Any) -> None:
    constant = onnx.helper.make_node(
        "Constant", [], ["c"], value=onnx.helper.make_tensor("t", 1, [1], [0.0])
    )
    _external(constant.attribute[0].t)
    model.graph.node.append(constant)


def _external_in_a_nested_graph(model: Any) -> None:
    inner = onnx.helper.make_graph([], "inner", [], [])
    _external(inner.initializer.add())
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("body", inner))


def _sparse(model: Any) -> None:
    model.graph.sparse_initializer.add().dims.extend([2**20, 2**20])


def _graphs_of_an_attribute(model: Any) -> None:
    model.graph.node[0].attribute.add().graphs.add()


def _sequence_input(model: Any) -> None:
    model.graph.input.add().type.sequence_type.elem_type.tensor_type.elem_type = 1


def _argument_of_a_function(model: Any) -> None:
    model.graph.node[0].attribute.add().ref_attr_name = "a"


def _text_data(model: Any) -> None:
    model.graph.initializer.add().string_data.append(b"text")


def _operator(name: str, inputs: int = 1) -> Change:
    def add(model: Any) -> None:
        model.graph.node.append(onnx.helper.make_node(name, ["x"] * inputs, ["y"]))

    return add


def _node_without_operator(model: Any) -> None:
    model.graph.node.add().name = "x"


def _huge(*sizes: int) -> Change:
    def add(model: Any) -> None:
        tensor = model.graph.initializer.add()
        tensor.dims.extend(sizes)

    return add


def _foreign_import(model: Any) -> None:
    model.opset_import.add().domain = "com.example"


def _foreign_node(model: Any) -> None:
    model.graph.node[0].domain = "com.microsoft"


def _function(model: Any) -> None:
    model.functions.add().name = "f"


def _training(model: Any) -> None:
    model.training_info.add()


def _too_deep(model: Any) -> None:
    graph = model.graph
    for _ in range(40):
        graph = graph.node.add().attribute.add().g


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_external_initializer, "external data|data in another file"),
        (_external_without_location, "data in another file"),
        (_external_constant, "external data|data in another file"),
        (_external_in_a_nested_graph, "has a sub-graph"),
        (_sparse, "sparse tensors"),
        (_operator("Loop"), "operator 'Loop'"),
        (_operator("If"), "operator 'If'"),
        (_operator("RandomNormal"), "operator 'RandomNormal'"),
        (_operator("NoSuchThing"), "operator 'NoSuchThing'"),
        (_node_without_operator, "a node without an operator"),
        (_huge(2**40), "tensor of 1,099,511,627,776 values"),
        (_huge(2**20, 2**20), "tensor of 1,099,511,627,776 values"),
        (_huge(-1), "tensor of 18,446,744,073,709,551,615 values"),
        (_foreign_import, "operators of 'com.example'"),
        (_foreign_node, "operators of 'com.microsoft'"),
        (_function, "has functions"),
        (_training, "has a training part"),
        (_too_deep, "has a sub-graph"),
        (_graphs_of_an_attribute, "has a sub-graph"),
        (_operator("Dropout", 3), "has a Dropout of training"),
        (_sequence_input, "has a field 4"),
        (_argument_of_a_function, "has a function"),
        (_text_data, "has a field 6"),
    ],
)
def test_what_a_graph_may_not_have_is_refused(
    tiny_bundle: Bundle, change: Change, message: str
) -> None:
    model = onnx.load_from_string(tiny_bundle.read("model.onnx"))
    check_onnx(model.SerializeToString())

    change(model)

    with pytest.raises(BundleError, match=message):
        check_onnx(model.SerializeToString())


@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_a_bundle_error(content: bytes) -> None:
    with contextlib.suppress(BundleError):
        check_onnx(content)


@given(data=st.data())
def test_a_truncated_graph_raises_nothing_but_a_bundle_error(data: st.DataObject) -> None:
    tensor = onnx.helper.make_tensor("w", 1, [4], [1.0, 2.0, 3.0, 4.0])
    graph = onnx.helper.make_graph([], "g", [], [], [tensor])
    content = onnx.helper.make_model(graph).SerializeToString()
    cut = data.draw(st.integers(0, len(content) - 1))
    with contextlib.suppress(BundleError):
        check_onnx(content[:cut])


@pytest.mark.parametrize("name", list_bundles())
def test_the_graph_of_every_shipped_bundle_passes_the_check(name: str) -> None:
    check_onnx(load_bundle(name).read("model.onnx"))


@pytest.mark.parametrize("name", list_bundles())
def test_the_encoder_of_these_tests_writes_what_onnx_writes(name: str) -> None:
    content = load_bundle(name).read("model.onnx")
    assert encode(fields_of(onnx.load_from_string(content))) == content


HOSTILE: dict[str, Change] = {
    "nothing": lambda model: None,
    "a loop": _operator("Loop"),
    "random numbers": _operator("RandomNormal"),
    "a function": _function,
    "a foreign operator": _foreign_node,
    "external data": _external_initializer,
    "a sub-graph": _too_deep,
    "sparse data": _sparse,
}


def _base_model() -> Any:
    """Return a small model that has a field of every allowed kind."""
    helper = onnx.helper
    weights = helper.make_tensor("w", 1, [2, 2], [1.0, 2.0, 3.0, 4.0])
    shape = helper.make_tensor("s", 7, [2], np.array([-1, 2], np.int64).tobytes(), raw=True)
    nodes = [
        helper.make_node("Reshape", ["x", "s"], ["r"], name="reshape"),
        helper.make_node("Gemm", ["r", "w"], ["y"], alpha=0.5, transB=1, domain="ai.onnx"),
        helper.make_node("Transpose", ["y"], ["z"], perm=[1, 0]),
    ]
    graph = helper.make_graph(
        nodes,
        "base",
        [helper.make_tensor_value_info("x", 1, ["n", 2])],
        [helper.make_tensor_value_info("z", 1, [2, "n"])],
        [weights, shape],
        doc_string="text",
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def _has_forbidden(model: Any) -> bool:
    """Whether a model, as onnx understands it, has what no bundle may have."""
    attributes = [attribute for node in model.graph.node for attribute in node.attribute]
    tensors = [*model.graph.initializer, *(each.t for each in attributes if each.HasField("t"))]
    return bool(
        model.functions
        or model.training_info
        or model.graph.sparse_initializer
        or any(tensor.external_data or tensor.data_location for tensor in tensors)
        or any(node.op_type not in ALLOWED_OPERATORS for node in model.graph.node)
        or any(node.domain not in ALLOWED_DOMAINS for node in model.graph.node)
        or any(each.HasField("g") or each.graphs for each in attributes)
    )


def _parses(content: bytes) -> list[Any]:
    """Return what protobuf makes of the bytes, in Python and in C++; nothing where it cannot."""
    parsed = []
    with contextlib.suppress(Exception):
        parsed.append(onnx.load_from_string(content))
    with contextlib.suppress(Exception):
        # Reads and writes the model in C++; it understands more than it checks.
        parsed.append(onnx.load_from_string(onnx.shape_inference.infer_shapes(content)))
    return parsed


def _summary(model: Any) -> Any:
    return (
        [(node.op_type, node.domain, [*node.input]) for node in model.graph.node],
        [(tensor.name, [*tensor.dims]) for tensor in model.graph.initializer],
        [(each.domain, each.version) for each in model.opset_import],
    )


def _is_accepted(content: bytes) -> bool:
    try:
        check_onnx(content)
    except BundleError:
        return False
    return True


def _rewrite(data: st.DataObject, fields: list[Field]) -> None:
    """Change how some fields are written, or write them twice, elsewhere, or as something else."""
    for _ in range(data.draw(st.integers(1, 3))):
        field = data.draw(st.sampled_from(all_fields(fields)))
        message = data.draw(st.sampled_from(all_messages(fields)))
        way = data.draw(st.integers(0, 8))
        if way == 0:
            field.tag_padding = data.draw(st.integers(1, 9))
        elif way == 1:
            field.tag_high_bits = data.draw(st.integers(1, 2**33))
        elif way == 2:
            field.value_padding = data.draw(st.integers(1, 9))
        elif way == 3:
            field.number = data.draw(st.sampled_from([0, 3, 17, 25, 99, 2**28, 2**29 - 1]))
        elif way == 4:
            field.wire_type = data.draw(st.integers(0, 7))
        elif way == 5 and isinstance(field.value, int):
            field.value += data.draw(st.sampled_from([2**32, 2**63, 2**64]))
        elif way == 6 and message:
            message.append(data.draw(st.sampled_from(message)))  # Twice.
        elif way == 7:
            message[:] = data.draw(st.permutations(message))
        else:
            message.append(copy.deepcopy(field))  # In a message where it does not belong, perhaps.


@pytest.mark.parametrize("kind", HOSTILE)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_encoding_hides_from_the_check_what_protobuf_reads(
    kind: str, data: st.DataObject
) -> None:
    model = _base_model()
    HOSTILE[kind](model)
    fields = fields_of(model)
    _rewrite(data, fields)
    content = encode(fields)
    parsed = _parses(content)

    if any(map(_has_forbidden, parsed)):
        assert not _is_accepted(content)
    if _is_accepted(content):
        assert all(_summary(each) == _summary(parsed[0]) for each in parsed[1:])


def _change_every_field(rewrite: Callable[[Field], None]) -> list[bytes]:
    """Return one encoding of the base model for each field, changed in this one only."""
    contents = []
    for place in range(len(all_fields(fields_of(_base_model())))):
        fields = fields_of(_base_model())
        rewrite(all_fields(fields)[place])
        contents.append(encode(fields))
    return contents


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("tag_padding", 1), ("tag_high_bits", 1), ("value_padding", 1), ("number", 0)],
)
def test_a_tag_length_or_number_that_is_not_in_its_shortest_form_is_refused(
    attribute: str, value: int
) -> None:
    def rewrite(field: Field) -> None:
        setattr(field, attribute, value)

    unchanged = encode(fields_of(_base_model()))
    assert _is_accepted(unchanged)
    for content in _change_every_field(rewrite):
        # Values of fixed size have no length.
        assert not _is_accepted(content) or content == unchanged


@pytest.mark.parametrize("wire_type", [3, 4, 6, 7])
def test_groups_and_unknown_wire_types_are_refused(wire_type: int) -> None:
    def rewrite(field: Field) -> None:
        field.wire_type = wire_type

    assert not any(map(_is_accepted, _change_every_field(rewrite)))


def test_a_loop_behind_a_tag_of_more_than_32_bits_is_refused() -> None:
    """Protobuf cuts the tag to 32 bits and reads the operator; who skips the field misses it."""
    fields = fields_of(_base_model())
    operator = next(field for field in all_fields(fields) if field.value == b"Transpose")
    operator.value, operator.tag_high_bits = b"Loop", 1
    content = encode(fields)

    with pytest.raises(BundleError, match="more than 32 bits"):
        check_onnx(content)


def test_a_second_graph_that_protobuf_would_merge_is_refused() -> None:
    content = _base_model().SerializeToString()
    loop = onnx.ModelProto()
    loop.graph.node.add().op_type = "Add"
    merged = onnx.load_from_string(content + loop.SerializeToString())

    assert len(merged.graph.node) == 4
    with pytest.raises(BundleError, match="field 7 of the model comes twice"):
        check_onnx(content + loop.SerializeToString())


def test_a_location_of_data_that_protobuf_cuts_to_32_bits_is_refused() -> None:
    model = _base_model()
    model.graph.initializer[0].data_location = 1
    fields = fields_of(model)
    location = next(field for field in all_fields(fields) if field.number == 14)
    location.value = 2**32

    with pytest.raises(BundleError, match="neither in the graph nor in a file"):
        check_onnx(encode(fields))


def test_packed_and_single_numbers_are_read_alike() -> None:
    fields = fields_of(_base_model())
    graph = next(field.value for field in fields if field.number == 7)
    tensor = next(field.value for field in graph if field.number == 5)
    tensor[0].wire_type, tensor[0].value = 2, varint(2)
    assert _is_accepted(encode(fields))
    tensor[0].value = varint(2**40)
    with pytest.raises(BundleError, match="more than any model's"):
        check_onnx(encode(fields))
