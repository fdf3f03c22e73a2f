"""Where recordings come from: folders, files, globs, lists, manifests, buckets: one ordered stream.

In reading order: `recording`, `filters`, `walk`, `objects`, `file_list`, `manifest`, `plan_file`,
`discover` (all of them together).
"""

from batchemo.sources.discover import SourceOptions, Sources, open_sources
from batchemo.sources.filters import AUDIO_EXTENSIONS, DEFAULT_EXTENSIONS, VIDEO_EXTENSIONS
from batchemo.sources.recording import Recording, Skipped

__all__ = [
    "AUDIO_EXTENSIONS",
    "DEFAULT_EXTENSIONS",
    "VIDEO_EXTENSIONS",
    "Recording",
    "Skipped",
    "SourceOptions",
    "Sources",
    "open_sources",
]
