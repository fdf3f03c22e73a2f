"""Handlers for the events of a scan: a live display on a terminal, plain warnings elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from batchemo.batch.events import (
    Event,
    EventHandler,
    Progressed,
    RecordingFailed,
    ignore_event,
)
from batchemo.cli.output.format import NARROW, clock
from batchemo.common.text import counted, for_display

MAX_FAILURES_SHOWN = 20
"""Failures that are printed one by one; the table has them all."""
_MISSING_SHOWN = 3
"""Names of missing recordings that are printed, in one line for all."""


@contextmanager
def progress_display(quiet: bool) -> Iterator[EventHandler]:
    """Yield the handler that suits standard error: none, a live display, or plain lines."""
    if quiet:
        yield ignore_event
    elif sys.stderr.isatty():
        with live_display(sys.stderr) as on_event:
            yield on_event
    else:
        with FailurePrinter() as printer:
            yield printer


def combine_handlers(handlers: list[EventHandler]) -> EventHandler:
    """Return one event handler that calls several, in their order."""

    def on_event(event: Event) -> None:
        for handler in handlers:
            handler(event)

    return on_event


class FailurePrinter:
    """Prints the first failures, and in the end one line for all recordings that are missing."""

    def __init__(self, show: Callable[[str], None] | None = None) -> None:
        self._show = show or warn
        self._failures = 0
        self._missing = 0
        self._missing_names: list[str] = []

    def __enter__(self) -> FailurePrinter:
        return self

    def __exit__(self, *_: object) -> None:
        """Print the line for the missing recordings, also of a run that was stopped."""
        if self._missing:
            more = ", …" if self._missing > len(self._missing_names) else ""
            verb = "is" if self._missing == 1 else "are"
            number = counted(self._missing, "recording")
            self._show(f"{number} {verb} missing: {', '.join(self._missing_names)}{more}")

    def __call__(self, event: Event) -> None:
        """Handle an event."""
        if not isinstance(event, RecordingFailed):
            return
        if event.reason == "missing":
            # Thousands, where a manifest names files of a disk that is not there.
            self._missing += 1
            if self._missing <= _MISSING_SHOWN:
                self._missing_names.append(for_display(event.file))
            return
        self._failures += 1
        if self._failures <= MAX_FAILURES_SHOWN:
            self._show(failure_message(event))
        elif self._failures == MAX_FAILURES_SHOWN + 1:
            self._show("more recordings failed; the table has them all, with their reasons")


def failure_message(event: RecordingFailed) -> str:
    """Return one line that says which recording failed and why."""
    return f"{for_display(event.file)}: {event.reason}: {for_display(event.detail)}"


def warn(text: str) -> None:
    """Print a warning to standard error."""
    click.echo(f"batchemo: warning: {for_display(text)}", err=True)


@contextmanager
def live_display(stream: IO[str]) -> Iterator[EventHandler]:
    """Show a progress bar with recordings, hours of audio, speed, time left and failures."""
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
    counts, speed, left = (
        TextColumn(f"{{task.fields[{name}]}}") for name in ("counts", "speed", "left")
    )
    columns: list[ProgressColumn] = [counts, left]
    if console.width >= NARROW:
        columns = [SpinnerColumn(), counts, BarColumn(), speed, TimeElapsedColumn(), left]
    started = time.monotonic()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(
            "", total=None, counts="searching for recordings", speed="", left=""
        )

        def show(message: str) -> None:
            console.print(message, style="yellow", markup=False, highlight=False)

        def on_event(event: Event) -> None:
            print_failure(event)
            if isinstance(event, Progressed):
                # By bytes, not by recordings: their lengths may differ a thousandfold.
                total = event.bytes_found if event.all_found else None
                fields = _progress_fields(event, time.monotonic() - started)
                progress.update(task, completed=event.bytes_done, total=total, **fields)

        with FailurePrinter(show) as print_failure:
            yield on_event


def _progress_fields(event: Progressed, elapsed: float) -> dict[str, Any]:
    """Return the texts of the live display."""
    found = f"{event.found:,}" if event.all_found else f"{event.found:,}+"
    failed = f", {event.failed:,} failed" if event.failed else ""
    left = ""
    if event.all_found and event.bytes_done:
        remaining = elapsed * (event.bytes_found - event.bytes_done) / event.bytes_done
        left = f"{clock(remaining)} left"
    return {
        "counts": f"{event.done:,}/{found} recordings{failed}",
        "speed": f"{event.seconds / 3600:.2f} h, {event.seconds / elapsed:,.0f}× real time",
        "left": left,
    }
