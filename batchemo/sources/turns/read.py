"""Reads any file of turns, by the ending of its name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from batchemo.common.text import for_display
from batchemo.common.turns import Turn
from batchemo.errors import UsageError
from batchemo.sources.turns.elan import read_elan
from batchemo.sources.turns.table import read_table_of_turns
from batchemo.sources.turns.text import read_audacity, read_rttm
from batchemo.sources.turns.textgrid import read_textgrid
from batchemo.sources.turns.values import TurnsError
from batchemo.sources.turns.whisperx import read_whisperx

TurnsByName = Mapping[str, Sequence[Turn]]
"""The turns of recordings by what a file calls these; "" where it is of the one of its own name."""

_NAMING: Mapping[str, Callable[[str], dict[str, list[Turn]]]] = {
    ".rttm": read_rttm,
    **dict.fromkeys((".csv", ".tsv", ".tab", ".parquet"), read_table_of_turns),
}
_OF_ONE: Mapping[str, Callable[[str], list[Turn]]] = {
    ".textgrid": read_textgrid,
    ".eaf": read_elan,
    ".txt": read_audacity,
    ".json": read_whisperx,
}
SUFFIXES = (*_OF_ONE, *_NAMING)


def suffix_of(name: str) -> str:
    """Return the ending by which a file of turns is read; "" for other files.

    >>> suffix_of("call.TextGrid"), suffix_of("call.wav")
    ('.textgrid', '')
    """
    suffix = os.path.splitext(name)[1].lower()
    return suffix if suffix in SUFFIXES else ""


def read_turns_file(path: str) -> TurnsByName:
    """Read the turns in a file; `TurnsError` says what is wrong with it."""
    shown, suffix = for_display(path), suffix_of(path)
    try:
        if suffix in _NAMING:
            return _NAMING[suffix](path)
        if suffix in _OF_ONE:
            return {"": _OF_ONE[suffix](path)}
    except TurnsError as error:
        raise TurnsError(f"{shown}: {error}") from None
    except OSError as error:
        raise TurnsError(f"{shown}: it cannot be read: {error.strerror or error}") from None
    except UsageError as error:
        raise TurnsError(str(error)) from None
    raise TurnsError(f"{shown}: files of turns end in {', '.join(SUFFIXES)}")
