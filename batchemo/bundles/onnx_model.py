"""Runs a bundle's ONNX graph by ONNX Runtime, after a check and a trial on the processor.

On the processor it takes one thread; a provider of ONNX Runtime may run it on a GPU.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotDone
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from batchemo.bundles.bundle import Bundle, ForwardFn, HeadFn
from batchemo.bundles.device import CPU, Provider
from batchemo.bundles.model_input import ModelInput
from batchemo.bundles.onnx_check import check_onnx
from batchemo.bundles.schema import GRAPH, GRAPH_DATA, HEAD_GRAPH, output_size
from batchemo.common.arrays import Float32
from batchemo.common.text import counted
from batchemo.errors import BatchemoError, BundleError, DeviceError

MAX_MEMORY = 2 * 2**30
"""Bytes that graphs may use at work, besides their weights; more is refused, whatever memory there
is."""

TRIAL_SECONDS = 60.0
"""How long the trial of a graph on two windows may take. A large model takes a second."""


def open_graph(bundle: Bundle, provider: Provider = CPU) -> ForwardFn:
    """Check the bundle's ONNX graph and make it ready to compute the outputs of batches."""
    # On Linux too it would write a device identifier to disk and send usage data.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    content, data = bundle.read(GRAPH), _data_of(bundle)
    check_onnx(content, {name: len(values) for name, values in data.items()})
    where = bundle.path / GRAPH
    if not bundle.is_shipped:  # The trial takes as long as opening the graph does.
        _try_graph(content, data, where, bundle)
    with _refusals_as_errors(where):
        session = _session(content, data, optimised=True, provider=provider)
    if session.get_providers()[0] != provider.name:
        # ONNX Runtime says so on stderr, and goes on with the processor.
        raise DeviceError(
            f"ONNX Runtime cannot load {provider.name}: it needs the versions of CUDA and cuDNN "
            "that it was built for"
        )
    return _runner(session, where, bundle.outputs)


def _data_of(bundle: Bundle) -> dict[str, bytes]:
    """Return the file of the weights, of a graph that has them in one."""
    return {name: bundle.read(name) for name in (GRAPH_DATA,) if name in bundle.info["files"]}


def _try_graph(content: bytes, data: Mapping[str, bytes], where: Path, bundle: Bundle) -> None:
    """Refuse a graph that is not what the bundle says, or takes too much, before it is used."""
    with _refusals_as_errors(where):
        # Without optimisation: constant folding computes parts of the graph while it is opened,
        # where no limit of memory holds. The trial below finds graphs that take too much.
        plain = _session(content, data, optimised=False)
    _check_input(plain, where, bundle.input)
    _check_outputs(plain, where, bundle.info["outputs"])
    _try_run(plain, where, bundle)


def open_head(bundle: Bundle, batch_size: int) -> HeadFn:
    """Make the head of an adapted bundle ready: from the base's outputs to logits.

    In batches of one size, as in a scan, so that it gives the same bits as the whole graph.
    """
    content = bundle.read(HEAD_GRAPH)
    check_onnx(content)
    where = bundle.path / HEAD_GRAPH
    name, labels = bundle.outputs["classes"]["name"], len(bundle.labels)
    with _refusals_as_errors(where):
        session = _session(content, {}, optimised=True)
    wanted = {each.name for each in session.get_inputs()}
    kinds = {output["name"]: kind for kind, output in bundle.outputs.items() if kind != "classes"}
    if not wanted <= kinds.keys() or [each.name for each in session.get_outputs()] != [name]:
        raise BundleError(f"{where}: takes or gives what the bundle's outputs do not name")

    def run(outputs: Mapping[str, Float32]) -> Float32:
        count = len(outputs["base"])
        logits = np.empty((count, labels), np.float32)
        for start in range(0, count, batch_size):
            batch = {each: _rows(outputs[kinds[each]], start, batch_size) for each in wanted}
            with _refusals_as_errors(where):
                [result] = session.run([name], batch)
            if result.shape != (batch_size, labels):
                raise BundleError(f"{where}: its output is {_shown(result.shape)}")
            logits[start : start + batch_size] = result[: count - start]
        return logits

    return run


def _rows(values: Float32, start: int, count: int) -> Float32:
    """Return so many rows from one on; what is missing at the end is filled up with zeros."""
    rows = values[start : start + count]
    if len(rows) == count:
        return rows
    return np.concatenate([rows, np.zeros((count - len(rows), *rows.shape[1:]), np.float32)])


def _session(
    content: bytes, data: Mapping[str, bytes], *, optimised: bool, provider: Provider = CPU
) -> Any:
    import onnxruntime

    _limit_memory()
    levels = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    # Workers are processes, one a core; and sums over several threads have other last bits.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    level = levels.ORT_ENABLE_ALL if optimised else levels.ORT_DISABLE_ALL
    options.graph_optimization_level = level
    options.log_severity_level = 3  # Errors, no warnings.
    options.add_session_config_entry("session.use_env_allocators", "1")
    # Weights are as large as their file, which is known, and do not count for the limit of memory.
    options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
    # A file that is valid protobuf, and was checked as such, can be a graph in ONNX Runtime's own
    # format as well: four bytes decide which of the two it would read.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    # On a GPU, some algorithms add up in the order in which threads come to it.
    options.use_deterministic_compute = provider != CPU
    if data:
        add_weights(options, data)
    wanted = [(provider.name, dict(provider.options))]
    return onnxruntime.InferenceSession(content, options, providers=wanted)


