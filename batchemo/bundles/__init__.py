"""Model bundles: read, verify and run them. Data only; nothing in a bundle is code."""

from batchemo.bundles.bundle import Bundle, find_bundle, list_bundles, load_bundle
from batchemo.bundles.calibration import Calibration, softmax
from batchemo.bundles.classifier import (
    BATCH_SIZE,
    GPU_BATCH_SIZE,
    Backend,
    Classifier,
    ClassifierResult,
    open_classifier,
)
from batchemo.bundles.model_input import ModelInput
from batchemo.bundles.save import write_bundle

__all__ = [
    "BATCH_SIZE",
    "GPU_BATCH_SIZE",
    "Backend",
    "Bundle",
    "Calibration",
    "Classifier",
    "ClassifierResult",
    "ModelInput",
    "find_bundle",
    "list_bundles",
    "load_bundle",
    "open_classifier",
    "softmax",
    "write_bundle",
]
