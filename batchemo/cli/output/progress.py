"""What shows how far a command is: a live display on a terminal, plain warnings elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import click

from batchemo.batch.events import (
    Event,
    EventHandler,
    Progressed,
    RecordingFailed,
    Started,
    ignore_event,
)
from batchemo.cli.output.format import NARROW, clock
from batchemo.common.text import counted, for_display
from batchemo.workers.heartbeat import POSITION_INTERVAL, RecordingPosition

if TYPE_CHECKING:
    from rich.text import Text

MAX_FAILURES_SHOWN = 20
"""Failures that are printed one by one; the table has them all."""
_MISSING_SHOWN = 3
"""Names of missing recordings that are printed, in one line for all."""
_POSITIONS_SHOWN = 3
"""Long recordings of which the position is shown, each in a line of its own."""


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
    """Return one line that says which recording, or turn of one, failed and why."""
    times = "" if event.start is None else f" {event.start:g}-{event.end:g} s"
    return f"{for_display(event.file)}{times}: {event.reason}: {for_display(event.detail)}"


def warn(text: str) -> None:
    """Print a warning to standard error."""
    click.echo(f"batchemo: warning: {for_display(text)}", err=True)


@contextmanager
def live_display(stream: IO[str]) -> Iterator[EventHandler]:
    """Show a progress bar with recordings, hours of audio, speed, time left and failures.

    Below it are the positions in the longest of the recordings that are worked on.
    """
    from rich.console import Console, Group
    from rich.live import Live
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
    progress = Progress(*columns, console=console)
    task = progress.add_task("", total=None, counts="searching for recordings", speed="", left="")
    lines: list[Text] = []
    with Live(
        get_renderable=lambda: Group(progress, *lines),
        console=console,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # A log that goes elsewhere must get there.
    ):

        def show(message: str) -> None:
            console.print(message, style="yellow", markup=False, highlight=False)

        def on_event(event: Event) -> None:
            print_failure(event)
            if isinstance(event, Started):
                progress.update(task, counts="analysing")
            if isinstance(event, Progressed):
                # By bytes, not by recordings: their lengths may differ a thousandfold.
                total = event.bytes_found if event.all_found else None
                # A recording that is read counts as soon as it has a position, and then not until
                # the rest of its chunk is done: the bar never goes back.
                done = max(progress.tasks[task].completed, event.bytes_read)
                fields = _progress_fields(event, done, time.monotonic() - started)
                progress.update(task, completed=done, total=total, **fields)
                lines[:] = map(_position_line, event.most_left[:_POSITIONS_SHOWN])

        with FailurePrinter(show) as print_failure:
            yield on_event


class PositionDisplay:
    """Shows the position in a recording that takes longer than a second, if on a terminal.

    Call `clear` before anything is printed.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._width = 0
        """Of the line that is shown."""
        self._shown_at = time.monotonic()

    def __enter__(self) -> PositionDisplay:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def __call__(self, position: RecordingPosition) -> None:
        """Show the position, if it is time."""
        now = time.monotonic()
        if not self._is_terminal or now - self._shown_at < POSITION_INTERVAL:
            return
        self._shown_at = now
        from rich.cells import set_cell_size
        from rich.console import Console

        self._width = Console(file=self._stream).width - 1
        self._write(set_cell_size(str(position), self._width))

    def clear(self) -> None:
        """Remove the line; the next recording starts now."""
        if self._width:
            self._write(" " * self._width)
            self._write("")
            self._width = 0
        self._shown_at = time.monotonic()

    def _write(self, line: str) -> None:
        # Not rich's live display, which hides the cursor: a decoder that kills this process would
        # leave it hidden.
        self._stream.write(f"\r{line}")
        self._stream.flush()


def _position_line(position: RecordingPosition) -> Text:
    from rich.text import Text

    return Text(f"  {position}", style="dim", no_wrap=True, overflow="ellipsis")


def _progress_fields(event: Progressed, bytes_read: float, elapsed: float) -> dict[str, Any]:
    """Return the texts of the live display."""
    seconds = event.seconds_read
    found = f"{event.found:,}" if event.all_found else f"{event.found:,}+"
    failed = f", {event.failed:,} failed" if event.failed else ""
    left = ""
    if event.all_found and bytes_read:
        remaining = elapsed * (event.bytes_found - bytes_read) / bytes_read
        left = f"{clock(remaining)} left"
    return {
        "counts": f"{event.done:,}/{found} recordings{failed}",
        "speed": f"{seconds / 3600:.2f} h, {seconds / elapsed:,.0f}× real time",
        "left": left,
    }
