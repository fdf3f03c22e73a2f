"""Which recordings a bench hears."""

from __future__ import annotations

from pathlib import Path

import pytest
from voices import write_voice

from batchemo.diagnostics.throughput import (
    LARGEST,
    MOST,
    chosen,
    reading_time,
    recordings_for,
)
from batchemo.errors import UsageError
from batchemo.sources import Recording, SourceOptions


def found(count: int, size: int = 100) -> list[Recording]:
    return [Recording("/data", f"{number:04d}.wav", size, 0) for number in range(count)]


def test_without_any_it_makes_some_and_removes_them() -> None:
    with recordings_for(SourceOptions()) as (recordings, passed_over):
        paths = [Path(recording.path) for recording in recordings]
        assert len({path.read_bytes() for path in paths}) == len(paths) > 8
    assert not any(path.exists() for path in paths)
    assert passed_over == 0


def test_of_many_it_takes_some_from_everywhere() -> None:
    picked, passed_over = chosen(found(1000))
    assert len({recording.file for recording in picked}) == MOST
    assert picked[0].file == "0000.wav"
    assert picked[-1].file > "0950.wav"
    assert passed_over == 0


def test_it_takes_all_of_a_few_and_passes_over_large_ones() -> None:
    picked, passed_over = chosen([*found(3), Recording("/data", "hour.wav", LARGEST + 1, 0)])
    assert [recording.file for recording in picked] == ["0000.wav", "0001.wav", "0002.wav"]
    assert passed_over == 1


@pytest.mark.parametrize(
    ("recordings", "why"), [([], "no recordings"), (found(2, LARGEST + 1), "larger than")]
)
def test_it_says_why_it_cannot_measure(recordings: list[Recording], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        chosen(recordings)


def test_what_is_not_there_is_not_read(tmp_path: Path) -> None:
    write_voice(tmp_path / "a.wav")
    here = Recording(str(tmp_path), "a.wav", 10, 0)
    assert reading_time([here, Recording(str(tmp_path), "gone.wav", None, None)]) > 0