def add_weights(options: Any, data: Mapping[str, bytes]) -> None:
    """Give a session the files of its weights from memory."""
    add = getattr(options, "add_external_initializers_from_files_in_memory", None)
    if add is None:
        raise BatchemoError(
            "this ONNX Runtime cannot run a model of more than 2 GB: pip install --upgrade "
            "onnxruntime"
        )
    add(list(data), list(data.values()), [len(values) for values in data.values()])


def _check_input(session: Any, where: Path, model_input: ModelInput) -> None:
    """Refuse a graph that cannot take what the bundle says it takes."""
    inputs = session.get_inputs()
    if [each.type for each in inputs] != ["tensor(float)"]:
        raise BundleError(f"{where}: should have one input, of single precision numbers")
    sizes = list(inputs[0].shape or ())[1:]  # Sizes that are free have names instead of numbers.
    for window in (model_input.window, *model_input.window_range):
        shape = model_input.shape(window)
        if len(sizes) != len(shape) or any(
            isinstance(size, int) and size != given
            for size, given in zip(sizes, shape, strict=True)
        ):
            raise BundleError(
                f"{where}: takes arrays of {_shown(sizes)} a window, but a window of {window:g} s"
                f" gives {_shown(shape)} as the bundle's input says"
            )


def _check_outputs(session: Any, where: Path, outputs: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse a graph whose outputs are not those that the bundle names."""
    found = {each.name: each for each in session.get_outputs()}
    for kind, output in outputs.items():
        name, size = output["name"], output_size(output)
        if name not in found:
            raise BundleError(
                f"{where}: has no output {name!r} for the {kind}; it has: {', '.join(found)}"
            )
        shape = list(found[name].shape or ())
        fits = len(shape) == 2 and (shape[1] == size or not isinstance(shape[1], int))
        if found[name].type != "tensor(float)" or not fits:
            raise BundleError(
                f"{where}: its output {name!r} for the {kind} should give "
                f"{counted(size, 'number')} of single precision a window, but is "
                f"{found[name].type} of {_shown(shape)}"
            )


def _shown(shape: Sequence[object]) -> str:
    return " × ".join(map(str, shape)) or "single numbers"


def _try_run(session: Any, where: Path, bundle: Bundle) -> None:
    """Run all outputs on a window of zeros, before the graph is given anything of a user's."""
    import onnxruntime

    model_input = bundle.input
    windows = [model_input.window]
    if model_input.padding == "forbidden":
        windows.append(model_input.window_range[0])
    options = onnxruntime.RunOptions()
    run = _runner(session, where, bundle.info["outputs"], options)

    def run_all() -> None:
        for window in windows:
            run(np.zeros((1, *model_input.shape(window)), np.float32))

    try:
        _run_within(TRIAL_SECONDS, run_all)
    except NotDone:
        options.terminate = True  # It ends between two operators, if they do.
        raise BundleError(
            f"{where}: is not done with a single window after {TRIAL_SECONDS:g} s"
        ) from None


def _run_within(seconds: float, work: Callable[[], None]) -> None:
    """Do the work in a thread, which is left behind if it is not done: then `NotDone` is raised.

    Nothing can end an operator that takes for ever but the end of the process. A scan soon ends
    that of its workers; a program of somebody else is told at least.
    """
    done = Future[None]()

    def run() -> None:
        try:
            work()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    threading.Thread(target=run, daemon=True).start()
    done.result(timeout=seconds)


def _runner(
    session: Any,
    where: Path,
    outputs: Mapping[str, Mapping[str, Any]],
    options: Any | None = None,
) -> ForwardFn:
    """Return the function from a batch to these outputs of the graph; no other is computed."""
    input_name = session.get_inputs()[0].name
    names = [output["name"] for output in outputs.values()]
    sizes = [output_size(output) for output in outputs.values()]

    def run(batch: Float32) -> Mapping[str, Float32]:
        with _refusals_as_errors(where):
            results: list[Float32] = session.run(names, {input_name: batch}, options)
        for name, size, result in zip(names, sizes, results, strict=True):
            if result.shape != (len(batch), size):
                raise BundleError(
                    f"{where}: its output {name!r} is {_shown(result.shape)} for {len(batch)} "
                    f"windows, not {len(batch)} × {size}"
                )
        return dict(zip(outputs, results, strict=True))

    return run


@lru_cache(maxsize=1)
def _limit_memory() -> None:
    """Let all sessions of this process allocate from one arena of limited size."""
    import onnxruntime as ort

    kind, use = ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, ort.OrtMemType.DEFAULT
    limits = ort.OrtArenaCfg(MAX_MEMORY, -1, -1, -1)
    with suppress(RuntimeError):  # The program that uses us has set limits of its own.
        ort.create_and_register_allocator(ort.OrtMemoryInfo("Cpu", kind, 0, use), limits)


@contextmanager
def _refusals_as_errors(where: Path) -> Iterator[None]:
    """Raise BundleError for what ONNX Runtime raises where a graph is at fault."""
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
