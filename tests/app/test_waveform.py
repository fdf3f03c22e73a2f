import numpy as np
import pytest
import soundfile

from batchemo.app.waveform import MOST, read_waveform


@pytest.mark.parametrize("seconds", [0.1, 0.5, 3, 61.7, 400])
def test_every_peak_is_in_the_outline_near_its_place(tmp_path, seconds):
    rate = 8000
    sound = np.zeros(int(seconds * rate), np.float32)
    places = np.linspace(0, len(sound) - 1, 5).astype(int)
    sound[places[::2]], sound[places[1::2]] = 0.5, -0.5
    path = tmp_path / "peaks.wav"
    soundfile.write(path, sound, rate, subtype="FLOAT")

    waveform = read_waveform(str(path))

    assert len(waveform.lows) == len(waveform.highs) <= MOST + 1
    high = np.flatnonzero(waveform.highs > 0.4) * waveform.seconds
    low = np.flatnonzero(waveform.lows < -0.4) * waveform.seconds
    near = {"abs": 2 * waveform.seconds}
    assert high == pytest.approx(places[::2] / rate, **near)
    assert low == pytest.approx(places[1::2] / rate, **near)
