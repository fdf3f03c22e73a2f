"""The log for machines: what happens, an event a line of JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from batchemo.batch.events import (
    Advanced,
    Event,
    RecordingFailed,
    Report,
    Started,
    Warned,
)
from batchemo.batch.options import STDOUT
from batchemo.cli import process
from batchemo.cli.process import Stopped
from batchemo.common.files import naming_errors
from batchemo.common.text import for_display
from batchemo.errors import UsageError

EVENT_NAMES: dict[type, str] = {
    Started: "started",
    Advanced: "advanced",
    RecordingFailed: "recording_failed",
    Warned: "warned",
    Report: "finished",
}


class JsonLog:
    """Appends every event to a file or standard output.

    The file is opened for the first event, which comes when the run holds its output: a run that
    is refused leaves the log of another as it is.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._stream: IO[str] | None = None

    def __call__(self, event: Event) -> None:
        """Take an event."""
        self.write(EVENT_NAMES[type(event)], _fields(event))

    def write(self, name: str, fields: dict[str, Any]) -> None:
        """Append a line."""
        if self._stream is None:
            self._stream = sys.stdout if self._target == STDOUT else _opened(self._target)
        with naming_errors(Path(self._target)):
            self._stream.write(json.dumps({"event": name, "time": _now(), **fields}) + "\n")
            self._stream.flush()

    def __enter__(self) -> JsonLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Tell of the signal that ended the run, if one did, and close the file."""
        if self._stream is None:
            return
        if isinstance(error, Stopped):
            self.write("stopped", {"signal": signal.Signals(error.number).name})
        if self._target != STDOUT:
            with naming_errors(Path(self._target)):
                self._stream.close()


def open_log(target: str, outputs: Iterable[str | None]) -> JsonLog:
    """Give the log that appends to `target`; a UsageError where that would harm another file."""
    if target == STDOUT:
        if process.output_is_closed():
            raise UsageError("--log-json - writes to standard output, which is closed")
        if STDOUT in outputs:
            raise UsageError("-o - and --log-json - cannot both write to standard output")
        return JsonLog(target)
    path, shown = Path(target), for_display(target)
    if any(output and os.path.realpath(output) == os.path.realpath(path) for output in outputs):
        raise UsageError(f"--log-json {shown}: that is an output of this command: name another")
    if path.is_dir():
        raise UsageError(f"--log-json {shown}: that is a folder: name a file in it")
    if not path.parent.is_dir():
        raise UsageError(f"--log-json {shown}: there is no such folder; make it first")
    if path.is_file() and not _could_be_log(path):
        raise UsageError(f"--log-json {shown}: it exists and is no log of batchemo's: name another")
    return JsonLog(target)


def _opened(target: str) -> IO[str]:
    return open(target, "a", encoding="utf-8")


def _could_be_log(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(1) in (b"", b"{")


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _fields(event: Event) -> dict[str, Any]:
    if not isinstance(event, Report):
        return dataclasses.asdict(event)
    fields = {f.name: getattr(event, f.name) for f in dataclasses.fields(event)}
    del fields["summary"]
    return fields | {
        "exit_code": event.exit_code,
        "failed": event.failed,
        "emotions": {k: c.recordings for k, c in event.summary.by_outcome("ok").items()},
        "reasons": {k: c.recordings for k, c in event.summary.by_outcome("failed").items()},
    }
