"""From a file to windows of signal that are worth a model's time, or to the reason why not."""

from batchemo.audio.failure import REASONS, Failure
from batchemo.audio.file import OpenFile, open_audio
from batchemo.audio.reader import AudioInfo, Window, WindowConfig, WindowReader, read_windows

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
