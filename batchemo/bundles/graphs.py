"""Refuses model files that could do more than compute: read other files, or run foreign code.

An ONNX file is walked as the protocol buffer that it is, along the few fields that can hold what
is not allowed; this needs no `onnx` package, which a scan does not install.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from batchemo.errors import BundleError

ALLOWED_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})

# Message → field number → the message, or the rule, that the field holds (onnx.proto, IR 3 to 13).
_ONNX: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 8: "operator set", 20: "no training part", 25: "no functions"},
    "operator set": {1: "domain"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "node": {5: "attribute", 7: "domain"},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        22: "sparse tensor",
        23: "sparse tensor",
    },
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "tensor": {13: "no external data", 14: "data location"},
}
_MAX_DEPTH = 32

_FOREIGN_LAYERS = frozenset(
    {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TextVectorization"}
)
_KERAS_MODULES = (
    "keras.activations",
    "keras.constraints",
    "keras.initializers",
    "keras.layers",
    "keras.regularizers",
    "keras.src.models",
    "keras.src.ops",
)
_MAX_CONFIG_BYTES = 16 * 2**20


def check_onnx(content: bytes) -> None:
    """Raise BundleError for a graph with foreign operators, functions, or data in other files."""
    try:
        _check_message("model", memoryview(content), 0)
    except (IndexError, ValueError) as error:
        raise BundleError(f"model.onnx: is no ONNX graph: {error}") from error


def _check_message(kind: str, content: memoryview, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise ValueError("it is nested too deeply")
    for number, value in _fields(content):
        rule = _ONNX[kind].get(number)
        if rule is None:
            continue
        if rule.startswith("no "):
            raise BundleError(f"model.onnx: has {rule[3:]}, which a bundle may not have")
        if rule == "data location":
            if value != 0:
                raise BundleError("model.onnx: has data in another file, which no bundle may have")
        elif not isinstance(value, memoryview):
            raise ValueError(f"field {number} of a {kind} is a number")
        elif rule == "domain":
            _check_domain(bytes(value).decode("utf-8"))
        else:
            _check_message(rule, value, depth + 1)


def _check_domain(domain: str) -> None:
    if domain not in ALLOWED_DOMAINS:
        raise BundleError(
            f"model.onnx: uses operators of {domain!r}; a bundle may only use those of ONNX itself"
        )


def _fields(content: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message on the wire: numbers as they are, all else as bytes."""
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            value, at = _varint(content, at)
            yield number, value
            continue
        if wire_type == 2:
            length, at = _varint(content, at)
        elif wire_type in (1, 5):
            length = 8 if wire_type == 1 else 4
        else:
            raise ValueError(f"wire type {wire_type} is not used by ONNX")
        if at + length > len(content):
            raise ValueError("it ends in the middle of a field")
        yield number, content[at : at + length]
        at += length


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (2**64 - 1), at
    raise ValueError("a number is longer than 64 bits")


def check_keras(content: bytes) -> None:
    """Raise BundleError for a Keras file that names anything but Keras's own layers."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if archive.getinfo("config.json").file_size > _MAX_CONFIG_BYTES:
                raise BundleError("model.keras: its config.json is larger than any net's")
            config = json.loads(archive.read("config.json"))
            _check_layers(config)
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, RecursionError) as error:
        raise BundleError(f"model.keras: is no Keras file: {error}") from error


def _check_layers(config: Any) -> None:
    if isinstance(config, list):
        for part in config:
            _check_layers(part)
    if not isinstance(config, Mapping):
        return
    module, name = config.get("module"), config.get("class_name")
    if isinstance(module, str) and not _is_keras(module):
        raise BundleError(f"model.keras: uses {module}.{name}, which is not Keras's own")
    if name in _FOREIGN_LAYERS or ">" in str(config.get("registered_name")):
        raise BundleError(f"model.keras: has a {name} layer, which could run foreign code")
    for part in config.values():
        _check_layers(part)


def _is_keras(module: str) -> bool:
    # "keras" alone holds the dtype policies.
    return module == "keras" or any(
        module == allowed or module.startswith(allowed + ".") for allowed in _KERAS_MODULES
    )
