"""The temperature of a window, which may depend on how familiar the window is."""

from __future__ import annotations

import numpy as np
import pytest

from batchemo.bundles.calibration import Calibration, softmax


def test_the_temperature_grows_by_the_slope_as_familiarity_falls() -> None:
    calibration = Calibration(1.5, slope=0.8)

    found = calibration.temperatures(np.array([1.0, 0.5, 0.0], np.float32))

    np.testing.assert_allclose(found, [[1.5], [1.5 * np.exp(0.4)], [1.5 * np.exp(0.8)]])


@pytest.mark.parametrize("calibration", [Calibration(2.0), Calibration(2.0, slope=-0.5)])
def test_what_is_written_is_read_back(calibration: Calibration) -> None:
    assert Calibration.from_dict(calibration.to_dict()) == calibration


def test_a_slope_needs_the_familiarity() -> None:
    with pytest.raises(ValueError, match="depends on the familiarity"):
        Calibration(2.0, slope=0.5).temperatures(None)


def test_rows_may_have_temperatures_of_their_own() -> None:
    logits = np.array([[1.0, 3.0], [1.0, 3.0]])

    found = softmax(logits, np.array([[1.0], [4.0]]))

    assert found[0].tolist() == softmax(logits[:1])[0].tolist()
    assert found[1].tolist() == softmax(logits[:1], 4.0)[0].tolist()
