"""What a file of turns may hold: bounds on its size, its times, and its names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from batchemo.common.text import for_display
from batchemo.common.turns import Turn
from batchemo.errors import UsageError

MAX_BYTES = 32 * 2**20
"""Of a file that is read as a whole. A day of interviews, word by word, takes a third of that."""
MAX_LINE = 1 << 16
MAX_TURNS = 100_000
"""Of one recording: more than one a second for a day."""
MAX_NAME = 1000
MAX_CHANNEL = 63
_MAX_SECONDS = 1e9

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_TIMEDELTA = re.compile(r"([0-9]{1,5}) days ([0-9]{2}):([0-9]{2}):([0-9]{2}(?:\.[0-9]{1,9})?)")


class TurnsError(UsageError):
    """A file of turns cannot be read: says where, and what is wrong."""


def seconds_of(text: str) -> float:
    """Return a time in seconds, also from a duration as pandas and audformat write it.

    >>> seconds_of("1.5"), seconds_of("0 days 00:01:00.250000")
    (1.5, 60.25)
    >>> seconds_of("nan")
    Traceback (most recent call last):
    batchemo.sources.turns.values.TurnsError: 'nan' is no time in seconds
    """
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return checked_seconds(float(text))
    if match := _TIMEDELTA.fullmatch(text):
        days, hours, minutes = (int(part) for part in match.groups()[:3])
        return ((days * 24 + hours) * 60 + minutes) * 60 + float(match[4])
    raise TurnsError(f"{shortened(text)!r} is no time in seconds")


def checked_seconds(value: object) -> float:
    """Return a number of seconds as a float; `TurnsError` for what is none."""
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    # Written so that NaN fails too.
    if number is None or not abs(number) <= _MAX_SECONDS:
        raise TurnsError(f"{shortened(str(value))!r} is no time in seconds")
    return float(number)


def speaker_of(name: str) -> str | None:
    """Return the name of a speaker; None for an empty one.

    >>> speaker_of(" anna "), speaker_of("")
    ('anna', None)
    """
    name = name.strip()
    if len(name) > MAX_NAME:
        raise TurnsError(f"a speaker's name has {len(name):,} characters; at most {MAX_NAME:,}")
    return name or None


def channel_of(value: object) -> int | None:
    """Return a channel, the first being 0; None for what stands for none."""
    text = "" if value is None else str(value).strip().removesuffix(".0")
    if not text:
        return None
    if not re.fullmatch("[0-9]{1,2}", text, re.ASCII) or int(text) > MAX_CHANNEL:
        raise TurnsError(f"{shortened(text)!r} is no channel: write a number, the first being 0")
    return int(text)


def shortened(text: str) -> str:
    """Return a text for a message: printable, and not all of a long one."""
    return for_display(text[:60]) + ("…" if len(text) > 60 else "")


def content_of(path: str) -> bytes:
    """Read a file of at most `MAX_BYTES`."""
    with open(path, "rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        size = os.path.getsize(path)
        raise TurnsError(f"it has {size:,} bytes; at most {MAX_BYTES:,} are read")
    return content


def decoded(content: bytes) -> str:
    """Return the text: UTF-8, or UTF-16 with its mark.

    >>> decoded("é".encode("utf-16")), decoded(b"\\xef\\xbb\\xbfa")
    ('é', 'a')
    """
    is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return content.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise TurnsError(f"it is not in UTF-8 (byte {error.start:,}): save it as UTF-8") from None


def lines_of(path: str) -> Iterator[tuple[int, str]]:
    """Yield the lines and their numbers, with no end of line; empty ones are left out."""
    with open(path, "rb") as stream:
        first = stream.read(2)
        stream.seek(0)
        if first in (b"\xff\xfe", b"\xfe\xff"):
            yield from _numbered(decoded(content_of(path)).splitlines())
            return
        number = 0
        while line := stream.readline(MAX_LINE):
            number += 1
            if len(line) == MAX_LINE:
                raise TurnsError(f"line {number:,} is longer than {MAX_LINE:,} bytes")
            text = decoded(line) if number == 1 else _decoded_line(line, number)
            if text.strip():
                yield number, text.rstrip("\r\n")


def _decoded_line(line: bytes, number: int) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise TurnsError(f"line {number:,} is not in UTF-8: save the file as UTF-8") from None


def _numbered(lines: list[str]) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(lines, 1) if line.strip())


def add_turn(turns: list[Turn], turn: Turn) -> None:
    """Append a turn, as long as there are not too many."""
    if len(turns) == MAX_TURNS:
        raise TurnsError(f"a recording has more than {MAX_TURNS:,} turns")
    turns.append(turn)
