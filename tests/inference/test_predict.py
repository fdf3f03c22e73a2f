"""What goes wrong in a worker is a row, of the recording that it went wrong with alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from batchemo.bundles import Bundle
from batchemo.common.arrays import Float32
from batchemo.inference.loaded import LoadedModel, load_model
from batchemo.inference.predict import predict_with
from batchemo.inference.settings import ModelSettings
from batchemo.sources import Recording


class Choosy:
    """A runtime that fails at whatever it dislikes."""

    def __init__(self, tools: LoadedModel, disliked: Float32, error: Exception) -> None:
        self._runtime, self._disliked, self._error = tools.classifier, disliked, error

    def run(self, items: Float32) -> Float32:
        if any(np.array_equal(item, self._disliked) for item in items):
            raise self._error
        return self._runtime.run(items)


@pytest.mark.parametrize(
    ("error", "reason"),
    [(MemoryError(), "out_of_memory"), (RuntimeError("bad allocation"), "internal_error")],
)
def test_a_batch_that_fails_costs_only_the_recording_that_it_fails_at(
    corpus: Path, tiny_bundle: Bundle, error: Exception, reason: str
) -> None:
    from batchemo.audio import read_windows
    from batchemo.features import extract

    tools = load_model(ModelSettings(str(tiny_bundle.path), batch_size=4))
    paths = sorted(corpus.rglob("*.wav"))
    with read_windows(str(paths[5]), tools.window_config) as heard:
        windows = [extract(tools.recipe, w.samples, tools.window_config.window) for w in heard]
    choosy = replace(tools, classifier=Choosy(tools, windows[0], error))
    recordings = [Recording(str(corpus), str(p.relative_to(corpus)), 1, 0) for p in paths]
    rows = predict_with([choosy], 0.0, recordings).rows
    assert [row.reason for row in rows] == [reason if n == 5 else None for n in range(12)]
    calm = predict_with([tools], 0.0, recordings).rows
    for row, undisturbed in zip(rows, calm, strict=True):
        if row.reason is None:
            assert np.array_equal(row.probabilities, undisturbed.probabilities)
