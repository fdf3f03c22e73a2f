"""What a net learns from: the windows of a scan, and what augmentation does to them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.audio import ListenOptions, listen
from batchemo.features import extract, get_recipe
from batchemo.training.augment import Augmentation, change_picture, mix_up
from batchemo.training.batches import OUT_OF_REACH, Batches
from batchemo.training.corpora import EMOTIONS, Example, read_corpora
from batchemo.training.options import FitOptions
from batchemo.training.pictures import Clip, Windows, make_clip, make_clips, sound_length
from batchemo.training.variants import elsewhere, faster

RECIPE = get_recipe("logmel64")
WINDOWS = Windows(seconds=1.0, hop=0.5)
LEFT_ALONE = Augmentation(
    time_warp=0, band_warp=0, tilt=0, noise_share=0, masks=0, mixup_share=0, frames=240
)


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def clip(emotion: str, corpus: str = "ravdess", value: float = 0.5, count: int = 1) -> Clip:
    one = Example(Path(f"{emotion}.wav"), corpus, "s", "male", emotion, "normal")
    return Clip(one, tuple(np.full((50, 64), value, np.float16) for _ in range(count)))


def test_learning_sees_the_very_windows_of_a_scan(made_corpora: Path) -> None:
    example = read_corpora(made_corpora, ("ravdess",))[0]
    options = ListenOptions(rate=RECIPE.rate, window=WINDOWS.seconds, hop=WINDOWS.hop)
    with listen(str(example.path), options) as heard:
        scanned = [extract(RECIPE, window.samples, WINDOWS.seconds) for window in heard]

    learnt = make_clip(example, RECIPE, WINDOWS, (), random()).pictures

    assert len(learnt) == len(scanned) > 1
    for seen, there in zip(learnt, scanned, strict=True):
        assert np.array_equal(seen, there[: len(seen)].astype(np.float16))
        assert (there[len(seen) :] == there.min()).all()


def test_a_clip_does_not_depend_on_the_clips_before_it(made_corpora: Path) -> None:
    examples = read_corpora(made_corpora, ("ravdess",))[:3]
    variants = {"ravdess": (elsewhere,)}

    forwards = list(make_clips(examples, RECIPE, WINDOWS, variants, seed=1))
    backwards = list(make_clips(examples[::-1], RECIPE, WINDOWS, variants, seed=1))[::-1]

    for one, other in zip(forwards, backwards, strict=True):
        assert all(map(np.array_equal, one.pictures, other.pictures))


def test_a_faster_recording_is_shorter_and_higher() -> None:
    time = np.arange(16000) / 16000
    tone = np.sin(2 * np.pi * 440 * time).astype(np.float32)

    played = faster(1.25)(tone, 16000, random())

    assert len(played) == 12800
    assert np.abs(np.fft.rfft(played)).argmax() * 16000 / len(played) == pytest.approx(550, abs=2)


def test_a_recording_made_elsewhere_is_as_long_and_differs_each_time() -> None:
    signal = random(1).normal(size=8000).astype(np.float32)

    one, other = elsewhere(signal, 16000, random(1)), elsewhere(signal, 16000, random(2))

    assert one.shape == signal.shape
    assert one.dtype == np.float32
    assert not np.allclose(one, other, atol=0.01)


def test_padding_is_no_sound() -> None:
    picture = np.full((100, 64), -2.0, np.float32)
    picture[:40, 3] = 0.5
    picture[10:20] = -2

    assert sound_length(picture) == 40
    assert sound_length(np.full((100, 64), -2.0, np.float32)) == 1


def test_without_augmentation_a_picture_is_only_padded() -> None:
    picture = random().normal(scale=0.5, size=(70, 64)).astype(np.float32)

    whole = change_picture(picture, LEFT_ALONE, random())

    assert whole.shape == (240, 64)
    np.testing.assert_allclose(whole[:70], picture, atol=1e-6)
    assert (whole[70:] == LEFT_ALONE.floor).all()


@given(frames=st.integers(1, 400), seed=st.integers(0, 2**32))
def test_every_augmented_picture_is_finite_and_of_one_shape(frames: int, seed: int) -> None:
    picture = np.linspace(-2, 2, frames * 64, dtype=np.float32).reshape(frames, 64)

    whole = change_picture(picture, Augmentation(), random(seed))

    assert whole.shape == (240, 64)
    assert np.isfinite(whole).all()
    assert whole.min() >= Augmentation().floor
    assert sound_length(whole) >= min(240, round(frames / 1.16))


@pytest.mark.parametrize(
    "kind", [{"time_warp": 0.15}, {"band_warp": 0.06}, {"tilt": 0.25}, {"masks": 2}]
)
def test_each_augmentation_changes_a_picture(kind: dict[str, float]) -> None:
    picture = random().normal(scale=0.5, size=(70, 64)).astype(np.float32)

    changed = change_picture(picture, replace(LEFT_ALONE, **kind), random(3))

    assert not np.allclose(changed, change_picture(picture, LEFT_ALONE, random(3)))


def test_mixing_up_blends_targets_as_it_blends_pictures() -> None:
    pictures = np.stack([np.full((4, 4), value, np.float32) for value in (0, 1, 2)])
    targets = np.eye(3, dtype=np.float32)

    mixed, blended = mix_up(pictures, targets, replace(LEFT_ALONE, mixup_share=1.0), random(2))

    np.testing.assert_allclose(blended.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(mixed[:, 0, 0], blended @ [0, 1, 2], atol=1e-6)
    assert (blended.max(axis=1) >= 0.5).all()
    assert not np.array_equal(blended, targets)


def test_classes_are_drawn_equally_often_however_many_recordings_they_have() -> None:
    clips = [clip("sad")] * 30 + [clip("happy")] * 2
    options = FitOptions(smoothing=0, augmentation=LEFT_ALONE, batch_size=32)

    drawn = np.concatenate([batch.targets for batch in _epochs(Batches(clips, options), 20)])

    share = drawn.mean(axis=0)
    assert share[EMOTIONS.index("sad")] == pytest.approx(0.5, abs=0.1)
    assert share[EMOTIONS.index("happy")] == pytest.approx(0.5, abs=0.1)


def test_a_quarter_of_a_batch_is_foreign_and_knows_only_its_own_classes() -> None:
    clips = [clip("sad"), clip("calm"), clip("sad", "nemo", -0.5), clip("angry", "nemo", -0.5)]
    options = FitOptions(augmentation=replace(LEFT_ALONE, mixup_share=1.0), batch_size=32)

    batch = next(Batches(clips, options).epoch(0))

    foreign = batch.pictures[:, 0, 0] < 0
    assert Counter(foreign.tolist()) == {False: 24, True: 8}
    calm, angry = EMOTIONS.index("calm"), EMOTIONS.index("angry")
    assert (batch.reach[foreign, calm] == OUT_OF_REACH).all()
    assert (batch.reach[foreign, angry] == 0).all()
    assert (batch.reach[~foreign, angry] == OUT_OF_REACH).all()
    assert (batch.targets[batch.reach == OUT_OF_REACH] == 0).all()
    np.testing.assert_allclose(batch.targets.sum(axis=1), 1, atol=1e-6)


def test_the_same_seed_draws_the_same_batches() -> None:
    clips = [clip("sad"), clip("happy", count=3)]

    def first(seed: int) -> bytes:
        return next(Batches(clips, FitOptions(seed=seed)).epoch(1)).pictures.tobytes()

    assert first(1) == first(1) != first(2)


def _epochs(batches: Batches, count: int) -> list:
    return [batch for number in range(count) for batch in batches.epoch(number)]
