import numpy as np
import pytest
import soundfile

from batchemo.app.waveform import MAX_BINS, WaveformAccumulator, read_pictures


@pytest.mark.parametrize("seconds", [0.1, 0.5, 3, 61.7, 400])
def test_every_peak_is_in_the_waveform_near_its_time(tmp_path, seconds):
    rate = 8000
    signal = np.zeros(int(seconds * rate), np.float32)
    peaks = np.linspace(0, len(signal) - 1, 5).astype(int)
    signal[peaks[::2]], signal[peaks[1::2]] = 0.5, -0.5
    path = tmp_path / "peaks.wav"
    soundfile.write(path, signal, rate, subtype="FLOAT")

    waveform, _ = read_pictures(str(path))

    assert len(waveform.minima) == len(waveform.maxima) <= MAX_BINS + 1
    high = np.flatnonzero(waveform.maxima > 0.4) * waveform.bin_seconds
    low = np.flatnonzero(waveform.minima < -0.4) * waveform.bin_seconds
    near = {"abs": 2 * waveform.bin_seconds}
    assert high == pytest.approx(peaks[::2] / rate, **near)
    assert low == pytest.approx(peaks[1::2] / rate, **near)


def test_the_sizes_of_the_blocks_do_not_matter():
    signal = np.random.default_rng(0).standard_normal(50_000).astype(np.float32)
    whole, pieces = WaveformAccumulator(), WaveformAccumulator()
    whole.update(signal)
    for piece in np.array_split(signal, 7):
        pieces.update(piece)
    expected, actual = whole.waveform(8000), pieces.waveform(8000)
    assert np.array_equal(expected.minima, actual.minima)
    assert np.array_equal(expected.maxima, actual.maxima)
