"""The light encoder learns to give what the pretrained one gives, also with rounded weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from batchemo.common.arrays import Float32
from batchemo.training.fit.distil import DistilConfig, distil
from batchemo.training.nets.encoder import BANDS, build_frame_encoder, read_encoder
from batchemo.training.nets.light_encoder import build_light_encoder

pytestmark = pytest.mark.tensorflow

FLOOR = -2.0
CONFIG = DistilConfig(
    steps=10, learning_rate=3e-4, frames_a_batch=128, lengths=(32, 64), average_decay=0.5
)


@pytest.fixture(scope="module")
def corpora() -> tuple[list[Float32], list[Float32]]:
    random = np.random.default_rng(0)
    drawn = [random.uniform(-1.5, 1.5, (50, BANDS)).astype(np.float16) for _ in range(8)]
    return drawn[:6], drawn[6:]


@pytest.fixture(scope="module")
def models(encoder_file: Path) -> tuple[Any, Any]:
    pretrained = read_encoder(encoder_file)
    return build_frame_encoder(pretrained, FLOOR), build_light_encoder(pretrained, FLOOR)


def test_the_loss_falls_and_only_the_light_encoder_changes(
    models: tuple[Any, Any],
    corpora: tuple[list[Float32], list[Float32]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("batchemo.training.fit.distil._REPORT_STEPS", 10)
    monkeypatch.setattr("batchemo.training.fit.distil._WARM_UP", 4)
    config = replace(CONFIG, steps=40, rounded_share=0.0)
    teacher, student = models
    before = [model.get_weights() for model in models]
    losses: list[float] = []

    distil(teacher, student, corpora, FLOOR, config, lambda step, loss: losses.append(loss))

    assert len(losses) == 4
    assert losses[-1] < 0.9 * losses[0]
    for weights, earlier in zip(teacher.get_weights(), before[0], strict=True):
        assert np.array_equal(weights, earlier)
    changed = [
        not np.array_equal(weights, earlier)
        for weights, earlier in zip(student.get_weights(), before[1], strict=True)
    ]
    assert all(changed)


def test_rounded_weights_are_used_in_the_last_part_alone(
    models: tuple[Any, Any],
    corpora: tuple[list[Float32], list[Float32]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from batchemo.training.fit import distil as module

    used = []
    use = module._use

    def record(student: Any, weights: Any, *, rounded: bool) -> None:
        used.append(rounded)
        use(student, weights, rounded=rounded)
        matrix = student.get_layer("block0_out").get_weights()[0]
        levels = max(len(np.unique(column)) for column in matrix.T)
        assert (levels <= 127) == rounded

    monkeypatch.setattr(module, "_use", record)

    distil(*models, corpora, FLOOR, CONFIG, lambda step, loss: None)

    assert used == [False] * 6 + [True] * 4 + [False]
