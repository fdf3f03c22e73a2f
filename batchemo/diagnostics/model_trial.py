"""Runs a model once, in a process of its own that can be killed: it may come from anywhere.

A graph of allowed operators can still take for ever, in one operator or while its constants are
computed; and a fault of the runtime ends the process that it is in.
"""

from __future__ import annotations

from concurrent.futures import BrokenExecutor
from concurrent.futures import TimeoutError as NotDone

from batchemo.bundles import BATCH_SIZE
from batchemo.errors import BundleError
from batchemo.workers.executor import ProcessExecutor

LIMIT_SECONDS = 120.0
"""For a model to be opened and to run on a batch; the shipped ones take two seconds."""


def run_once(model: str, limit: float = LIMIT_SECONDS) -> None:
    """Open the model (a name or a folder) and run it on a batch of noise; BundleError if it fails.

    >>> run_once("default")
    """
    executor = ProcessExecutor(None, 1)
    try:
        executor.submit(_run_on_noise, model).result(timeout=limit)
    except NotDone:
        raise BundleError(
            f"{model}: is not done with a batch of {BATCH_SIZE} windows after {limit:g} s"
        ) from None
    except BrokenExecutor:
        raise BundleError(f"{model}: the process that ran it died") from None
    finally:
        executor.shutdown(kill=True)


def _run_on_noise(model: str) -> None:
    import numpy as np

    from batchemo.bundles import load_bundle, open_classifier

    bundle = load_bundle(model)
    classifier = open_classifier(bundle)
    noise = np.random.default_rng(0).normal(scale=0.1, size=round(bundle.window * bundle.rate))
    window = bundle.input.prepare(noise.astype(np.float32), bundle.window)
    classifier.run(np.stack([window] * BATCH_SIZE))
