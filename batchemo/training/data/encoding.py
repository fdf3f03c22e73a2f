"""Runs a pretrained encoder on features: what recipes with an encoder are trained on instead."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from batchemo.common.arrays import Float32
from batchemo.training.data.augment_spectrogram import is_signal

_FRAMES = 16
"""Spectrograms are cut to a multiple of so many frames: less padding is less to compute."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """An ONNX graph from spectrograms to a vector for each; sent to worker processes."""

    graph: Path
    size: int
    """How many numbers a vector has."""
    floor: float
    """The value that spectrograms are padded with; the graph masks padding."""

    def digest(self) -> str:
        """Return the digest of the graph."""
        return hashlib.sha256(self.graph.read_bytes()).hexdigest()

    def encode(self, spectrograms: Float32) -> Float32:
        """Return the vector of each spectrogram, (windows, size)."""
        run = _open(self.graph)
        vectors = [run(self._cut(spectrogram)[None])[0] for spectrogram in spectrograms]
        return np.array(vectors, np.float32).reshape(len(spectrograms), self.size)

    def _cut(self, spectrogram: Float32) -> Float32:
        """Cut off padding at the end."""
        frames = np.flatnonzero(is_signal(spectrogram, self.floor))
        last = int(frames[-1]) + 1 if len(frames) else 1
        return spectrogram[: -(-last // _FRAMES) * _FRAMES]


@lru_cache(maxsize=1)
def _open(graph: Path) -> Callable[[Float32], Float32]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # As many processes run at a time as there are cores.
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(batch: Float32) -> Float32:
        result: Float32 = session.run(None, {name: batch})[0]
        return result

    return run
