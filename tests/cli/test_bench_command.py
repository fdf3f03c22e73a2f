"""The command measures for as long as it is told, and says what it found in words or as JSON."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from batchemo.bundles import Bundle

QUICK = ("--seconds", "0.5", "-j", "1")


def test_people_get_the_stages_the_pace_and_advice(
    batchemo: Callable[..., Any], tiny_bundle: Bundle
) -> None:
    ran = batchemo("bench", "-m", tiny_bundle.path, *QUICK)
    assert ran.code == 0
    assert ran.out.startswith("12 recordings made for this")
    for words in (
        "\nfeatures ",
        "\nprocesses ",
        "\nbatch size ",
        "\nbound by ",
        "\nbest here   -j 1",
    ):
        assert words in ran.out
    assert ran.err == ""


def test_machines_get_an_object(
    batchemo: Callable[..., Any], tiny_bundle: Bundle, voices: Path
) -> None:
    ran = batchemo("bench", voices, "-m", tiny_bundle.path, "--json", *QUICK)
    assert ran.code == 0
    found = json.loads(ran.out)
    assert found["model"] == "tiny"
    # One of them is no recording.
    assert (found["recordings"]["count"], found["recordings"]["failed"]) == (5, 1)
    assert {"decode", "resample", "gate", "features", "model", "rest"} <= set(found["stages_ms"])
    assert [pace["jobs"] for pace in found["processes"]] == [1]
    assert found["processes"][0]["recordings_per_second"] > 0
    assert found["reading_ms"] > 0
    assert found["best"]["jobs"] == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--seconds", "0.1"], "measuring takes from 0.5"),
        (["nowhere"], "nowhere"),
        (["-j", "none"], "neither a number"),
        (["--ext", "flac", "."], "no recordings"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(
    batchemo: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = batchemo("bench", *words)
    assert ran.code == 2
    assert told in ran.err
    assert ran.out == ""


def test_a_model_that_is_not_there_is_told(batchemo: Callable[..., Any]) -> None:
    ran = batchemo("bench", "-m", "no-such-model", *QUICK)
    assert ran.code == 2
    assert "no-such-model" in ran.err


def test_recordings_that_all_fail_are_told(
    batchemo: Callable[..., Any], tiny_bundle: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "broken.wav").write_text("not a recording\n")
    ran = batchemo("bench", tmp_path, "-m", tiny_bundle.path, *QUICK)
    assert ran.code == 1
    assert "none of these recordings could be heard" in ran.err


def test_it_stops_when_asked_to_and_leaves_no_worker(tiny_bundle: Bundle, voices: Path) -> None:
    code = "from batchemo.cli import main; main()"
    words = ["bench", str(voices), "-m", str(tiny_bundle.path), "-j", "1", "--seconds", "60"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    us = psutil.Process(process.pid)
    while not us.children(recursive=True):
        time.sleep(0.1)
    workers = us.children(recursive=True)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 143
    assert told == "batchemo: stopped by SIGTERM. Nothing was measured to its end\n"
    assert psutil.wait_procs(workers, timeout=10)[1] == []
