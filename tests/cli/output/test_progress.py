"""Failures and missing recordings are printed in a few lines; a terminal shows how far it is."""

from __future__ import annotations

import io
import sys
from contextlib import suppress

import pytest
from terminal import without_escapes

from batchemo.batch.events import Event, Progressed, RecordingFailed, Started
from batchemo.cli.output import progress
from batchemo.cli.output.progress import (
    MAX_FAILURES_SHOWN,
    FailurePrinter,
    PositionDisplay,
    live_display,
)
from batchemo.workers.heartbeat import RecordingPosition


def failed(name: str, reason: str) -> RecordingFailed:
    return RecordingFailed("/data", name, reason, "no such file", True)


def printed_for(*events: RecordingFailed) -> list[str]:
    lines: list[str] = []
    with FailurePrinter(lines.append) as on_event:
        for event in events:
            on_event(event)
    return lines


def test_other_failures_are_printed_one_by_one_up_to_a_limit() -> None:
    lines = printed_for(*(failed(f"{number}.wav", "silent") for number in range(1000)))
    assert len(lines) == MAX_FAILURES_SHOWN + 1
    assert lines[0] == "0.wav: silent: no such file"
    assert "the table has them all" in lines[-1]


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (1, "1 recording is missing: 0.wav"),
        (3, "3 recordings are missing: 0.wav, 1.wav, 2.wav"),
        (3_000, "3,000 recordings are missing: 0.wav, 1.wav, 2.wav, …"),
    ],
)
def test_missing_recordings_make_one_line(number: int, line: str) -> None:
    assert printed_for(*(failed(f"{i}.wav", "missing") for i in range(number))) == [line]


def test_missing_recordings_are_printed_for_a_run_that_was_stopped_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with suppress(KeyboardInterrupt), FailurePrinter() as on_event:
        on_event(failed("a\n.wav", "missing"))
        raise KeyboardInterrupt
    assert capsys.readouterr().err == "batchemo: warning: 1 recording is missing: a\\x0a.wav\n"


def test_a_terminal_gets_the_same_lines() -> None:
    stream = io.StringIO()
    with live_display(stream) as on_event:
        for number in range(1000):
            on_event(failed(f"{number}.wav", "missing"))
            on_event(failed(f"{number}.wav", "silent"))
        on_event(Progressed(2000, 2000, 2000, 0, True, 1.0, 1, 1))
    text = stream.getvalue()
    assert "1,000 recordings are missing: 0.wav, 1.wav, 2.wav, …" in text
    assert text.count("no such file") == MAX_FAILURES_SHOWN


class Terminal(io.StringIO):
    """A terminal that keeps what it is sent."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    return Terminal()


def shown_after(terminal: Terminal, *events: Event) -> str:
    """Return the last of what the live display showed."""
    with live_display(terminal) as on_event:
        for event in events:
            on_event(event)
    return without_escapes(terminal.getvalue())


def position(file: str, at: float, duration: float | None = 7200.0) -> RecordingPosition:
    return RecordingPosition("/data", file, 1000, at, duration)


def progressed(*positions: RecordingPosition, done: int = 0) -> Progressed:
    return Progressed(done, 0, 4, 0, True, 7200.0 * done, 1000 * done, 4000, positions)


def test_terminal_shows_the_positions_in_the_recordings_with_the_most_left(
    terminal: Terminal,
) -> None:
    positions = [position(f"{hour}.wav", 3600 * hour, 36000.0) for hour in range(1, 5)]
    text = shown_after(terminal, progressed(*positions[::-1]))
    assert text.index("1:00:00 of 10:00:00  1.wav") < text.index("3:00:00 of 10:00:00  3.wav")
    assert "4.wav" not in text


def test_a_long_name_leaves_the_numbers_of_a_position(terminal: Terminal) -> None:
    text = shown_after(terminal, progressed(position("long" * 100, 2480.0)))
    assert "  0:41:20 of 2:00:00  longlong" in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_bar_counts_positions_and_never_goes_back(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # Room for a bar of 40 columns.
    half, next_one = position("a.wav", 3600.0), position("b.wav", 72.0)
    text = shown_after(terminal, progressed(half), progressed(next_one))
    assert " ━━━━━╺" in text, "an eighth of it, for half of one of four recordings"
    assert "b.wav" in text


def test_a_run_that_has_begun_no_longer_searches(terminal: Terminal) -> None:
    text = shown_after(terminal, Started("tiny", 2, "r.parquet", 0))
    assert "analysing" in text
    assert "searching" not in text.splitlines()[-1]


def test_what_is_printed_elsewhere_than_on_the_terminal_gets_there(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    with live_display(terminal):
        sys.stdout.write("a line of the log\n")
    assert capsys.readouterr().out == "a line of the log\n"


def test_the_position_in_a_single_recording_is_one_line_once_a_second(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with PositionDisplay(terminal) as display:
        for _ in range(5):
            display(position("a.wav", 60 * (now - 100)))
            now += 0.5
        display.clear()
        display(position("b.wav", 1.0))
    lines = [line.rstrip() for line in terminal.getvalue().split("\r")]
    assert lines == ["", "0:01:00 of 2:00:00  a.wav", "0:02:00 of 2:00:00  a.wav", "", ""]


def test_the_position_in_a_single_recording_is_shown_on_terminals_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.StringIO()
    with PositionDisplay(stream) as display:
        monkeypatch.setattr(progress, "POSITION_INTERVAL", 0.0)
        display(position("a.wav", 60.0))
    assert stream.getvalue() == ""
