"""The process that runs models on one GPU, and how workers hand it their batches.

    worker ── a request, and the descriptor of shared memory ──► GPU process
    worker ◄────────────── an answer, the outputs in memory ──── GPU process

A request is {"model": number, "shape": [windows, ...]}, an answer {} or {"error": text}. The memory
holds the batch as float32, and after it the outputs in the order of `Bundle.outputs`. A request
without a model is answered as soon as all models are loaded.

Each request is a connection of its own to a socket that all GPU processes of a run listen on, so
that whichever is free takes it, and one that waits for a process to start again is not lost. The
batch is the worker's alone and has a fixed size, so no row depends on what other workers send.

Sockets and memory have no names that a killed process could leave, but for one in the run's folder.
"""

from __future__ import annotations

import json
import mmap
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from batchemo.bundles import load_bundle
from batchemo.bundles.bundle import ForwardFn
from batchemo.bundles.device import Provider
from batchemo.common.arrays import Float32
from batchemo.common.memory import is_out_of_memory
from batchemo.errors import BatchemoError, BundleError, DeviceError
from batchemo.inference.gpu_pool import FAILURE, REFUSED, SOCKET
from batchemo.workers.heartbeat import start_worker

_ANSWER_SECONDS = 120.0
"""How long a worker waits for an answer: also for a process that starts again, with its models."""
_REQUEST_SECONDS = 10.0
"""How long a process waits for the request of a worker that has connected."""
_MESSAGE_BYTES = 1 << 16
_FLOAT_BYTES = 4


class RemoteGraph:
    """Has a GPU process compute the outputs of batches: the `ForwardFn` of a worker."""

    def __init__(self, folder: str, model: int, sizes: Mapping[str, int]) -> None:
        """Wait until the models are loaded; `sizes` are the numbers of a window in each output."""
        self._folder, self._model, self._sizes = folder, model, sizes
        self._descriptor = os.memfd_create("batches")
        self._memory: Any = b""
        self._ask({})

    def __call__(self, batch: Float32) -> Mapping[str, Float32]:
        """Return the outputs of a batch."""
        count = len(batch)
        values = self._values(batch.size + count * sum(self._sizes.values()))
        values[: batch.size] = batch.ravel()
        self._ask({"model": self._model, "shape": batch.shape})
        outputs, first = {}, batch.size
        for kind, size in self._sizes.items():
            outputs[kind] = values[first : first + count * size].reshape(count, size).copy()
            first += count * size
        return outputs

    def _values(self, count: int) -> Float32:
        """Return the shared memory, with room for so many numbers."""
        if len(self._memory) < count * _FLOAT_BYTES:
            os.ftruncate(self._descriptor, count * _FLOAT_BYTES)
            self._memory = mmap.mmap(self._descriptor, count * _FLOAT_BYTES)
        return np.frombuffer(self._memory, np.float32)

    def _ask(self, request: Mapping[str, Any]) -> None:
        answer = b""
        while not answer:  # The process died: its successor gets the same batch.
            answer = self._send(json.dumps(request).encode())
        content = json.loads(answer)
        if content.get("out_of_memory"):
            raise MemoryError
        if "error" in content:
            raise BundleError(content["error"])

    def _send(self, request: bytes) -> bytes:
        """Return the answer; nothing if the process died before it came."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
                connection.settimeout(_ANSWER_SECONDS)
                connection.connect(str(Path(self._folder, SOCKET)))
                socket.send_fds(connection, [request], [self._descriptor])
                return connection.recv(_MESSAGE_BYTES)
        except TimeoutError:
            raise DeviceError(f"the GPU has not answered for {_ANSWER_SECONDS:g} s") from None
        except (FileNotFoundError, ConnectionRefusedError):
            failure = Path(self._folder, FAILURE)
            text = failure.read_text() if failure.exists() else "no process runs models on the GPU"
            raise DeviceError(text) from None
        except ConnectionError:
            return b""


def main(arguments: Mapping[str, Any]) -> None:
    """Load the models, and answer requests until the process is killed."""
    # Not by a signal of the terminal, nor later than the scan.
    start_worker(None, arguments["parent"], follow_thread=True, silence_stderr=False)
    listener = socket.socket(fileno=arguments["listener"])
    try:
        graphs = _open_graphs(arguments["models"], Provider(**arguments["provider"]))
    except (BatchemoError, ImportError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(REFUSED)
    while True:
        connection, _ = listener.accept()
        # A worker that was killed meanwhile needs no answer.
        with connection, suppress(OSError):
            connection.settimeout(_REQUEST_SECONDS)
            _answer(connection, graphs)


def _open_graphs(models: Sequence[str], provider: Provider) -> Sequence[ForwardFn]:
    from batchemo.bundles.onnx_model import open_graph

    return [open_graph(load_bundle(model), provider) for model in models]


def _answer(connection: socket.socket, graphs: Sequence[ForwardFn]) -> None:
    message, descriptors, _, _ = socket.recv_fds(connection, _MESSAGE_BYTES, 1)
    try:
        if not message:
            return  # The worker died between two calls.
        answer: dict[str, Any] = {}
        request = json.loads(message)
        if "model" in request:
            answer = _run(graphs[request["model"]], request["shape"], descriptors[0])
        connection.send(json.dumps(answer).encode())
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _run(graph: ForwardFn, shape: Sequence[int], descriptor: int) -> dict[str, Any]:
    """Run a batch that is in shared memory, and write the outputs after it."""
    values = np.frombuffer(mmap.mmap(descriptor, 0), np.float32)
    count = int(np.prod(shape))
    try:
        outputs = graph(values[:count].reshape(shape))
        results = np.concatenate([output.ravel() for output in outputs.values()])
        values[count : count + len(results)] = results
    except Exception as error:
        # As in a worker: whatever a batch does, it must not cost the others their rows.
        out_of_memory = is_out_of_memory(error)
        return {"error": f"{type(error).__name__}: {error}", "out_of_memory": out_of_memory}
    return {}
