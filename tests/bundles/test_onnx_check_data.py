"""A graph may have its weights in a file that is given with it, if it says plainly where."""

from __future__ import annotations

import pytest
from tiny_bundle import tiny_graph

from batchemo.bundles.onnx_check import check_onnx
from batchemo.errors import BundleError

onnx = pytest.importorskip("onnx")


def with_data(**place: str) -> bytes:
    """A graph whose first weights stand in a file."""
    model = onnx.load_from_string(tiny_graph(8, 4))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in place.items():
        tensor.external_data.add(key=key, value=value)
    content: bytes = model.SerializeToString()
    return content


def test_weights_may_stand_in_a_file_that_is_given() -> None:
    content = with_data(location="model.onnx.data", offset="0", length="128")
    check_onnx(content, {"model.onnx.data": 128})
    with pytest.raises(BundleError, match="data in another file"):
        check_onnx(content)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({"location": "other", "offset": "0", "length": "128"}, "data in another file"),
        ({"location": "d", "offset": "1", "length": "128"}, "beyond the end of d"),
        ({"location": "d", "offset": "0", "length": "-1"}, "no offset and length"),
        ({"location": "d", "length": "128"}, "no offset and length"),
        ({"location": "d", "offset": "0", "length": "9" * 30}, "no offset and length"),
        ({"location": "d", "checksum": "a"}, "not told plainly"),
    ],
)
def test_weights_in_a_file_are_refused_where_their_place_is_doubtful(
    place: dict[str, str], message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        check_onnx(with_data(**place), {"d": 128})
