"""Model bundles: read, verify and run them. Data only; nothing in a bundle is code."""

from batchemo.bundles.bundle import Bundle, find_bundle, list_bundles, load_bundle
from batchemo.bundles.classifier import (
    BATCH_SIZE,
    Backend,
    Runtime,
    open_runtime,
    softmax,
)
from batchemo.bundles.save import write_bundle

__all__ = [
    "BATCH_SIZE",
    "Backend",
    "Bundle",
    "Runtime",
    "find_bundle",
    "list_bundles",
    "load_bundle",
    "open_runtime",
    "softmax",
    "write_bundle",
]
