"""`batchemo bench`: the measurements as text and JSON, wrong usage, and signals."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from command_line import COMMAND

from batchemo.bundles import Bundle

pytestmark = pytest.mark.process

QUICK = ("--seconds", "0.5", "-j", "1")


def test_text_has_stages_speed_and_advice(
    batchemo: Callable[..., Any], tiny_bundle: Bundle
) -> None:
    ran = batchemo("bench", "-m", tiny_bundle.path, *QUICK)
    assert ran.code == 0
    assert ran.out.startswith("12 synthetic recordings")
    for line in (
        "\nfeatures ",
        "\nprocesses ",
        "\nbatch size ",
        "\nlimited by ",
        "\nbest here   -j 1",
    ):
        assert line in ran.out
    assert ran.err == ""


def test_json_has_all_measurements(
    batchemo: Callable[..., Any], tiny_bundle: Bundle, voices: Path
) -> None:
    ran = batchemo("bench", voices, "-m", tiny_bundle.path, "--json", *QUICK)
    assert ran.code == 0
    found = json.loads(ran.out)
    assert found["model"] == "tiny"
    # One of the files is not audio.
    assert (found["recordings"]["count"], found["recordings"]["failed"]) == (5, 1)
    assert {"decode", "resample", "vad", "features", "model", "rest"} <= set(found["stages_ms"])
    assert [pace["jobs"] for pace in found["processes"]] == [1]
    assert found["processes"][0]["recordings_per_second"] > 0
    assert found["reading_ms"] > 0
    assert found["best"]["jobs"] == 1


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--seconds", "0.1"], "measuring takes from 0.5"),
        (["nowhere"], "nowhere"),
        (["-j", "none"], "neither a number"),
        (["--ext", "flac", "."], "no recordings"),
    ],
)
def test_wrong_usage_is_refused(
    batchemo: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    args: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = batchemo("bench", *args)
    assert ran.code == 2
    assert message in ran.err
    assert ran.out == ""


def test_unknown_model_is_named(batchemo: Callable[..., Any]) -> None:
    ran = batchemo("bench", "-m", "no-such-model", *QUICK)
    assert ran.code == 2
    assert "no-such-model" in ran.err


def test_recordings_that_all_fail_are_a_failure(
    batchemo: Callable[..., Any], tiny_bundle: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "broken.wav").write_text("not a recording\n")
    ran = batchemo("bench", tmp_path, "-m", tiny_bundle.path, *QUICK)
    assert ran.code == 1
    assert "none of these recordings could be decoded" in ran.err


def test_signal_stops_it_and_its_workers(tiny_bundle: Bundle, voices: Path) -> None:
    args = ["bench", str(voices), "-m", str(tiny_bundle.path), "-j", "1", "--seconds", "12"]
    process = subprocess.Popen(
        [*COMMAND, *args],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    parent = psutil.Process(process.pid)
    while not parent.children(recursive=True):
        time.sleep(0.1)
    workers = parent.children(recursive=True)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143
    assert errors == "batchemo: stopped by SIGTERM. The measurement was not finished\n"
    assert psutil.wait_procs(workers, timeout=10)[1] == []
