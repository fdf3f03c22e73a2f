"""Timelines: which emotion is heard from when to when, for the tools that people listen in.

Windows are joined to stretches (`stretches`), read from a table (`read`), and written as a file for
each recording, or one for all (`text_formats`, `xml_formats`, `database`), by `export`.
"""

from batchemo.timelines.stretches import Joining, Stretch, Windows, join_windows

__all__ = ["Joining", "Stretch", "Windows", "join_windows"]
