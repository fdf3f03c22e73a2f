"""The allow-list of ONNX graphs: what a bundle's graph may have, read from the bytes of its file.

The onnx package is not installed where a scan runs, and ONNX Runtime would follow references to
other files before it could be asked what is inside. So the check reads protobuf's wire format
itself, and must never understand a file otherwise than ONNX Runtime does. Protobuf is lenient: it
cuts tags to 32 bits, ignores fields that it does not know or whose wire type is wrong, and of a
field that comes twice it takes the last one, or merges both. Here all of that is refused: each
message has known fields only, of the right wire type, once where ONNX has it once, and every
number is written in the shortest way. Those who export models write nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias

from batchemo.bundles.schema import MAX_FILE_BYTES
from batchemo.errors import BundleError

ALLOWED_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})

# Operators that compute numbers from numbers, in one pass: none that loops, branches, draws random
# numbers, or handles texts, sequences and images.
_OPERATORS = """
    Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast Ceil Celu Clip Concat Constant
    ConstantOfShape Conv ConvTranspose Cos CumSum DepthToSpace DequantizeLinear Div Dropout
    DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand Flatten Floor GRU Gather
    GatherElements GatherND Gelu Gemm GlobalAveragePool
    GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GroupNormalization HardSigmoid HardSwish
    Hardmax Identity InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu
    Less LessOrEqual Log LogSoftmax LpNormalization LpPool MatMul MatMulInteger Max MaxPool Mean
    MeanVarianceNormalization Min Mish Mod Mul Neg NonZero Not OneHot Or PRelu Pad Pow
    QuantizeLinear RNN Range Reciprocal ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean
    ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape ReverseSequence Round
    ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign Sin Size Slice Softmax Softplus
    Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Swish Tan Tanh ThresholdedRelu Tile TopK
    Transpose Trilu Unsqueeze Where Xor
