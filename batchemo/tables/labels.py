r"""The answers of reviewers, in a CSV file that is only ever appended to.

    root,file,start,end,label,reviewer,shown,time
    /data,a.wav,,,happy,anna,,2026-01-31T12:00:00.000Z         an answer for a whole recording
    /data,b.wav,1.5,4.5,sad,ben,happy,2026-01-31T12:00:02.…    for a window; a prediction was shown
    /data,a.wav,,,,anna,,2026-01-31T12:00:03.000Z              anna takes her answer back

The last line of a reviewer for a recording counts; one without a label takes the answer back.
`shown` is the prediction that the reviewer had seen before the answer, empty for a blind one.

One answer is one line, written at once and synced before anybody is told that it is kept; an end
of line in a name is written as `\x0a`. So several processes may append at the same time, a kill
loses nothing that was confirmed, and what a power cut leaves of a line spoils no other line. As in
all tables, a cell that a spreadsheet could take for a formula begins with a quote.
"""

from __future__ import annotations

import csv
import fcntl
import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, field, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from batchemo.common.files import naming_errors, sync, sync_folder
from batchemo.common.text import for_display
from batchemo.errors import UsageError
from batchemo.tables.write import escape_formula, unescape_formula

UNSURE = "unsure"
"""The label of a recording whose emotion the reviewer could not tell."""
NO_SPEECH = "no_speech"
"""The label of a recording in which nobody speaks."""

REQUIRED = ("root", "file", "label")
"""The columns without which a file has no labels."""


class Key(NamedTuple):
    """What an answer is about: a recording or, with times in seconds, a part of it."""

    root: str
    file: str
    start: float | None = None
    end: float | None = None


