"""The classic feature sets hold librosa's features in the order of their descriptors."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from feature_signals import voice

from batchemo.features import extract, get_feature_set
from batchemo.features.descriptors import DESCRIPTORS


@pytest.mark.parametrize("descriptor", DESCRIPTORS)
def test_any_descriptor_can_be_used_alone_however_short_the_signal(descriptor: str) -> None:
    feature_set = get_feature_set("stats162", descriptors=(descriptor,))
    features = extract(feature_set, np.ones(1, dtype=np.float32), 1.0)
    assert features.shape == feature_set.shape() == (len(feature_set.names),)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


def test_frames62_skips_the_first_half_second() -> None:
    feature_set = get_feature_set("frames62")
    samples = voice(feature_set.rate, 3.5)
    other_start = samples.copy()
    other_start[: feature_set.rate // 2] = 0.9
    assert (extract(feature_set, samples) == extract(feature_set, other_start)).all()
    from_the_start = get_feature_set("frames62", offset=0.0)
    later = samples[feature_set.rate // 2 :]
    assert (extract(from_the_start, later, window=3.0) == extract(feature_set, samples)).all()


def test_frames62_has_its_columns_in_order() -> None:
    feature_set = get_feature_set("frames62")
    samples = voice(feature_set.rate, 3.0)
    features = extract(get_feature_set("frames62", offset=0.0), samples, window=3.0)
    columns = dict(zip(feature_set.names, features.T, strict=True))
    cepstra = librosa.feature.mfcc(y=samples, sr=feature_set.rate, n_mfcc=13)
    assert np.allclose(columns["mfcc_0"], cepstra[0], atol=0.01)
    assert np.allclose(columns["mfcc_delta_12"], librosa.feature.delta(cepstra)[12], atol=0.001)
    assert np.allclose(columns["rms"], librosa.feature.rms(y=samples)[0], atol=1e-6)
    assert list(feature_set.names[-4:]) == ["zcr", "bandwidth", "pitch", "rms"]


@pytest.mark.parametrize(("n_mfcc", "width"), [(20, 162), (40, 182)])
def test_stats162_are_the_means_that_earlier_projects_stack(n_mfcc: int, width: int) -> None:
    feature_set = get_feature_set("stats162", n_mfcc=n_mfcc)
    y, sr = voice(feature_set.rate, 3.0), feature_set.rate
    stacked = [
        librosa.feature.zero_crossing_rate(y),
        librosa.feature.chroma_stft(y=y, sr=sr),
        librosa.feature.mfcc(y=y, sr=sr, n_mfcc=n_mfcc),
        librosa.feature.rms(y=y),
        librosa.feature.melspectrogram(y=y, sr=sr),
    ]
    expected = np.hstack([feature.mean(axis=1) for feature in stacked])
    assert expected.shape == feature_set.shape() == (width,)
    assert np.allclose(extract(feature_set, y), expected, rtol=1e-5, atol=1e-3)
