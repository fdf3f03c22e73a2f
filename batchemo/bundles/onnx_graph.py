"""A bundle's graph on ONNX Runtime: one thread, CPU, standard operators only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from batchemo.bundles.bundle import Bundle, Graph
from batchemo.bundles.onnx_checks import check_onnx
from batchemo.bundles.schema import GRAPH
from batchemo.common.arrays import Float32
from batchemo.errors import BundleError

_LOG_ERRORS = 3
MAX_MEMORY = 2 * 2**30
"""Bytes that nets may have at work; more is refused, whatever memory there is."""
_TRIED_FRAMES = 301


def open_graph(bundle: Bundle) -> Graph:
    """Check the bundle's ONNX graph and make it ready to run."""
    # On Linux too it would write a device's number to disk and send word of its use.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    content = bundle.read(GRAPH)
    check_onnx(content)
    where, labels = bundle.path / GRAPH, len(bundle.labels)
    with _told_as_refusal(where):
        # As it is: what is improved is computed in part while it is opened, and without a limit.
        plain = _session(content, improved=False)
    _check_ends(plain, where, labels)
    _try_out(_runner(plain, where, labels), plain)
    with _told_as_refusal(where):
        return _runner(_session(content, improved=True), where, labels)


def _session(content: bytes, *, improved: bool) -> Any:
    import onnxruntime

    _limit_memory()
    levels = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if improved else levels.ORT_DISABLE_ALL
    options.log_severity_level = _LOG_ERRORS
    options.add_session_config_entry("session.use_env_allocators", "1")
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _check_ends(session: Any, where: Path, labels: int) -> None:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if (
        [each.type for each in (*inputs, *outputs)] != ["tensor(float)"] * 2
        or len(inputs) != 1
        or list(outputs[0].shape or ())[-1:] != [labels]
    ):
        raise BundleError(
            f"{where}: should have one input and one output of {labels} logits, one for each label"
        )


def _runner(session: Any, where: Path, labels: int) -> Graph:
    name = session.get_inputs()[0].name

    def run(batch: Float32) -> Float32:
        with _told_as_refusal(where):
            logits: Float32 = session.run(None, {name: batch})[0]
        if logits.shape != (len(batch), labels):
            raise BundleError(f"{where}: gives {logits.shape} for {len(batch)} items")
        return logits

    return run


def _try_out(run: Graph, session: Any) -> None:
    """Give it one item of nothing, before it is given anything of a user's."""
    sizes = session.get_inputs()[0].shape[1:]
    run(np.zeros([1, *(size if isinstance(size, int) else _TRIED_FRAMES for size in sizes)], "f4"))


@lru_cache(maxsize=1)
def _limit_memory() -> None:
    """Have all sessions of this process take memory from one place that has an end."""
    import onnxruntime as ort

    kind, use = ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, ort.OrtMemType.DEFAULT
    limits = ort.OrtArenaCfg(MAX_MEMORY, -1, -1, -1)
    with suppress(RuntimeError):  # The program that called us has set limits of its own.
        ort.create_and_register_allocator(ort.OrtMemoryInfo("Cpu", kind, 0, use), limits)


@contextmanager
def _told_as_refusal(where: Path) -> Iterator[None]:
    from onnxruntime.capi import onnxruntime_pybind11_state as refusals

    try:
        yield
    except (
        refusals.Fail,
        refusals.InvalidArgument,
        refusals.InvalidGraph,
        refusals.InvalidProtobuf,
        refusals.NotImplemented,
        refusals.RuntimeException,
    ) as error:
        raise BundleError(f"{where}: ONNX Runtime refuses it: {error}") from error
