"""Which recordings a bench measures on, and what it measures."""

from __future__ import annotations

from pathlib import Path

import pytest
from voices import write_voice

from batchemo.bundles import Bundle
from batchemo.diagnostics.throughput import (
    BATCH_SIZES,
    MAX_BYTES,
    MAX_RECORDINGS,
    bench_recordings,
    choose_recordings,
    measure_workers,
    read_seconds,
    window_seconds_by_batch_size,
)
from batchemo.errors import BatchemoError, UsageError
from batchemo.inference.settings import ModelSettings
from batchemo.sources import Recording, SourceOptions


def candidates(count: int, size: int = 100) -> list[Recording]:
    return [Recording("/data", f"{number:04d}.wav", size, 0) for number in range(count)]


def test_without_paths_synthetic_recordings_are_made_and_removed() -> None:
    with bench_recordings(SourceOptions()) as (recordings, too_large):
        paths = [Path(recording.path) for recording in recordings]
        assert len({path.read_bytes() for path in paths}) == len(paths) > 8
    assert not any(path.exists() for path in paths)
    assert too_large == 0


def test_some_of_many_are_chosen_evenly() -> None:
    chosen, too_large = choose_recordings(candidates(1000))
    assert len({recording.file for recording in chosen}) == MAX_RECORDINGS
    assert chosen[0].file == "0000.wav"
    assert chosen[-1].file > "0950.wav"
    assert too_large == 0


def test_all_of_a_few_are_chosen_without_those_too_large() -> None:
    hour = Recording("/data", "hour.wav", MAX_BYTES + 1, 0)
    chosen, too_large = choose_recordings([*candidates(3), hour])
    assert [recording.file for recording in chosen] == ["0000.wav", "0001.wav", "0002.wav"]
    assert too_large == 1


@pytest.mark.parametrize(
    ("recordings", "reason"),
    [([], "no recordings"), (candidates(2, MAX_BYTES + 1), "larger than")],
)
def test_no_suitable_recording_is_wrong_usage(recordings: list[Recording], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        choose_recordings(recordings)


def test_a_recording_that_does_not_exist_is_not_read(tmp_path: Path) -> None:
    write_voice(tmp_path / "a.wav")
    existing = Recording(str(tmp_path), "a.wav", 10, 0)
    assert read_seconds([existing, Recording(str(tmp_path), "gone.wav", None, None)]) > 0


@pytest.fixture
def voice(tmp_path: Path) -> Recording:
    size = write_voice(tmp_path / "a.wav").stat().st_size
    return Recording(str(tmp_path), "a.wav", size, 0)


def test_the_model_is_measured_at_every_batch_size(tiny_bundle: Bundle, voice: Recording) -> None:
    settings = ModelSettings(str(tiny_bundle.path))
    measured = window_seconds_by_batch_size(settings, [voice], 0.01)
    assert set(measured) == set(BATCH_SIZES)
    assert all(seconds > 0 for seconds in measured.values())


def test_recordings_that_cannot_be_decoded_are_no_input_for_the_model(
    tiny_bundle: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "broken.wav").write_text("not a recording")
    broken = Recording(str(tmp_path), "broken.wav", 15, 0)
    with pytest.raises(BatchemoError, match="none of these recordings could be decoded"):
        window_seconds_by_batch_size(ModelSettings(str(tiny_bundle.path)), [broken], 0.01)


@pytest.mark.process
def test_workers_are_measured_for_some_seconds(tiny_bundle: Bundle, voice: Recording) -> None:
    measured = measure_workers(ModelSettings(str(tiny_bundle.path)), [voice], 1, 0.1)
    assert measured.recordings > 0
    assert measured.audio_seconds == pytest.approx(1.5 * measured.recordings)
    assert measured.seconds > 0
    assert {"decode", "features", "model"} <= set(measured.stages)
    assert measured.failed == {}
