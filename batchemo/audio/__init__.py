"""From a file to windows of signal that are worth a model's time, or to the reason why not."""

from batchemo.audio.ear import Window
from batchemo.audio.failure import REASONS, Failure
from batchemo.audio.file import OpenFile, open_audio
from batchemo.audio.listening import Facts, Listening, listen
from batchemo.audio.options import ListenOptions

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