"""
ALLOWED_OPERATORS = frozenset(_OPERATORS.split())

_Value: TypeAlias = "int | memoryview"

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
"""Wire types of protobuf. The others begin and end groups, which ONNX never had."""

_WIRE_TYPES: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "int": (_VARINT,),
        "enum": (_VARINT,),
        "location": (_VARINT,),
        "float": (_FIXED32,),
        # Fields that repeat a number may be packed: the numbers one after another, as bytes.
        "ints": (_VARINT, _BYTES),
        "sizes": (_VARINT, _BYTES),
        "floats": (_FIXED32, _BYTES),
        "doubles": (_FIXED64, _BYTES),
    }
)
"""The wire types of each rule below; all other rules are of bytes."""

_REPEATED = ("ints", "sizes", "floats", "doubles")

# Message → field number → what the field holds (onnx.proto, IR 3 to 13), with a star where it may
# be repeated: a message of this table, or a rule.
_ONNX: Mapping[str, Mapping[int, str]] = {
    "model": {
        1: "int",  # ir_version
        2: "bytes",  # producer_name
        3: "bytes",  # producer_version
        4: "bytes",  # domain, of the model's name
        5: "int",  # model_version
        6: "bytes",  # doc_string
        7: "graph",
        8: "operator set*",
        14: "entry*",  # metadata_props
        20: "no training part",
        25: "no functions",
        26: "no device configuration",
    },
    "operator set": {1: "domain", 2: "int"},
    "entry": {1: "bytes", 2: "bytes"},
    "graph": {
        1: "node*",
        2: "bytes",  # name
        5: "tensor*",  # initializer
        10: "bytes",  # doc_string
        11: "value info*",  # input
        12: "value info*",  # output
        13: "value info*",
        15: "no sparse tensors",
        16: "entry*",  # metadata_props
    },
    "node": {
        1: "bytes*",  # input
        2: "bytes*",  # output
        3: "bytes",  # name
        4: "operator",
        5: "attribute*",
        6: "bytes",  # doc_string
        7: "domain",
        8: "no function",  # overload: which of a function's variants is meant
        9: "entry*",  # metadata_props
        10: "no device configuration",
    },
    "attribute": {
        1: "bytes",  # name
        2: "float",
        3: "int",
        4: "bytes",
        5: "tensor",
        6: "no sub-graph",
        7: "floats",
        8: "ints",
        9: "bytes*",
        10: "tensor*",
        11: "no sub-graph",
        13: "bytes",  # doc_string
        14: "no type",
        15: "no type",
        20: "enum",  # type
        21: "no function",  # ref_attr_name: an argument of a function
        22: "no sparse tensors",
        23: "no sparse tensors",
    },
    "tensor": {
        1: "sizes",
        2: "enum",  # data_type
        4: "floats",
        5: "ints",
        7: "ints",
        8: "bytes",  # name
        9: "bytes",  # raw_data
        10: "doubles",
        11: "ints",
        12: "bytes",  # doc_string
        13: "external entry*",
        14: "location",
        16: "entry*",  # metadata_props
    },
    "external entry": {1: "bytes", 2: "bytes"},
    "value info": {1: "bytes", 2: "type", 3: "bytes", 4: "entry*"},
    "type": {1: "tensor type", 6: "bytes"},  # Not sequences, maps, and sparse or optional tensors.
    "tensor type": {1: "enum", 2: "shape"},
    "shape": {1: "dimension*"},
    "dimension": {1: "int", 2: "bytes", 3: "bytes"},
}


def check_onnx(content: bytes, data: Mapping[str, int] = MappingProxyType({})) -> None:
    r"""Raise BundleError for a graph that has anything that is not on the allow-list.

    `data` are the files that its weights may stand in, by their names and sizes. They are given to
    ONNX Runtime from memory; it opens none by itself.

    >>> check_onnx(b"\x08\x08\x3a\x07\x0a\x05\x22\x03Add")
    >>> check_onnx(b"\x08\x08\x3a\x08\x0a\x06\x22\x04Loop")
    Traceback (most recent call last):
    batchemo.errors.BundleError: model.onnx: uses the operator 'Loop', which a bundle may not use
    """
    try:
        _check_message("model", memoryview(content), data)
    except (IndexError, ValueError) as error:
        raise BundleError(f"model.onnx: is no ONNX graph: {error}") from error


def _check_message(kind: str, content: memoryview, data: Mapping[str, int]) -> None:
    places: list[memoryview] = []
    is_external = False
    seen: set[int] = set()
    values, inputs, operator = 1, 0, ""
    for number, wire_type, value in iter_fields(content):
        rule = _ONNX[kind].get(number)
        if rule is None:
            raise ValueError(f"the {kind} has a field {number}, which is not one of a {kind}")
        if rule.startswith("no "):
            raise BundleError(
                f"model.onnx: has {_with_article(rule[3:])}, which no bundle may have"
            )
        rule, repeated = rule.removesuffix("*"), rule.endswith("*") or rule in _REPEATED
        if wire_type not in _WIRE_TYPES.get(rule, (_BYTES,)):
            raise ValueError(f"field {number} of the {kind} is of the wrong kind")
        # Of two values protobuf takes the last one, and of two messages it makes one.
        if number in seen and not repeated:
            raise ValueError(f"field {number} of the {kind} comes twice")
        seen.add(number)
        if rule == "sizes":
            # Numbers on the wire are unsigned, so that a negative size is a huge one.
            values *= math.prod(_numbers(value))
            if values > MAX_FILE_BYTES:
                raise BundleError(
                    f"model.onnx: has a tensor of {values:,} values, more than any model's"
                )
        elif rule == "location":
            is_external = _is_external(value)
        elif isinstance(value, int):
            _check_number(rule, value)
        elif rule == "domain":
            _check_domain(bytes(value).decode("utf-8"))
        elif rule == "operator":
            operator = bytes(value).decode("utf-8")
            _check_operator(operator)
        elif rule in _ONNX:
            _check_message(rule, value, data)
            places += [value] if rule == "external entry" else []
        inputs += (kind, number) == ("node", 1)
    if is_external or places:
        _check_place(places, data, is_external=is_external)
    if kind == "node" and not operator:
        raise BundleError("model.onnx: has a node without an operator, which no bundle may have")
    # Its third input says whether it is in training, when it draws random numbers.
    if operator == "Dropout" and inputs > 2:
        raise BundleError("model.onnx: has a Dropout of training, which no bundle may have")


def _with_article(what: str) -> str:
    return what if what.endswith(("s", "data")) else f"a {what}"


def _is_external(value: _Value) -> bool:
    if value not in (0, 1):
        raise ValueError("the data of a tensor stand neither in the graph nor in a file")
    return value == 1


def _check_place(entries: list[memoryview], data: Mapping[str, int], *, is_external: bool) -> None:
    """Refuse data of a tensor that do not stand in one of these files."""
    place: dict[str, str] = {}
    for entry in entries:
        key, value = "", ""
        for number, _, content in iter_fields(entry):
            assert not isinstance(content, int)
            text = bytes(content).decode("utf-8")
            key, value = (text, value) if number == 1 else (key, text)
        if key in place or key not in ("location", "offset", "length"):
            raise ValueError("the place of a tensor's data is not told plainly")
        place[key] = value
    name = place.get("location", "")
    if not is_external or name not in data:
        raise BundleError("model.onnx: has data in another file, which no bundle may have")
    numbers = [place.get(key, "") for key in ("offset", "length")]
    if not all(text.isascii() and text.isdigit() and len(text) < 20 for text in numbers):
        raise ValueError("the place of a tensor's data has no offset and length")
    if sum(map(int, numbers)) > data[name]:
        raise BundleError(f"model.onnx: has data beyond the end of {name}")


def _check_number(rule: str, value: int) -> None:
    # Protobuf would cut it to 32 bits.
    if rule == "enum" and value >= 2**31:
        raise ValueError(f"the number {value} is too large where it stands")


def _check_domain(domain: str) -> None:
    if domain not in ALLOWED_DOMAINS:
        raise BundleError(
            f"model.onnx: uses operators of {domain!r}; a bundle may only use those of ONNX itself"
        )


def _check_operator(name: str) -> None:
    if name not in ALLOWED_OPERATORS:
        raise BundleError(f"model.onnx: uses the operator {name!r}, which a bundle may not use")


def _numbers(value: _Value) -> Iterator[int]:
    """Yield the numbers of a field that may hold several, packed or not."""
    if isinstance(value, int):
        yield value
        return
    position = 0
    while position < len(value):
        number, position = _varint(value, position)
        yield number


def iter_fields(content: memoryview) -> Iterator[tuple[int, int, _Value]]:
    """Yield number, wire type and value of a message's fields: varints as numbers, all else bytes.

    The values of fixed size are bytes, too.
    """
    position = 0
    while position < len(content):
        tag, position = _varint(content, position)
        number, wire_type = tag >> 3, tag & 7
        if not 0 < tag < 2**32:
            raise ValueError("a tag has more than 32 bits")
        if wire_type == _VARINT:
            value, position = _varint(content, position)
            yield number, wire_type, value
            continue
        if wire_type == _BYTES:
            length, position = _varint(content, position)
        elif wire_type in (_FIXED64, _FIXED32):
            length = 8 if wire_type == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire_type} is not used by ONNX")
        if position + length > len(content):
            raise ValueError("it ends in the middle of a field")
        yield number, wire_type, content[position : position + length]
        position += length


def _varint(content: memoryview, position: int) -> tuple[int, int]:
    """Decode the integer at that position; return it and the position after it.

    Only the shortest form is allowed. In longer ones protobuf drops bits, each of its
    implementations others.
    """
    value = 0
    for shift in range(0, 70, 7):
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if (byte == 0 and shift) or value >= 2**64:
                break
            return value, position
    raise ValueError("a number is not written in its shortest form")
