"""The example recordings that the README scans have the results that it states."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from batchemo.audio import Failure, WindowConfig, read_windows

EXAMPLES = Path(__file__).parents[2] / "examples"
REASONS = {
    "broken/header only.wav": "zero_frames",
    "broken/noise.wav": "no_speech",
    "broken/silence.wav": "silent",
    "broken/tone.wav": "no_speech",
    "broken/too short.wav": "too_short",
    "broken/truncated.wav": "truncated",
}
RECORDINGS = sorted(path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.rglob("*.wav"))


def test_there_are_at_least_twelve_examples_in_less_than_2_5_mb() -> None:
    assert len(RECORDINGS) >= 12
    assert {file.split("/")[0] for file in RECORDINGS} == {"broken", "recordings"}
    assert sum((EXAMPLES / file).stat().st_size for file in RECORDINGS) < 2_500_000


def test_the_examples_cover_common_encodings_and_rates() -> None:
    infos = [soundfile.info(EXAMPLES / file) for file in RECORDINGS]
    assert {info.subtype for info in infos} >= {"PCM_U8", "PCM_16", "PCM_24", "FLOAT", "ULAW"}
    assert {info.channels for info in infos} == {1, 2}
    assert {info.samplerate for info in infos} >= {8_000, 16_000, 44_100, 48_000}


@pytest.mark.parametrize("file", RECORDINGS)
def test_each_example_has_speech_or_fails_as_stated(file: str) -> None:
    with read_windows(
        str(EXAMPLES / file), WindowConfig(rate=16_000, window=3.0, hop=1.5)
    ) as reader:
        try:
            has_speech = any(window.speech for window in reader)
        except Failure as failure:
            assert failure.reason == REASONS.get(file)  # noqa: PT017 - voices have none
        else:
            assert has_speech
            assert file.startswith("recordings/")
