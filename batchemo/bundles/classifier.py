"""Runs a bundle's graph: batches of a fixed size in, calibrated probabilities out.

And, of a model that has them: how familiar each window is, and its embedding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np

from batchemo.bundles.bundle import Bundle, ForwardFn
from batchemo.bundles.calibration import Calibration, softmax
from batchemo.bundles.device import CPU, Provider
from batchemo.bundles.schema import output_size
from batchemo.common.arrays import Float32, Float64
from batchemo.errors import BundleError, UsageError

Backend: TypeAlias = Literal["onnx", "tensorflow"]

BATCH_SIZE = 4
"""Windows that go through the graph together, unless the user asks for another number: enough to
be fast, few enough that filling up the last batch of each length costs little."""
GPU_BATCH_SIZE = 128
"""The same on a GPU, which takes about as long for one window as for all of these."""


@dataclass(frozen=True, slots=True)
class ClassifierResult:
    """What a model gives for n windows."""

    probabilities: Float32
    """Calibrated, (n, labels); without labels for a model that has none."""
    familiarity: Float32 | None = None
    """How much each window is like the training recordings, (n,), from 0 to 1; None where the model
    does not say."""
    embedding: Float32 | None = None
    """(n, size); None where the model has none."""
    logits: Float32 | None = None
    """Not calibrated, (n, labels); of an adapted model those of its base."""
    dimensions: Float32 | None = None
    """(n, dimensions), in the order of the bundle; None where the model has none."""


class Classifier(Protocol):
    """What a scan needs of a model."""

    def run(self, inputs: Float32, *, one_by_one: bool = False) -> ClassifierResult:
        """Return what the model gives for n inputs of one shape.

        `one_by_one` is for inputs of a shape that few others have: batches of one window each.
        """
        ...  # pragma: no cover


@dataclass(frozen=True, slots=True)
class BatchedClassifier:
    """Gives the graph batches of one size only.

    Matrix kernels give other last bits for batches of other sizes, so a row's bytes would depend on
    how many others it happened to share a batch with. Filled up with rows of zeros to one size,
    they depend on the row alone.
    """

    graph: ForwardFn
    sizes: Mapping[str, int]
    """The numbers of a window in each output of the graph."""
    calibration: Calibration
    batch_size: int

    def run(self, inputs: Float32, *, one_by_one: bool = False) -> ClassifierResult:
        """Return what the model gives for n inputs of one shape."""
        size = 1 if one_by_one else self.batch_size
        results = {
            kind: np.empty((len(inputs), count), np.float32) for kind, count in self.sizes.items()
        }
        classes = results.setdefault("classes", np.empty((len(inputs), 0), np.float32))
        results.setdefault("base", np.empty_like(classes))
        for start in range(0, len(inputs), size):
            rows = inputs[start : start + size]
            batch = np.zeros((size, *inputs.shape[1:]), np.float32)
            batch[: len(rows)] = rows
            for kind, output in self._run_batch(batch, len(rows)).items():
                results[kind][start : start + len(rows)] = output[: len(rows)]
        familiarity = results.get("familiarity")
        return ClassifierResult(
            results["classes"],
            None if familiarity is None else familiarity[:, 0],
            results.get("embedding"),
            results["base"],
            results.get("dimensions"),
        )

    def _run_batch(self, batch: Float32, count: int) -> dict[str, Float32 | Float64]:
        """Return the outputs of a batch, probabilities for logits; its first rows are windows.

        All is computed of the whole batch, so that it is only ever computed in one shape.
        """
        outputs = self.graph(batch)
        for kind, output in outputs.items():
            # Only of the rows that were asked for: rows of zeros may give anything.
            if not np.isfinite(output[:count]).all():
                what = "logits" if kind == "classes" else kind
                raise BundleError(f"the model gives {what} that are no numbers: it is broken")
        if "classes" not in outputs:
            return dict(outputs)
        familiarity: Float32 | None = None
        results: dict[str, Float32 | Float64] = {"base": outputs["classes"], **outputs}
        if "familiarity" in outputs:
            familiarity = np.clip(outputs["familiarity"], 0.0, 1.0)
            results["familiarity"] = familiarity
        temperatures = self.calibration.temperatures(familiarity)
        return {**results, "classes": softmax(outputs["classes"], temperatures)}


def open_classifier(
    bundle: Bundle,
    *,
    backend: Backend = "onnx",
    batch_size: int = BATCH_SIZE,
    provider: Provider = CPU,
) -> Classifier:
    """Open a bundle's model, single-threaded, for batches of one fixed size.

    `provider` is what ONNX Runtime runs it on.

    >>> from batchemo.bundles import load_bundle
    >>> bundle = load_bundle("default")
    >>> silence = bundle.input.prepare(np.zeros(bundle.rate, np.float32), bundle.window)
    >>> open_classifier(bundle).run(silence[None]).probabilities.shape
    (1, 8)
    """
    if batch_size < 1:
        raise UsageError(f"a batch holds at least 1 window, not {batch_size}")
    # Imported here: whoever runs one backend need not have the other, nor wait for it.
    if backend == "onnx":
        from batchemo.bundles import onnx_model

        graph = onnx_model.open_graph(bundle, provider)
    elif backend == "tensorflow":
        from batchemo.bundles import keras_model

        graph = keras_model.open_graph(bundle)
    else:
        raise UsageError(f"{backend!r} is no backend; there are 'onnx' and 'tensorflow'")
    return classifier_of(bundle, graph, batch_size)


def classifier_of(bundle: Bundle, graph: ForwardFn, batch_size: int) -> Classifier:
    """Return the classifier of a bundle whose graph is open, wherever it runs."""
    size = bundle.input.batch_size or batch_size
    return BatchedClassifier(graph, output_sizes(bundle), bundle.calibration, size)


def output_sizes(bundle: Bundle) -> dict[str, int]:
    """Return the numbers of a window in each output of the graph."""
    return {kind: output_size(output) for kind, output in bundle.outputs.items()}
