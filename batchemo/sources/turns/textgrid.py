"""Turns in a TextGrid of Praat: every interval with a text, its tier for the speaker."""

from __future__ import annotations

import re
from collections.abc import Iterator

from batchemo.common.turns import Turn
from batchemo.sources.turns.values import (
    TurnsError,
    add_turn,
    content_of,
    decoded,
    seconds_of,
    shortened,
    speaker_of,
)

# Praat reads quoted texts (a quote in them is doubled), numbers and <flags> that stand alone, and
# takes everything else for a remark: so the long and the short form are the same.
_TOKEN = re.compile(r'"[^"]*"(?:"[^"]*")*|<[^<>\s]*>|(?<![^\s])[-+.0-9][-+.0-9eE]*(?![^\s])')


def read_textgrid(path: str) -> list[Turn]:
    """Read the intervals that have a text, of all interval tiers."""
    content = content_of(path)
    if content.startswith(b"ooBinaryFile"):
        raise TurnsError("it is a binary TextGrid: save it as a text file")
    tokens = _Tokens(decoded(content))
    tokens.expect('"ooTextFile"')
    tokens.expect('"TextGrid"')
    tokens.number(), tokens.number()
    if tokens.next() != "<exists>":
        return []
    turns: list[Turn] = []
    for _ in range(tokens.count()):
        kind, tier = tokens.text(), speaker_of(tokens.text())
        tokens.number(), tokens.number()
        for _ in range(tokens.count()):
            if kind == "IntervalTier":
                start, end, text = tokens.number(), tokens.number(), tokens.text()
                if text.strip():
                    add_turn(turns, Turn(start, end, tier))
            elif kind == "TextTier":
                tokens.number(), tokens.text()
            else:
                raise TurnsError(f"{shortened(kind)!r} is no kind of tier")
    return turns


class _Tokens:
    """What stands in a TextGrid, one after another."""

    def __init__(self, text: str) -> None:
        self._found: Iterator[str] = (match[0] for match in _TOKEN.finditer(text))

    def next(self) -> str:
        """Return the next one."""
        token = next(self._found, None)
        if token is None:
            raise TurnsError("it ends before all of its tiers: is it a whole TextGrid?")
        return token

    def expect(self, token: str) -> None:
        """Refuse everything but this."""
        found = self.next()
        if found != token:
            raise TurnsError(f"it is no TextGrid: {shortened(found)} stands there for {token}")

    def text(self) -> str:
        """Return a quoted text."""
        token = self.next()
        if not token.startswith('"'):
            raise TurnsError(f"it is a damaged TextGrid: {shortened(token)!r} is no text in quotes")
        return token[1:-1].replace('""', '"')

    def number(self) -> float:
        """Return a time."""
        return seconds_of(self.next())

    def count(self) -> int:
        """Return a number of things; what is missing of them shows when they are read."""
        return max(0, int(self.number()))
