"""The transform is scipy's, to the last bit, and is loaded without the rest of scipy."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import scipy.fft

from batchemo.common import fft


@pytest.mark.parametrize("size", [8, 160, 400, 512, 1023])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("with_module", [True, False])
def test_it_equals_scipys(
    size: int, kind: type, with_module: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not with_module:
        monkeypatch.setattr(fft, "_load_module", lambda: None)
    frames = np.random.default_rng(size).standard_normal((37, size)).astype(kind)
    fft._transform.cache_clear()
    transform = fft.rfft(frames)
    fft._transform.cache_clear()
    expected = scipy.fft.rfft(frames, axis=1)
    assert transform.dtype == expected.dtype
    assert np.array_equal(transform, expected)


@pytest.mark.process
def test_a_spectrum_and_speech_detection_import_no_scipy() -> None:
    program = """
import sys, numpy as np
from batchemo.audio.vad import is_speech
from batchemo.features.feature_set import extract, get_feature_set
samples = np.sin(np.arange(48000, dtype=np.float32))
extract(get_feature_set("logmel80"), samples), is_speech(samples, 16000)
print([name for name in sys.modules if name.startswith("scipy.")])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
