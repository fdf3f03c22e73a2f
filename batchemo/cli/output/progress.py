"""Listeners of a scan, each a function of an event: a live display, or plain lines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from batchemo.batch.events import (
    Advanced,
    Event,
    EventHandler,
    RecordingFailed,
    Warned,
)
from batchemo.cli.output.format import NARROW, clock
from batchemo.common.text import for_display

FAILURES_TOLD = 20
"""So many failures are told one by one; the table has them all."""


def everyone(listeners: list[EventHandler]) -> EventHandler:
    """Make one listener of several."""

    def listen(event: Event) -> None:
        for listener in listeners:
            listener(event)

    return listen


class Plain:
    """Writes warnings, the first failures among them, to standard error."""

    def __init__(self) -> None:
        self._failures = 0

    def __call__(self, event: Event) -> None:
        """Take an event."""
        if isinstance(event, Warned):
            warn(event.text)
        elif isinstance(event, RecordingFailed):
            self._failures += 1
            if self._failures <= FAILURES_TOLD:
                warn(failure_line(event))
            elif self._failures == FAILURES_TOLD + 1:
                warn("more recordings failed; the table has them all, with their reasons")


def failure_line(event: RecordingFailed) -> str:
    """Say in a line what failed and why."""
    return f"{for_display(event.file)}: {event.reason}: {for_display(event.detail)}"


def warn(text: str) -> None:
    """Write a warning to standard error."""
    click.echo(f"batchemo: warning: {for_display(text)}", err=True)


@contextmanager
def live(stream: IO[str]) -> Iterator[EventHandler]:
    """Show a bar that moves: files, hours of sound, speed, time left, failures."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    console = Console(file=stream)
    files, speed, left = (TextColumn(f"{{task.fields[{n}]}}") for n in ("files", "speed", "left"))
    columns: list[ProgressColumn] = [files, left]
    if console.width >= NARROW:
        columns = [SpinnerColumn(), files, BarColumn(), speed, TimeElapsedColumn(), left]
    began = time.monotonic()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None, files="looking for recordings", speed="", left="")

        def listen(event: Event) -> None:
            if isinstance(event, (RecordingFailed, Warned)):
                told = event.text if isinstance(event, Warned) else failure_line(event)
                console.print(for_display(told), style="yellow", markup=False, highlight=False)
            elif isinstance(event, Advanced):
                total = event.bytes_found if event.all_found else None
                progress.update(task, completed=event.bytes_done, total=total, **_words(event))

        def _words(event: Advanced) -> dict[str, Any]:
            elapsed = time.monotonic() - began
            known = f"{event.found:,}" if event.all_found else f"{event.found:,}+"
            failed = f", {event.failed:,} failed" if event.failed else ""
            return {
                "files": f"{event.done:,}/{known} files{failed}",
                "speed": f"{event.seconds / 3600:.2f} h, {event.seconds / elapsed:,.0f}× real time",
                "left": _left(event, elapsed),
            }

        yield listen


def _left(event: Advanced, elapsed: float) -> str:
    if not event.all_found or not event.bytes_done:
        return ""
    left = elapsed * (event.bytes_found - event.bytes_done) / event.bytes_done
    return f"{clock(left)} left"
