"""The features that Whisper's encoder takes, as a part of the graph, and by NumPy to compare with.

Log-mel spectra of exactly 30 s: shorter windows are filled up with zeros, as Whisper itself does.
So the answer for a short window is what Whisper gives for it, and always costs what 30 s cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batchemo.common.arrays import Float32, Float64
from batchemo.errors import BundleError
from batchemo.features.mel import mel_filters
from batchemo.importing.graph import SAMPLES, Graph, insert_nodes, opset_of, set_samples_input

RATE, N_FFT, HOP, SECONDS = 16_000, 400, 160, 30
SAMPLES_COUNT, FRAMES = RATE * SECONDS, RATE * SECONDS // HOP
EXTRACTOR = "WhisperFeatureExtractor"
_FLOOR, _RANGE = 1e-10, 8.0
"""The smallest power, and how many powers of ten below the largest one all others are cut off."""
_MIN_OPSET = 13

_EXPECTED: Mapping[str, int] = {
    "sampling_rate": RATE,
    "n_fft": N_FFT,
    "hop_length": HOP,
    "chunk_length": SECONDS,
}


def check_settings(preprocessor: Mapping[str, Any], where: object) -> None:
    """Refuse a preprocessor_config.json with features that are not those of this module."""
    for key, expected in _EXPECTED.items():
        if preprocessor.get(key, expected) != expected:
            raise BundleError(
                f"{where}: {key} is {preprocessor[key]!r}; Whisper's features are computed with "
                f"{expected} only"
            )


def take_samples(graph: Graph, features: str, n_mels: int) -> None:
    """Put the computation of the features before a graph that takes them."""
    from onnx import TensorProto, helper, numpy_helper

    opset = opset_of(graph)
    if opset < _MIN_OPSET:
        raise BundleError(f"{graph.path}: export it with opset {_MIN_OPSET} or a later one")
    constants: dict[str, NDArray[Any]] = {
        "to end": np.array([0, 0, 0, SAMPLES_COUNT]),
        "zero": np.array([0]),
        "count": np.array([SAMPLES_COUNT]),
        "one": np.array([1]),
        "two": np.array([2]),
        "both ends": np.array([0, N_FFT // 2, 0, N_FFT // 2]),
        "frames": np.arange(FRAMES)[:, None] * HOP + np.arange(N_FFT),
        "waves": _waves(),
        "bins": np.array([N_FFT // 2 + 1]),
        "all bins": np.array([N_FFT + 2]),
        "filters": _filters(n_mels),
        "floor": np.array(_FLOOR),
        "decade": np.array(np.log(10.0)),
        "range": np.array(_RANGE),
        "four": np.array(4.0),
        "axes": np.array([1, 2]),
    }
    names = {name: f"imported/{name}" for name in constants}
    steps: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("Pad", [SAMPLES, "to end"], "long", {}),
        ("Slice", ["long", "zero", "count", "one"], "window", {}),
        ("Pad", ["window", "both ends"], "padded", {"mode": "reflect"}),
        ("Gather", ["padded", "frames"], "framed", {"axis": 1}),
        ("Cast", ["framed"], "exact", {"to": TensorProto.DOUBLE}),
        ("MatMul", ["exact", "waves"], "spectrum", {}),
        ("Mul", ["spectrum", "spectrum"], "squares", {}),
        ("Slice", ["squares", "zero", "bins", "two"], "real", {}),
        ("Slice", ["squares", "bins", "all bins", "two"], "imaginary", {}),
        ("Add", ["real", "imaginary"], "power", {}),
        ("MatMul", ["power", "filters"], "mel", {}),
        ("Max", ["mel", "floor"], "floored", {}),
        ("Log", ["floored"], "logarithm", {}),
        ("Div", ["logarithm", "decade"], "decades", {}),
        ("ReduceMax", ["decades", *(["axes"] if opset >= 18 else [])], "largest",
         {} if opset >= 18 else {"axes": [1, 2]}),
        ("Sub", ["largest", "range"], "lowest", {}),
        ("Max", ["decades", "lowest"], "cut", {}),
        ("Add", ["cut", "four"], "shifted", {}),
        ("Div", ["shifted", "four"], "scaled", {}),
        ("Transpose", ["scaled"], "by band", {"perm": [0, 2, 1]}),
        ("Cast", ["by band"], features, {"to": TensorProto.FLOAT}),
    ]  # fmt: skip
    made = {step[2] for step in steps} - {features}
    nodes = [
        helper.make_node(
            operator,
            [f"imported/{name}" if name in made or name in names else name for name in given],
            [f"imported/{result}" if result in made else result],
            **attributes,
        )
        for operator, given, result, attributes in steps
    ]
    insert_nodes(graph, nodes)
    graph.graph.initializer.extend(
        numpy_helper.from_array(value, names[name]) for name, value in constants.items()
    )
    set_samples_input(graph, None)


def features_of(samples: Float32, n_mels: int) -> Float32:
    """Return the features (bands, frames) of a window, computed without the graph."""
    window = np.zeros(SAMPLES_COUNT)
    window[: len(samples)] = samples[:SAMPLES_COUNT]
    padded = np.pad(window, N_FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP][:FRAMES]
    power = np.abs(np.fft.rfft(frames * _hann())) ** 2
    decades = np.log10(np.maximum(power @ _filters(n_mels), _FLOOR)).T
    scaled: Float32 = ((np.maximum(decades, decades.max() - _RANGE) + 4) / 4).astype(np.float32)
    return scaled


def _hann() -> Float64:
    window: Float64 = np.hanning(N_FFT + 1)[:-1]
    return window


def _waves() -> Float64:
    """Return the real and the imaginary waves of all frequencies, under the window."""
    angles = 2 * np.pi * np.outer(np.arange(N_FFT), np.arange(N_FFT // 2 + 1)) / N_FFT
    waves: Float64 = np.hstack([np.cos(angles), np.sin(angles)]) * _hann()[:, None]
    return waves


def _filters(n_mels: int) -> Float64:
    return mel_filters(RATE, N_FFT, n_mels, 0.0, RATE / 2).astype(np.float64)
