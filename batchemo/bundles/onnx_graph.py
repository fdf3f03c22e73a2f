"""A bundle's graph on ONNX Runtime: one thread, CPU, standard operators only."""

from __future__ import annotations

import os

import numpy as np

from batchemo.bundles.bundle import Bundle
from batchemo.bundles.graphs import check_onnx
from batchemo.bundles.runtime import Float32, Graph
from batchemo.bundles.schema import GRAPH
from batchemo.errors import BundleError

_LOG_ERRORS = 3


def open_graph(bundle: Bundle) -> Graph:
    """Check the bundle's ONNX graph and make it ready to run."""
    # On Linux too it would write a device's number to disk and send word of its use.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as refusals

    content = bundle.read(GRAPH)
    check_onnx(content)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = _LOG_ERRORS
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except (
        refusals.Fail,
        refusals.InvalidGraph,
        refusals.InvalidArgument,
        refusals.InvalidProtobuf,
        refusals.NotImplemented,
    ) as error:
        raise BundleError(f"{bundle.path / GRAPH}: ONNX Runtime refuses it: {error}") from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1 or outputs[0].shape[-1] != len(bundle.labels):
        raise BundleError(
            f"{bundle.path / GRAPH}: should have one input and one output of "
            f"{len(bundle.labels)} logits, one for each label"
        )
    name = inputs[0].name

    def run(batch: Float32) -> Float32:
        logits: Float32 = np.asarray(session.run(None, {name: batch})[0], np.float32)
        return logits

    return run
