"""Weights of a graph that stand in other files, as exports of more than 2 GB have them.

    model.onnx         the graph; of each large tensor the name of a file, an offset and a length
    model.onnx_data    the numbers; or a file for each tensor

They are read from the folder of the graph only, and never by ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from batchemo.bundles.schema import GRAPH_DATA, MAX_DATA_BYTES, MAX_FILE_BYTES
from batchemo.common.text import for_display
from batchemo.errors import BundleError, UsageError

_EXTERNAL = 1
"""`data_location` of a tensor whose numbers stand in another file."""
_ROOM = 2**20
"""What nodes take, besides the weights."""
MAX_INLINE_BYTES = MAX_FILE_BYTES - _ROOM


def take_in_weights(model: Any, folder: Path) -> bytes:
    """Put the weights of other files into the graph; return them if it would be too large.

    Then its tensors refer to one file of that content, called `GRAPH_DATA`.
    """
    tensors = [each for each in _tensors(model) if each.data_location == _EXTERNAL]
    if not tensors:
        return b""
    contents = [_read(tensor, folder) for tensor in tensors]
    total = sum(map(len, contents))
    if total > MAX_DATA_BYTES:
        raise BundleError(f"{for_display(str(folder))}: has {total:,} bytes of weights, too many")
    is_inline = total + model.ByteSize() <= MAX_INLINE_BYTES
    offset = 0
    for tensor, content in zip(tensors, contents, strict=True):
        del tensor.external_data[:]
        if is_inline:
            tensor.ClearField("data_location")
            tensor.raw_data = content
            continue
        for key, value in (("location", GRAPH_DATA), ("offset", offset), ("length", len(content))):
            tensor.external_data.add(key=key, value=str(value))
        offset += len(content)
    return b"" if is_inline else b"".join(contents)


def _tensors(model: Any) -> Iterator[Any]:
    """Yield all tensors that may have their numbers elsewhere."""
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _read(tensor: Any, folder: Path) -> bytes:
    """Return the numbers of a tensor, from a file beside the graph."""
    place: dict[str, str] = {each.key: each.value for each in tensor.external_data}
    name = place.get("location", "")
    path = folder / name
    shown = for_display(name)
    # A link, or a name with a folder in it, could make any file a part of the model.
    if not name or Path(name).name != name or path.resolve().parent != folder.resolve():
        raise BundleError(f"{shown or 'nothing'}: weights stand in files beside the graph only")
    if not path.is_file():  # Reading from a pipe might never end.
        raise UsageError(f"{shown}: the file of the graph's weights is missing")
    try:
        offset, length = int(place.get("offset") or 0), place.get("length")
        count = path.stat().st_size - offset if length is None else int(length)
        if min(offset, count) < 0 or offset + count > path.stat().st_size:
            raise BundleError(f"{shown}: is shorter than the graph says")
        with path.open("rb") as file:
            file.seek(offset)
            return bytes(file.read(count))
    except ValueError:
        raise BundleError(f"{shown}: the graph does not say where its weights stand") from None
    except OSError as error:
        raise UsageError(f"{shown}: cannot be read: {error.strerror}") from None
