"""A bundle's graph on TensorFlow, for those who want the training framework to answer."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from batchemo.bundles.bundle import Bundle, Graph
from batchemo.bundles.keras_checks import check_keras
from batchemo.bundles.schema import KERAS
from batchemo.common.arrays import Float32
from batchemo.errors import BundleError, MissingExtraError


def open_graph(bundle: Bundle) -> Graph:
    """Check the bundle's Keras model and make it ready to run."""
    if not bundle.has_keras:
        raise BundleError(f"{bundle.path}: has no {KERAS}; run it with --backend onnx")
    content = bundle.read(KERAS)
    check_keras(content)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import keras
        import tensorflow as tf
    except ImportError as error:
        raise MissingExtraError(
            "--backend tensorflow needs TensorFlow: pip install 'batchemo[train]'"
        ) from error
    _use_one_thread(tf)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / KERAS
        copy.write_bytes(content)
        try:
            model = keras.saving.load_model(copy, compile=False, safe_mode=True)
        except (OSError, TypeError, ValueError) as error:
            raise BundleError(f"{bundle.path / KERAS}: Keras refuses it: {error}") from error
    # Traced once for each shape of batch, of which a scan has one.
    forward = tf.function(lambda batch: model(batch, training=False))

    def run(batch: Float32) -> Float32:
        logits: Float32 = np.asarray(forward(tf.constant(batch)), np.float32)
        return logits

    return run


def _use_one_thread(tf: Any) -> None:
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        # TensorFlow is at work already in this process, with the threads it was given then.
        return
