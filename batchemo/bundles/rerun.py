"""Runs the head of an adapted model alone, on what its base gave for windows before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from batchemo.bundles.bundle import Bundle, HeadFn
from batchemo.bundles.calibration import Calibration, softmax
from batchemo.common.arrays import Float32
from batchemo.errors import BundleError


@dataclass(frozen=True, slots=True)
class HeadClassifier:
    """Gives the probabilities that the whole graph would give, to the last bit."""

    head: HeadFn
    calibration: Calibration

    def run(self, logits: Float32, embedding: Float32, familiarity: Float32 | None) -> Float32:
        """Return the calibrated probabilities of n windows, (n, labels)."""
        outputs = {"base": logits, "embedding": embedding}
        if familiarity is not None:
            outputs["familiarity"] = familiarity.reshape(-1, 1)
        adapted = self.head(outputs)
        if not np.isfinite(adapted).all():
            raise BundleError("the model's head gives logits that are no numbers: it is broken")
        temperatures = self.calibration.temperatures(familiarity)
        return softmax(adapted, temperatures).astype(np.float32)


def open_head_classifier(bundle: Bundle, batch_size: int) -> HeadClassifier:
    """Open the head of an adapted bundle for batches of the size that a scan would use."""
    from batchemo.bundles.onnx_model import open_head

    return HeadClassifier(open_head(bundle, batch_size), bundle.calibration)
