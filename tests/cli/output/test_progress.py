"""Failures are printed one by one up to a limit, missing recordings in one line."""

from __future__ import annotations

import io
from contextlib import suppress

import pytest

from batchemo.batch.events import Progressed, RecordingFailed
from batchemo.cli.output.progress import MAX_FAILURES_SHOWN, FailurePrinter, live_display


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
        (300_000, "300,000 recordings are missing: 0.wav, 1.wav, 2.wav, …"),
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
