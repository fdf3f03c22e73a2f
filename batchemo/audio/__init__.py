"""From a file to windows of signal that are worth a model's time, or to the reason why not."""

from batchemo.audio.failure import REASONS, Failure
from batchemo.audio.file import OpenFile, open_audio
from batchemo.audio.reader import Facts, Listening, ListenOptions, Window, listen

__all__ = [
    "REASONS",
    "Facts",
    "Failure",
    "ListenOptions",
    "Listening",
    "OpenFile",
    "Window",
    "listen",
    "open_audio",
]
