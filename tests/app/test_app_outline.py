import numpy as np
import pytest
import soundfile

from batchemo.app.waveform import MOST, outline_of


@pytest.mark.parametrize("seconds", [0.1, 0.5, 3, 61.7, 400])
def test_every_peak_is_in_the_outline_near_its_place(tmp_path, seconds):
    rate = 8000
    sound = np.zeros(int(seconds * rate), np.float32)
    places = np.linspace(0, len(sound) - 1, 5).astype(int)
    sound[places[::2]], sound[places[1::2]] = 0.5, -0.5
    path = tmp_path / "peaks.wav"
    soundfile.write(path, sound, rate, subtype="FLOAT")

    outline = outline_of(str(path))

    assert len(outline.lows) == len(outline.highs) <= MOST + 1
    high = np.flatnonzero(outline.highs > 0.4) * outline.seconds
    low = np.flatnonzero(outline.lows < -0.4) * outline.seconds
    near = {"abs": 2 * outline.seconds}
    assert high == pytest.approx(places[::2] / rate, **near)
    assert low == pytest.approx(places[1::2] / rate, **near)
