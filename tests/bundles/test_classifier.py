"""A row's probabilities depend on that row alone, on either backend."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from batchemo.bundles import (
    Backend,
    Bundle,
    Calibration,
    Classifier,
    list_bundles,
    load_bundle,
    open_classifier,
    softmax,
)
from batchemo.bundles.classifier import BatchedClassifier
from batchemo.common.arrays import Float32
from batchemo.errors import BundleError, MissingExtraError, UsageError

Make = Callable[..., Bundle]

SHIPPED = list_bundles()


@lru_cache
def shipped(name: str, batch_size: int) -> Classifier:
    """Open a shipped model, once for all tests: that takes longer than they do."""
    return open_classifier(load_bundle(name), batch_size=batch_size)


@lru_cache
def shipped_inputs(name: str, count: int, window: float | None = None) -> Float32:
    """Return inputs for a shipped model, which take longer to make than to run."""
    inputs = inputs_for(load_bundle(name), count, window)
    inputs.flags.writeable = False
    return inputs


def inputs_for(bundle: Bundle, count: int, window: float | None = None) -> Float32:
    """Return inputs for synthetic signals: noise, tones and silences of many lengths and levels."""
    random = np.random.default_rng(7)
    # Of one shape, which those are not whose padding is cut.
    model_input = replace(bundle.input, padding_step=None)
    inputs = []
    for _ in range(count):
        length = random.uniform(0.05, 1.0) * (window or bundle.window)
        time = np.arange(round(length * bundle.rate)) / bundle.rate
        tone = np.sin(2 * np.pi * random.uniform(80, 900) * time * (1 + 0.2 * np.sin(5 * time)))
        noise = random.normal(scale=random.uniform(0, 0.3), size=len(time))
        signal = (0.1 * (tone + noise)).astype(np.float32)
        inputs.append(model_input.prepare(signal, window or bundle.window))
    return np.stack(inputs)


def test_probabilities_are_the_softmax_of_the_logits_over_the_temperature(
    make_bundle: Make,
) -> None:
    plain = make_bundle()
    warm = make_bundle(name="warm", calibration={"method": "temperature", "temperature": 2.0})
    inputs = inputs_for(plain, 5)

    cold = open_classifier(plain).run(inputs).probabilities
    logits = np.log(cold.astype(np.float64))

    assert cold.dtype == np.float32
    np.testing.assert_allclose(cold.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(
        open_classifier(warm).run(inputs).probabilities, softmax(logits / 2), atol=1e-5
    )


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 9])
def test_any_number_of_items_is_padded_and_sliced_to_the_batch(
    tiny_bundle: Bundle, count: int
) -> None:
    inputs = inputs_for(tiny_bundle, 9)
    whole = open_classifier(tiny_bundle, batch_size=4).run(inputs).probabilities

    some = open_classifier(tiny_bundle, batch_size=4).run(inputs[:count]).probabilities

    assert some.shape == (count, 4)
    assert some.tobytes() == whole[:count].tobytes()


FAMILIARITY = {"familiarity": {"name": "familiarity"}}
SLOPED = {"method": "familiarity_temperature", "temperature": 1.2, "slope": 1.5}


def test_a_model_gives_familiarity_and_embedding_where_its_bundle_has_them(
    make_bundle: Make,
) -> None:
    outputs = {**FAMILIARITY, "embedding": {"name": "hidden", "size": 7}}
    plain = make_bundle(waveform=True)
    rich = make_bundle(name="rich", waveform=True, outputs=outputs)
    inputs = inputs_for(rich, 5)

    without = open_classifier(plain).run(inputs)
    result = open_classifier(rich, batch_size=2).run(inputs)

    assert (without.familiarity, without.embedding) == (None, None)
    assert result.familiarity is not None
    assert result.embedding is not None
    assert (result.familiarity.shape, result.embedding.shape) == ((5,), (5, 7))
    assert result.familiarity.dtype == result.embedding.dtype == np.float32
    assert len(set(result.familiarity.tolist())) == 5
    assert ((result.familiarity >= 0) & (result.familiarity <= 1)).all()


def test_unfamiliar_windows_get_higher_temperatures(make_bundle: Make) -> None:
    plain = make_bundle(waveform=True, outputs=FAMILIARITY)
    sloped = make_bundle(name="sloped", waveform=True, outputs=FAMILIARITY, calibration=SLOPED)
    inputs = inputs_for(plain, 9)
    result = open_classifier(plain).run(inputs)
    assert result.familiarity is not None

    adapted = open_classifier(sloped).run(inputs).probabilities

    temperatures = 1.2 * np.exp(1.5 * (1 - result.familiarity.astype(np.float64)))
    logits = np.log(result.probabilities.astype(np.float64))
    np.testing.assert_allclose(adapted, softmax(logits, temperatures[:, None]), atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 5, 16])
def test_familiarity_and_what_depends_on_it_are_the_same_bytes_anywhere_in_a_batch(
    make_bundle: Make, batch_size: int
) -> None:
    outputs = {**FAMILIARITY, "embedding": {"name": "hidden", "size": 7}}
    bundle = make_bundle(waveform=True, outputs=outputs, calibration=SLOPED)
    inputs = inputs_for(bundle, 21)
    classifier = open_classifier(bundle, batch_size=batch_size)
    rows = classifier.run(inputs)
    random = np.random.default_rng(0)

    for _ in range(20):
        order = random.permutation(len(inputs))[: random.integers(1, len(inputs))]
        moved = classifier.run(inputs[order])
        for name in ("probabilities", "familiarity", "embedding"):
            assert getattr(moved, name).tobytes() == getattr(rows, name)[order].tobytes()


def made_classifier(**outputs: object) -> BatchedClassifier:
    """Return a classifier whose graph gives these numbers for its first rows, and then NaN."""
    given = {"classes": [[1.0, 0.0]] * 2, "familiarity": [[0.5]] * 2} | outputs

    def graph(batch: Float32) -> dict[str, Float32]:
        rows = {kind: np.array(values, np.float32) for kind, values in given.items()}
        rest = len(batch) - 2
        return {
            kind: np.concatenate([each, np.full((rest, each.shape[1]), np.nan, np.float32)])
            for kind, each in rows.items()
        }

    return BatchedClassifier(graph, {"classes": 2, "familiarity": 1}, Calibration(1.0, 1.0), 3)


def test_familiarity_is_clipped_and_may_be_anything_for_rows_that_fill_up_a_batch() -> None:
    result = made_classifier(familiarity=[[-0.5], [1.25]]).run(np.zeros((2, 4), np.float32))

    assert result.familiarity is not None
    assert result.familiarity.tolist() == [0.0, 1.0]
    np.testing.assert_allclose(result.probabilities[1], softmax([[1.0, 0.0]])[0], atol=1e-7)
    np.testing.assert_allclose(result.probabilities[0], softmax([[1 / np.e, 0.0]])[0], atol=1e-7)


@pytest.mark.parametrize(
    ("outputs", "what"),
    [
        ({"classes": [[1.0, 0.0], [np.inf, 0.0]]}, "logits"),
        ({"familiarity": [[0.5], [np.nan]]}, "familiarity"),
    ],
)
def test_outputs_that_are_no_numbers_are_refused(outputs: dict[str, object], what: str) -> None:
    with pytest.raises(BundleError, match=f"gives {what} that are no numbers: it is broken"):
        made_classifier(**outputs).run(np.zeros((2, 4), np.float32))


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("window", [None, "shortest", 2.37])
@pytest.mark.parametrize("batch_size", [1, 8, 16])
def test_a_row_is_the_same_bytes_wherever_it_stands_in_a_batch(
    name: str, batch_size: int, window: object
) -> None:
    bundle = load_bundle(name)
    seconds = bundle.window_range[0] if window == "shortest" else window
    inputs = shipped_inputs(name, 16, seconds)  # type: ignore[arg-type]
    classifier = shipped(name, batch_size)
    rows = classifier.run(inputs).probabilities
    random = np.random.default_rng(0)

    for _ in range(2):
        order = random.permutation(len(inputs))[: random.integers(1, len(inputs))]
        assert classifier.run(inputs[order]).probabilities.tobytes() == rows[order].tobytes()


@pytest.mark.parametrize("name", SHIPPED)
def test_another_batch_size_changes_no_probability_by_more_than_1e5th(name: str) -> None:
    inputs = shipped_inputs(name, 16)
    rows = shipped(name, 16).run(inputs).probabilities

    for batch_size in (1, 5, 32):
        other = shipped(name, batch_size).run(inputs).probabilities
        np.testing.assert_allclose(other, rows, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", SHIPPED)
def test_padding_that_is_cut_changes_no_probability_by_more_than_1e5th(name: str) -> None:
    bundle = load_bundle(name)
    step = bundle.input.padding_step
    if step is None:
        pytest.skip("this bundle pads to whole windows")
    signal = np.random.default_rng(0).normal(scale=0.1, size=bundle.rate).astype(np.float32)
    whole = replace(bundle.input, padding_step=None).prepare(signal, bundle.window)
    cut = bundle.input.prepare(signal, bundle.window)

    rows = [shipped(name, 1).run(features[None]).probabilities for features in (whole, cut)]

    assert len(cut) < len(whole)
    assert len(cut) % step == 2
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-5, rtol=0)


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", SHIPPED)
def test_onnx_runtime_and_tensorflow_agree(name: str) -> None:
    pytest.importorskip("tensorflow")
    bundle = load_bundle(name)
    if not bundle.has_keras:
        pytest.skip("this bundle has no Keras model")
    inputs = inputs_for(bundle, 20)

    onnx = open_classifier(bundle, backend="onnx").run(inputs).probabilities
    tensorflow = open_classifier(bundle, backend="tensorflow").run(inputs).probabilities

    np.testing.assert_allclose(tensorflow, onnx, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_window_of_the_permitted_range_gives_probabilities(name: str) -> None:
    bundle = load_bundle(name)
    classifier = shipped(name, 1)

    for window in bundle.window_range:
        rows = classifier.run(inputs_for(bundle, 2, window)).probabilities
        assert np.isfinite(rows).all()
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("name", SHIPPED)
def test_digital_silence_gives_probabilities_too(name: str) -> None:
    bundle = load_bundle(name)
    silence = bundle.input.prepare(np.zeros(bundle.rate, np.float32), bundle.window)

    assert np.isfinite(shipped(name, 1).run(silence[None]).probabilities).all()


def test_a_bundle_without_a_keras_model_does_not_run_on_tensorflow(tiny_bundle: Bundle) -> None:
    with pytest.raises(BundleError, match=r"has no model\.keras; run it with --backend onnx"):
        open_classifier(tiny_bundle, backend="tensorflow")


@pytest.mark.skipif("melattn" not in SHIPPED, reason="needs the shipped model")
def test_without_tensorflow_the_error_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "keras", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'batchemo\[train\]'"):
        open_classifier(load_bundle("melattn"), backend="tensorflow")


def test_unknown_backends_and_empty_batches_are_usage_errors(tiny_bundle: Bundle) -> None:
    backend: Backend = "torch"  # type: ignore[assignment]
    with pytest.raises(UsageError, match="'torch' is no backend"):
        open_classifier(tiny_bundle, backend=backend)
    with pytest.raises(UsageError, match="at least 1 window"):
        open_classifier(tiny_bundle, batch_size=0)
