"""`combined` holds the statistics of a window and its log-mel spectrogram, unchanged."""

from __future__ import annotations

from feature_signals import voice

from batchemo.features import extract, get_feature_set
from batchemo.features.combined import N_STATISTICS, STATISTICS_ROWS


def test_the_statistics_come_first_and_the_spectrogram_below() -> None:
    samples = voice(16000, 2.0)

    combined = extract(get_feature_set("combined"), samples)

    assert (N_STATISTICS, STATISTICS_ROWS) == (267, 5)
    assert (combined[5:] == extract(get_feature_set("logmel64"), samples)).all()
    row = combined[:5].ravel()
    assert (row[:267] == extract(get_feature_set("functionals"), samples)).all()
    assert not row[267:].any()
