"""From a recording's path to windows of audio, or to the reason why it cannot be analysed.

In reading order: `failure`, `config`, `file` (opening), `formats` (headers), `decode`, `decode_av`,
`levels` and `vad` (measures), `measures` (of a recording), `windows` (resampling and cutting),
`pieces` (of long recordings), `reader` (all of these together), `objects` (opening what is in no
file system), `read_ahead`.

Each name is imported when it is first used: who joins the measures of pieces needs no decoder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchemo.audio.config import WindowConfig
    from batchemo.audio.failure import REASONS, Failure
    from batchemo.audio.file import OpenFile, open_audio
    from batchemo.audio.measures import AudioInfo
    from batchemo.audio.reader import Window, WindowReader, read_windows

__all__ = [
    "REASONS",
    "AudioInfo",
    "Failure",
    "OpenFile",
    "Window",
    "WindowConfig",
    "WindowReader",
    "open_audio",
    "read_windows",
]

_MODULES = {
    "AudioInfo": "measures",
    "Failure": "failure",
    "OpenFile": "file",
    "REASONS": "failure",
    "Window": "reader",
    "WindowConfig": "config",
    "WindowReader": "reader",
    "open_audio": "file",
    "read_windows": "reader",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"batchemo.audio.{_MODULES[name]}"), name)
