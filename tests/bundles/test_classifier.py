"""A row's probabilities depend on that row alone, on either backend."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest

from batchemo.bundles import (
    Backend,
    Bundle,
    Classifier,
    list_bundles,
    load_bundle,
    open_classifier,
    softmax,
)
from batchemo.common.arrays import Float32
from batchemo.errors import BundleError, MissingExtraError, UsageError

Make = Callable[..., Bundle]

SHIPPED = list_bundles()


@lru_cache
def shipped(name: str, batch_size: int) -> Classifier:
    """Open a shipped model, once for all tests: that takes longer than they do."""
    return open_classifier(load_bundle(name), batch_size=batch_size)


def inputs_for(bundle: Bundle, count: int, window: float | None = None) -> Float32:
    """Return inputs for synthetic signals: noise, tones and silences of many lengths and levels."""
    random = np.random.default_rng(7)
    inputs = []
    for _ in range(count):
        length = random.uniform(0.05, 1.0) * (window or bundle.window)
        time = np.arange(round(length * bundle.rate)) / bundle.rate
        tone = np.sin(2 * np.pi * random.uniform(80, 900) * time * (1 + 0.2 * np.sin(5 * time)))
        noise = random.normal(scale=random.uniform(0, 0.3), size=len(time))
        signal = (0.1 * (tone + noise)).astype(np.float32)
        inputs.append(bundle.input.prepare(signal, window or bundle.window))
    return np.stack(inputs)


def test_probabilities_are_the_softmax_of_the_logits_over_the_temperature(
    make_bundle: Make,
) -> None:
    plain = make_bundle()
    warm = make_bundle(name="warm", calibration={"method": "temperature", "temperature": 2.0})
    inputs = inputs_for(plain, 5)

    cold = open_classifier(plain).run(inputs)
    logits = np.log(cold.astype(np.float64))

    assert cold.dtype == np.float32
    np.testing.assert_allclose(cold.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(open_classifier(warm).run(inputs), softmax(logits / 2), atol=1e-5)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 9])
def test_any_number_of_items_is_padded_and_sliced_to_the_batch(
    tiny_bundle: Bundle, count: int
) -> None:
    inputs = inputs_for(tiny_bundle, 9)
    whole = open_classifier(tiny_bundle, batch_size=4).run(inputs)

    some = open_classifier(tiny_bundle, batch_size=4).run(inputs[:count])

    assert some.shape == (count, 4)
    assert some.tobytes() == whole[:count].tobytes()


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("window", [None, "shortest", 2.37])
@pytest.mark.parametrize("batch_size", [1, 8, 32])
def test_a_row_is_the_same_bytes_wherever_it_stands_in_a_batch(
    name: str, batch_size: int, window: object
) -> None:
    bundle = load_bundle(name)
    seconds = bundle.window_range[0] if window == "shortest" else window
    inputs = inputs_for(bundle, 32, seconds)  # type: ignore[arg-type]
    classifier = shipped(name, batch_size)
    rows = classifier.run(inputs)
    random = np.random.default_rng(0)

    for _ in range(2):
        order = random.permutation(len(inputs))[: random.integers(1, len(inputs))]
        assert classifier.run(inputs[order]).tobytes() == rows[order].tobytes()


@pytest.mark.parametrize("name", SHIPPED)
def test_another_batch_size_changes_no_probability_by_more_than_1e5th(name: str) -> None:
    bundle = load_bundle(name)
    inputs = inputs_for(bundle, 20)
    rows = shipped(name, 32).run(inputs)

    for batch_size in (1, 7, 16):
        other = shipped(name, batch_size).run(inputs)
        np.testing.assert_allclose(other, rows, atol=1e-5, rtol=0)


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", SHIPPED)
def test_onnx_runtime_and_tensorflow_agree(name: str) -> None:
    pytest.importorskip("tensorflow")
    bundle = load_bundle(name)
    if not bundle.has_keras:
        pytest.skip("this bundle has no Keras model")
    inputs = inputs_for(bundle, 20)

    onnx = open_classifier(bundle, backend="onnx").run(inputs)
    tensorflow = open_classifier(bundle, backend="tensorflow").run(inputs)

    np.testing.assert_allclose(tensorflow, onnx, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_window_of_the_permitted_range_gives_probabilities(name: str) -> None:
    bundle = load_bundle(name)
    classifier = shipped(name, 1)

    for window in bundle.window_range:
        rows = classifier.run(inputs_for(bundle, 2, window))
        assert np.isfinite(rows).all()
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("name", SHIPPED)
def test_digital_silence_gives_probabilities_too(name: str) -> None:
    bundle = load_bundle(name)
    silence = bundle.input.prepare(np.zeros(bundle.rate, np.float32), bundle.window)

    assert np.isfinite(shipped(name, 1).run(silence[None])).all()


def test_a_bundle_without_a_keras_model_does_not_run_on_tensorflow(tiny_bundle: Bundle) -> None:
    with pytest.raises(BundleError, match=r"has no model\.keras; run it with --backend onnx"):
        open_classifier(tiny_bundle, backend="tensorflow")


@pytest.mark.skipif("default" not in SHIPPED, reason="needs the shipped model")
def test_without_tensorflow_the_error_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "keras", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'batchemo\[train\]'"):
        open_classifier(load_bundle("default"), backend="tensorflow")


def test_unknown_backends_and_empty_batches_are_usage_errors(tiny_bundle: Bundle) -> None:
    backend: Backend = "torch"  # type: ignore[assignment]
    with pytest.raises(UsageError, match="'torch' is no backend"):
        open_classifier(tiny_bundle, backend=backend)
    with pytest.raises(UsageError, match="at least 1 window"):
        open_classifier(tiny_bundle, batch_size=0)