def key_of(root: str, file: str, start: float | None = None, end: float | None = None) -> Key:
    """Return the key of a recording or a window; times are equal to the millisecond.

    >>> key_of("/data", "a.wav", 1.50004, 3.0)
    Key(root='/data', file='a.wav', start=1.5, end=3.0)
    """
    return Key(
        root,
        file,
        None if start is None else round(start, 3),
        None if end is None else round(end, 3),
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """One line: what a reviewer said about a recording, or (without a label) takes back."""

    root: str
    file: str
    start: float | None
    end: float | None
    label: str
    reviewer: str = ""
    shown: str = ""
    time: str = ""

    @property
    def key(self) -> Key:
        """The recording or window that it is about."""
        return key_of(self.root, self.file, self.start, self.end)


COLUMNS = tuple(each.name for each in fields(Answer))


@dataclass(slots=True)
class Labels:
    """All answers of a file, in its order, and what could not be read."""

    answers: list[Answer] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def current(self) -> dict[Key, dict[str, str]]:
        """Return what counts: for each recording, the last label of each reviewer.

        >>> said = [("happy", "anna"), ("sad", "anna"), ("sad", "ben"), ("", "ben")]
        >>> answers = [Answer("/data", "a.wav", None, None, *each) for each in said]
        >>> Labels(answers).current()[key_of("/data", "a.wav")]
        {'anna': 'sad'}
        """
        return {
            key: {reviewer: answer.label for reviewer, answer in by_reviewer.items()}
            for key, by_reviewer in self.current_answers().items()
        }

    def current_answers(self) -> dict[Key, dict[str, Answer]]:
        """Return the last answer of each reviewer for each recording, without those taken back."""
        found: dict[Key, dict[str, Answer]] = {}
        for answer in self.answers:
            by_reviewer = found.setdefault(answer.key, {})
            # A later answer stands last, also where it replaces one.
            by_reviewer.pop(answer.reviewer, None)
            if answer.label:
                by_reviewer[answer.reviewer] = answer
        return {key: by_reviewer for key, by_reviewer in found.items() if by_reviewer}

    def agreed(self) -> dict[Key, str]:
        """Return one label for each recording: that of most of its reviewers.

        A recording is left out where two labels have equally many, or all are unsure.
        """
        found = {key: majority(said.values()) for key, said in self.current().items()}
        return {key: label for key, label in found.items() if label is not None}


def majority(labels: Iterable[str]) -> str | None:
    """Return the most frequent label, `unsure` not counted; None if there is no single one.

    >>> majority(["sad", "sad", "happy"]), majority(["sad", "happy"]), majority(["unsure", "sad"])
    ('sad', None, 'sad')
    """
    counts = Counter(label for label in labels if label != UNSURE).most_common(2)
    if not counts or (len(counts) == 2 and counts[0][1] == counts[1][1]):
        return None
    return counts[0][0]


def read_labels(path: str | Path) -> Labels:
    """Read all answers of a file; lines that are no answers are named in `problems`."""
    file = LabelsFile(path)
    if not Path(path).exists():
        raise UsageError(f"{for_display(str(path))}: there is no such file of labels")
    file.update()
    return file.labels


class LabelsFile:
    """A file of answers: appended to, and read again as far as others have appended to it."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._restart()

    def _restart(self) -> None:
        self.labels = Labels()
        self._position = 0
        self._line = 0
        self._columns: list[str] | None = None
        self._last: Answer | str | None = None
        """What was made of a last line that has no end."""

    def update(self) -> None:
        """Read the lines that were added since the last time."""
        if not self.path.exists():
            return
        with naming_errors(self.path), self.path.open("rb") as stream:
            # No line is half written while nobody else holds the lock.
            fcntl.flock(stream, fcntl.LOCK_SH)
            if os.fstat(stream.fileno()).st_size < self._position:  # Another file now.
                self._restart()
            stream.seek(self._position)
            content = stream.read()
        self._forget_last()
        *lines, rest = content.split(b"\n")
        for line in lines:
            self._position += len(line) + 1
            self._line += 1
            self._read(line)
        if rest:
            self._read_last(rest)

    def check(self) -> None:
        """Raise `UsageError` or `OSError` where no answer can be added to the file."""
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        with naming_errors(self.path):
            descriptor = os.open(self.path, flags, 0o666)
            try:
                if not _is_begun_header(os.pread(descriptor, len(_HEADER) + 1, 0)):
                    self._existing_columns(descriptor)
            finally:
                os.close(descriptor)

    def append(self, answer: Answer) -> None:
        """Write an answer; it is on the disk when this returns."""
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        with naming_errors(self.path):
            descriptor = os.open(self.path, flags, 0o666)
            try:
                # Held for the moment of writing: nobody else may begin the file, or end a line.
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                self._append(descriptor, answer)
            finally:
                os.close(descriptor)

    def _append(self, descriptor: int, answer: Answer) -> None:
        size = os.fstat(descriptor).st_size
        columns: Sequence[str] = COLUMNS
        if _is_begun_header(os.pread(descriptor, len(_HEADER) + 1, 0)):
            before = _HEADER[size:]
        else:
            columns = self._existing_columns(descriptor)
            # What a kill or a full disk left of a line must not run into the next one.
            before = b"" if os.pread(descriptor, 1, size - 1) == b"\n" else b"\n"
        content = before + _line([_cells(answer).get(name, "") for name in columns])
        written = os.write(descriptor, content)
        if written < len(content):  # The disk is full: the next write says so.
            os.write(descriptor, content[written:])
        sync(descriptor)
        if not size:
            sync_folder(self.path.absolute().parent)

    def _existing_columns(self, descriptor: int) -> Sequence[str]:
        columns = _header(os.pread(descriptor, 1 << 16, 0).split(b"\n", 1)[0])
        missing = [name for name in COLUMNS if name not in columns]
        if missing:
            raise UsageError(
                f"{for_display(str(self.path))}: nothing can be added to this file: it lacks the "
                f"column {', '.join(missing)}. Name another file with --labels"
            )
        return columns

    def _read(self, line: bytes) -> None:
        if self._columns is None:
            self._columns = self._checked_header(line)
        elif line.strip():
            self._keep(_parse(line, self._columns), f"line {self._line} is no answer")

    def _read_last(self, rest: bytes) -> None:
        """Read a last line that has no end: of a file made by hand, or what a kill left of one."""
        if self._columns is None:
            if not _is_begun_header(rest):
                self._checked_header(rest)
            return
        # Only the time, which is last, can be cut off where there are as many cells as columns.
        found = _parse(rest, self._columns)
        self._last = self._keep(found, f"line {self._line + 1} is cut off and does not count")

    def _keep(self, found: Answer | str, problem: str) -> Answer | str:
        if isinstance(found, Answer):
            self.labels.answers.append(found)
            return found
        self.labels.problems.append(f"{problem}: {found}")
        return self.labels.problems[-1]

    def _forget_last(self) -> None:
        """Forget a last line without an end, which is read again: more may stand there now."""
        if isinstance(self._last, Answer):
            self.labels.answers.pop()
        elif self._last is not None:
            self.labels.problems.pop()
        self._last = None

    def _checked_header(self, line: bytes) -> list[str]:
        columns = _header(line)
        missing = [name for name in REQUIRED if name not in columns]
        if missing:
            raise UsageError(
                f"{for_display(str(self.path))}: this is no file of labels: its first line lacks "
                f"{', '.join(missing)}. It should be {','.join(COLUMNS)}"
            )
        return columns


def now() -> str:
    """Return the time as it stands in the file: UTC, to the millisecond."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _is_begun_header(content: bytes) -> bool:
    """Whether this is less than the first line: of a new file, or one cut off there."""
    return len(content) < len(_HEADER) and _HEADER.startswith(content)


def _header(line: bytes) -> list[str]:
    text = line.decode("utf-8-sig", errors="replace").rstrip("\r")
    return [name.strip() for name in next(csv.reader([text]), [])]


def _cells(answer: Answer) -> dict[str, str]:
    return {
        name: "" if value is None else value if isinstance(value, str) else f"{round(value, 3)!r}"
        for name, value in zip(COLUMNS, astuple(answer), strict=True)
    }


def _line(cells: Iterable[str]) -> bytes:
    """Return cells as one line of CSV: the only end of line is at its end."""
    texts = [escape_formula(_ENDS_OF_LINE.sub(_escape, cell)) for cell in cells]
    quoted = (
        '"{}"'.format(text.replace('"', '""')) if '"' in text or "," in text else text
        for text in texts
    )
    return (",".join(quoted) + "\n").encode("utf-8", "backslashreplace")


def _parse(line: bytes, columns: Sequence[str]) -> Answer | str:
    """Return the answer of a line, or what is wrong with it."""
    try:
        text = line.decode("utf-8").rstrip("\r")
        cells = next(csv.reader([text], strict=True), [])
    except UnicodeDecodeError:
        return "it is not in UTF-8"
    except csv.Error as error:
        return f"{error}"
    if len(cells) != len(columns):
        return f"it has {len(cells)} columns, and not {len(columns)}"
    texts = {name: _text(cell) for name, cell in zip(columns, cells, strict=True)}
    try:
        start, end = (float(texts[n]) if texts.get(n) else None for n in ("start", "end"))
        if not all(math.isfinite(value) for value in (start, end) if value is not None):
            raise ValueError
    except ValueError:
        return "its start or end is no number"
    others = {n: texts.get(n, "") for n in COLUMNS if n not in ("start", "end")}
    return Answer(**others, start=start, end=end)


def _text(cell: str) -> str:
    return _ESCAPED.sub(_unescape, unescape_formula(cell))


# A backslash that stands before what looks like an escape is escaped too.
_ENDS_OF_LINE = re.compile(r"[\n\r]|\\(?=(?:x5c)*x0[ad])")
_ESCAPED = re.compile(r"\\x(0a|0d|5c(?=(?:x5c)*x0[ad]))")


def _escape(found: re.Match[str]) -> str:
    return f"\\x{ord(found[0]):02x}"


def _unescape(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


_HEADER = _line(COLUMNS)
