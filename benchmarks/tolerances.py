"""How far each feature may differ from librosa 0.11; the parity tests check this table.

Both transform in double precision and round to single; the differences come from sums of float32.
"""

from __future__ import annotations

from typing import NamedTuple


class Tolerance(NamedTuple):
    """The largest allowed difference from librosa on any frame of any test signal."""

    largest: float
    unit: str
    reason: str
    meaningless_on: tuple[str, ...] = ()
    """Test signals on which librosa's own value is rounding error: not compared."""


TOLERANCES: dict[str, Tolerance] = {
    "mel": Tolerance(2e-6, "of the signal's loudest band", "sums of float32"),
    "mel_db": Tolerance(0.005, "dB", "bands 80 dB below the loudest hold 1e-7 of rounding"),
    "mfcc": Tolerance(0.01, "dB", "sums over 128 bands in dB"),
    "mfcc_delta": Tolerance(0.001, "dB a frame", "differences of the cepstra"),
    "mfcc_delta2": Tolerance(0.001, "dB a frame²", "differences of the cepstra"),
    "tuning": Tolerance(
        0,
        "semitones",
        "the same bin of the same histogram",
        meaningless_on=("impulse",),  # flat: each of its peaks is rounding
    ),
    "chroma": Tolerance(
        1e-5, "of the frame's strongest class", "sums of float32", meaningless_on=("impulse",)
    ),
    "contrast": Tolerance(
        0.02,
        "dB",
        "a valley may be a single bin, 80 dB below the loudest",
        meaningless_on=("tone",),  # below a pure tone the valleys are rounding
    ),
    "bandwidth": Tolerance(
        0.02,
        "Hz",
        "high bins weigh most, and rounding is the same in all",
        meaningless_on=("DC", "tone"),  # the true width is two bins; beyond it lies rounding
    ),
    "zcr": Tolerance(0, "crossings a sample", "counted, not computed"),
    "rms": Tolerance(1e-6, "of full scale", "sums of float32"),
    "pitch": Tolerance(
        0.01,
        "Hz",
        "parabolas through float32",
        meaningless_on=("impulse",),  # as for the tuning
    ),
}
