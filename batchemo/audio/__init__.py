"""From a recording's path to windows of audio, or to the reason why it cannot be analysed.

In reading order: `failure`, `file` (opening), `formats` (headers), `decode`, `decode_av`, `levels`
and `vad` (measures), `windows` (resampling and cutting), `reader` (all of these together).
"""

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
