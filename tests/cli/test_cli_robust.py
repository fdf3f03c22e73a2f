"""Wrong words are told as such, and what is told is true on any terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from terminal import in_a_terminal
from voices import write_voice

from batchemo.batch.events import Report
from batchemo.bundles import Bundle
from batchemo.cli.output.scan_report import final_line, remarks, warnings
from batchemo.tables.summary import Summary

RowRange = Callable[..., object]


@pytest.fixture
def scan(batchemo: RowRange, voices: Path, tiny_bundle: Bundle, tmp_path: Path) -> RowRange:
    """Scans the voices into r.parquet, with more words."""

    def run(*words: object) -> object:
        out = tmp_path / "r.parquet"
        return batchemo("scan", voices, "-m", tiny_bundle.path, "-j", "1", "-o", out, *words)

    return run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-m", "nope"], "there is no such model"),
        (["-m", "/"], "holds no bundle.json"),
        (["--batch-size", "4097"], "1<=x<=4096"),
        (["-j", "1025"], "no more than 1024"),
        (["-j", "9" * 5000], "neither a number"),
        (["--timeout", "1001d"], "no more than 1000d"),
        (["--min-age", "9" * 400], "no more than 1000d"),
        (["--channel", "left"], "write mix, or a number"),
        (["--channel", "-1"], "write mix, or a number"),
        (["--channel", "\u0663"], "write mix, or a number"),
    ],
)
def test_wrong_usage_is_exit_code_2(scan, tmp_path, words, said):
    ran = scan(*words)
    assert ran.code == 2
    assert said in ran.err
    assert not (tmp_path / "r.parquet").exists()


def test_a_channel_is_checked_for_features_too(batchemo, voices, tmp_path):
    ran = batchemo(
        "features", voices, "-o", tmp_path / "f.csv", "--recipe", "mfcc40", "--channel", "x"
    )
    assert (ran.code, "write mix, or a number" in ran.err) == (2, True)


def test_a_damaged_bundle_is_no_wrong_usage(scan, tiny_bundle):
    (tiny_bundle.path / "bundle.json").write_text("{")
    assert scan().code == 1


@pytest.mark.parametrize("command", ["scan", "features"])
def test_nothing_found_is_told_with_what_to_look_for(batchemo, tiny_bundle, tmp_path, command):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.flac").touch()
    how = ["-m", tiny_bundle.path] if command == "scan" else ["--recipe", "mfcc40"]

    def run(*words):
        return batchemo(
            command, tmp_path / "in", *how, "--overwrite", "-o", tmp_path / "r.csv", *words
        )

    ran = run("--ext", "wav,mp3")
    assert ran.code == 0
    assert "no recordings were found. Folders are searched for wav, mp3; --ext audio" in ran.err
    assert run("-q").err == ""
    found = run("--ext", "audio")
    assert "no recordings were found" not in found.err


def test_a_dry_run_stops_where_the_scan_would(scan):
    assert scan("--limit", "2").code == 0
    shown = scan("--update", "--limit", "1", "--dry-run").out
    assert "new       1 recording" in shown
    assert "unchanged 2 recordings" in shown
    assert "stopped at the limit" in shown


def report(**told: object) -> Report:
    standard = {
        **{"output": None, "model": "m", "summary": Summary(), "problems": (), "stages": {}},
        **dict.fromkeys(("analysed", "kept", "left_over", "pruned", "young"), 0),
        **dict.fromkeys(("duplicates", "hidden", "links"), 0),
        **{"sound": 1.0, "elapsed": 1.0},
    }
    return Report(**{**standard, **told})


def test_the_final_line_tells_what_became_of_every_row():
    line = final_line(report(analysed=1, kept=4, pruned=3, left_over=2, limited=True))
    for told in (
        "1 recording analysed",
        "4 kept from earlier runs",
        "3 rows dropped of vanished recordings",
        "2 kept of recordings that are not among the sources",
        "stopped at the limit",
    ):
        assert told in line
    assert remarks(report(analysed=1)) == []


def test_what_could_not_be_reached_is_warned_of():
    told = warnings(report(unreachable=2, empty_roots=("/mnt/a\n",)), ("wav",))
    assert told == [
        "/mnt/a\\x0a is not there or empty: its rows are kept; --overwrite begins anew",
        "2 recordings could not be reached; their earlier rows are kept",
    ]


@pytest.mark.parametrize("command", ["scan", "predict"])
def test_on_a_narrow_terminal_bars_go_and_words_stay(voices, tiny_bundle, tmp_path, command):
    words = [command, voices / "anna" / "one.wav", "-m", tiny_bundle.path]
    words += ["-o", tmp_path / "r.parquet"] if command == "scan" else []
    shown = in_a_terminal(words, columns=40, errors=False)
    assert "█" not in shown
    assert any(f"{label} " in shown for label in tiny_bundle.labels)
    assert all(len(line) <= 40 for line in shown.splitlines() if "0." in line)


def test_a_terminal_of_plain_ascii_gets_what_it_can_show(voices, tiny_bundle, tmp_path):
    words = ["scan", voices, "-m", tiny_bundle.path, "-o", tmp_path / "r.parquet"]
    shown = in_a_terminal(words, errors=False, PYTHONIOENCODING="ascii")
    assert "Traceback" not in shown
    assert "slowest stage" in shown
    assert pq.read_metadata(tmp_path / "r.parquet").num_rows == 5


def test_too_short_is_told_with_digits_enough_to_be_true(batchemo, tiny_bundle, tmp_path):
    write_voice(tmp_path / "a.wav", seconds=3999 / 16000, rate=16000)
    shown = batchemo("predict", tmp_path / "a.wav", "-m", tiny_bundle.path).out
    assert "0.249938 s; the least is 0.25 s" in shown
