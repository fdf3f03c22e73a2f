"""What a program holds in memory is analysed like a file with the same content."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from voices import voice

import batchemo
from batchemo.errors import UsageError
from batchemo.inference.in_memory import as_floats


@pytest.fixture
def options(tiny_bundle: Any) -> dict[str, Any]:
    return {"model": tiny_bundle.path}


def stereo(seconds: float = 4.0) -> Any:
    return np.stack([voice(seconds, 16000, seed=1), voice(seconds, 16000, seed=2)], axis=1)


def without_names(table: Any) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in row.items() if name not in ("root", "file", "mtime")}
        for row in table.to_pylist()
    ]


@pytest.mark.parametrize(
    ("dtype", "subtype"), [("float32", "FLOAT"), ("int16", "PCM_16"), ("int32", "PCM_32")]
)
def test_samples_give_the_row_of_a_file(
    tmp_path: Path, options: dict[str, Any], dtype: str, subtype: str
) -> None:
    samples = stereo()
    if dtype != "float32":
        samples = (samples * np.iinfo(dtype).max).astype(dtype)
    samples = samples.astype(dtype)
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype=subtype)
    expected = without_names(batchemo.predict(tmp_path / "a.wav", **options))

    for given in (samples, samples.T, [samples]):
        table = batchemo.predict(given, sample_rate=16000, **options)
        assert without_names(table) == expected
    assert expected[0]["channels"] == 2
    assert table.to_pylist()[0]["file"] == "in memory 1"
    assert table.to_pylist()[0]["mtime"] is None


def test_bytes_and_file_objects_and_paths_can_be_mixed(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, stereo(2.0), 22050)
    content = path.read_bytes()
    with path.open("rb") as file:
        given = [path, content, bytearray(content), io.BytesIO(content), file]
        table = batchemo.predict(given, **options)

    rows = without_names(table)
    assert all(row == rows[0] for row in rows)
    assert rows[0]["status"] == "ok"
    names = [f"in memory {number}" for number in range(2, 6)]
    assert table["file"].to_pylist() == ["a.flac", *names]
    windows = batchemo.predict(content, segments=True, **options)
    assert set(windows["file"].to_pylist()) == {"in memory 1"}


def test_what_cannot_be_decoded_is_a_row_with_a_reason(options: dict[str, Any]) -> None:
    rows = batchemo.predict([b"no audio", b""], **options).to_pylist()
    assert [row["reason"] for row in rows] == ["not_audio", "empty"]


@pytest.mark.parametrize(
    ("given", "more", "message"),
    [
        (np.zeros(16000, np.float32), {}, "need their sample_rate"),
        (np.zeros(16000, np.float32), {"sample_rate": 0}, "sample_rate=0"),
        (np.zeros(16000, np.float32), {"sample_rate": True}, "sample_rate=True"),
        (np.zeros(16000, complex), {"sample_rate": 16000}, "samples are complex128"),
        (np.zeros((2, 2, 2), np.float32), {"sample_rate": 16000}, "have 3 axes"),
        (np.zeros((400, 400), np.float32), {"sample_rate": 16000}, "400 channels"),
        (b"RIFF", {"sample_rate": 16000}, "sample_rate is for samples"),
        (io.StringIO("text"), {}, "open as text"),
        ([1.0, 2.0], {}, "float: a recording is a path"),
        (7, {}, "int: a recording is a path"),
    ],
)
def test_what_is_no_recording_is_refused(
    options: dict[str, Any], given: Any, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        batchemo.predict(given, **more, **options)


def test_integers_become_floats_from_minus_one_to_one() -> None:
    assert as_floats(np.array([-(2**31), 2**30], np.int32)).ravel().tolist() == [-1.0, 0.5]
