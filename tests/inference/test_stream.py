"""A stream gives, block by block, what `predict` gives for the windows of the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_bundle import LABELS
from voices import voice

import batchemo
from batchemo.errors import UsageError
from batchemo.inference.settings import ModelSettings, PostprocessSettings
from batchemo.inference.stream import PredictionStream


@pytest.fixture(scope="module")
def recording() -> Any:
    pause = np.zeros(22050 * 4, np.float32)
    return np.concatenate([voice(5.0, 22050, seed=1), pause, voice(4.3, 22050, seed=2)]).astype(
        np.float32
    )


def rows_of(stream: Any, blocks: Any) -> list[tuple[Any, ...]]:
    found = [each for block in blocks for each in stream.feed(block)]
    return [
        (each.start, each.end, each.emotion, each.confidence, *map(each.probabilities.get, LABELS))
        for each in [*found, *stream.finish()]
    ]


def predicted(recording: Any, **options: Any) -> list[tuple[Any, ...]]:
    table = batchemo.predict(recording, sample_rate=22050, segments=True, batch_size=1, **options)
    names = ("start", "end", "emotion", "confidence", *(f"p_{label}" for label in LABELS))
    return [tuple(row[name] for name in names) for row in table.to_pylist()]


@pytest.mark.parametrize("options", [{}, {"hop": 0.5, "min_confidence": 0.9}, {"window": 1.0}])
def test_the_predictions_are_those_of_the_whole(
    recording: Any, tiny_bundle: Any, options: Any
) -> None:
    options = {"model": tiny_bundle.path, **options}
    stream = batchemo.stream(22050, **options)
    found = rows_of(stream, np.array_split(recording, 97))

    assert found == predicted(recording, **options)
    assert None in {row[2] for row in found}
    assert {row[2] for row in found} > {None}


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 100_000), max_size=12))
def test_where_blocks_end_makes_no_difference(recording: Any, cuts: list[int]) -> None:
    def stream() -> PredictionStream:
        return PredictionStream(22050, ModelSettings("mfcc40", batch_size=1), PostprocessSettings())

    blocks = np.split(recording[:100_000], sorted(cuts))
    whole = rows_of(stream(), [recording[:100_000]])
    assert rows_of(stream(), blocks) == whole


def test_a_prediction_comes_as_soon_as_its_window_is_complete(tiny_bundle: Any) -> None:
    stream = batchemo.stream(16000, model=tiny_bundle.path, window=1.0, hop=0.25)
    sound = voice(2.0, 16000, seed=3).astype(np.float32)
    counts = [len(stream.feed(sound[start : start + 4000])) for start in range(0, 32000, 4000)]

    assert counts == [0, 0, 0, 1, 1, 1, 1, 1]
    assert stream.finish() == []
    assert stream.finish() == []
    with pytest.raises(UsageError, match="is finished"):
        stream.feed(sound)


def test_blocks_of_two_channels_and_integers_are_mixed(tiny_bundle: Any) -> None:
    left, right = (voice(3.0, 16000, seed=seed) for seed in (1, 2))
    both = (np.stack([left, right]) * 32767).astype(np.int16)
    found = {}
    for channel in ("mix", 1):
        stream = batchemo.stream(16000, model=tiny_bundle.path, channel=channel)
        found[channel] = rows_of(stream, [both])
    mono = (both.astype(np.float32) / 32768).mean(axis=0, dtype=np.float32)
    stream = batchemo.stream(16000, model=tiny_bundle.path)
    assert rows_of(stream, [mono])[0] == pytest.approx(found["mix"][0], abs=1e-5)
    assert found["mix"] != found[1]
    with pytest.raises(UsageError, match="channel 2 of 2"):
        batchemo.stream(16000, model=tiny_bundle.path, channel=2).feed(both)


def test_a_stream_that_is_too_short_has_no_prediction(tiny_bundle: Any) -> None:
    stream = batchemo.stream(16000, model=tiny_bundle.path)
    assert stream.feed(voice(0.2, 16000, seed=1).astype(np.float32)) == []
    assert stream.feed(np.empty(0, np.float32)) == []
    assert stream.finish() == []


def test_a_model_of_dimensions_gives_what_it_measures(make_bundle: Any) -> None:
    outputs = {"dimensions": {"name": "d", "dimensions": ["dominance", "arousal"]}}
    model = make_bundle(labels=(), waveform=True, outputs=outputs).path
    [found] = batchemo.stream(16000, model=model).feed(voice(3.0, 16000).astype(np.float32))

    assert list(found.measured) == ["arousal", "dominance"]
    assert (found.emotion, found.confidence, found.probabilities) == (None, None, {})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_rate": 0}, "sample_rate=0"),
        ({"sample_rate": 16000, "window": 99.0}, "takes windows of"),
        ({"sample_rate": 16000, "min_confidence": 2.0}, "must lie between 0 and 1"),
    ],
)
def test_options_that_no_stream_can_have_are_refused(
    tiny_bundle: Any, options: Any, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        batchemo.stream(model=tiny_bundle.path, **options)


def test_samples_that_are_no_numbers_are_refused(tiny_bundle: Any) -> None:
    with pytest.raises(UsageError, match="no number"):
        batchemo.stream(16000, model=tiny_bundle.path).feed(np.full(100, np.nan, np.float32))
