"""The event log for programs: one JSON object a line.

Every line has `event`, `time` (UTC, with milliseconds), `run` (an identifier of the run), `host`,
`pid` and `version`, and then the fields of the event:

    started            model, workers, output, known
    progress           done, failed, found, kept, all_found, seconds, bytes_done, bytes_found,
                       positions: root, file, size, position, duration of long recordings
    recording_failed   root, file, reason, detail, new
    finished           the fields of the report, exit_code, emotions and reasons with their counts
    stopped            signal
    locked             message: another run holds the output, so this one was skipped or refused
    error              message, exit_code: the run failed
    dry_run            the counts and examples of each state
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import IO, Any
from uuid import uuid4

from batchemo import __version__
from batchemo.batch.events import Event, Progressed, RecordingFailed, Report, Started
from batchemo.batch.options import STDOUT
from batchemo.cli import process
from batchemo.cli.process import Stopped
from batchemo.common.files import naming_errors
from batchemo.common.text import for_display
from batchemo.errors import BatchemoError, LockedError, UsageError

EVENT_NAMES: dict[type, str] = {
    Started: "started",
    Progressed: "progress",
    RecordingFailed: "recording_failed",
    Report: "finished",
}

POSITIONS_INTERVAL = 30.0
"""Seconds after which a line is written although no chunk of recordings was finished."""


class JsonLog:
    """Appends every event to a file or standard output.

    The file is opened at the first event: a command that makes no sense leaves it unchanged.
    Several runs may append to it, each whole lines.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._run = {
            **{"run": uuid4().hex[:12], "host": socket.gethostname()},
            **{"pid": os.getpid(), "version": __version__},
        }
        self._stream: IO[str] | None = None
        self._done = 0
        self._progress_at = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Append an event; of positions in long recordings only now and then."""
        if isinstance(event, Progressed):
            now = time.monotonic()
            if event.done == self._done and now - self._progress_at < POSITIONS_INTERVAL:
                return
            self._done, self._progress_at = event.done, now
        self.write(EVENT_NAMES[type(event)], _event_fields(event))

    def write(self, name: str, fields: dict[str, Any]) -> None:
        """Append a line."""
        if self._stream is None:
            self._stream = sys.stdout if self._target == STDOUT else _open(self._target)
        event = {"event": name, "time": _now(), **self._run, **fields}
        with naming_errors(Path(self._target)):
            self._stream.write(json.dumps(event) + "\n")
            # Whoever follows the log sees each event when it happens, and a kill loses none.
            self._stream.flush()

    def __enter__(self) -> JsonLog:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Append what ended the run, if it did not end well, and close the file."""
        if isinstance(error, Stopped) and self._stream is not None:
            self.write("stopped", {"signal": signal.Signals(error.number).name})
        elif isinstance(error, LockedError):
            self.write("locked", {"message": str(error)})
        elif isinstance(error, BatchemoError) and not isinstance(error, UsageError):
            self.write("error", {"message": str(error), "exit_code": error.exit_code})
        if self._stream is None:
            return
        if self._target != STDOUT:
            with naming_errors(Path(self._target)):
                self._stream.close()


def open_log(target: str, outputs: Iterable[str | None]) -> JsonLog:
    """Return the log that appends to `target`; refuse targets that would damage another file."""
    if target == STDOUT:
        if process.stdout_is_closed():
            raise UsageError("--log-json - writes to standard output, which is closed")
        if STDOUT in outputs:
            raise UsageError("-o - and --log-json - cannot both write to standard output")
        return JsonLog(target)
    path, shown = Path(target), for_display(target)
    if any(output and os.path.realpath(output) == os.path.realpath(path) for output in outputs):
        raise UsageError(f"--log-json {shown}: is an output of this command: name another file")
    if path.is_dir():
        raise UsageError(f"--log-json {shown}: is a folder: name a file in it")
    if not path.parent.is_dir():
        raise UsageError(f"--log-json {shown}: there is no such folder: create it first")
    if path.is_file() and not _may_be_log(path):
        raise UsageError(
            f"--log-json {shown}: exists and is not a log of batchemo: name another file"
        )
    return JsonLog(target)


def _may_be_log(path: Path) -> bool:
    """Return whether a file is empty or starts as a line of JSON does."""
    with path.open("rb") as stream:
        return stream.read(1) in (b"", b"{")


def _open(target: str) -> IO[str]:
    return open(target, "a", encoding="utf-8")


def _now() -> str:
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    return now.removesuffix("+00:00") + "Z"


def _event_fields(event: Event) -> dict[str, Any]:
    if not isinstance(event, Report):
        return dataclasses.asdict(event)
    # Not `asdict`, which would also convert the counts of the summary.
    fields = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
    del fields["summary"]
    return fields | {
        "exit_code": event.exit_code,
        "failed": event.failed,
        "emotions": {
            kind: count.recordings for kind, count in event.summary.by_outcome("ok").items()
        },
        "reasons": {
            kind: count.recordings for kind, count in event.summary.by_outcome("failed").items()
        },
    }
