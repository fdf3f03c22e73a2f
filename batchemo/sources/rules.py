"""Which of the files in a folder are recordings to analyse."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from batchemo.errors import UsageError
from batchemo.sources.patterns import Glob

# What is read, by the names that such files go by.
AUDIO_EXTENSIONS = (
    *("wav", "wave", "bwf", "w64", "rf64"),
    *("flac", "ogg", "oga", "opus", "mp3"),
    *("aif", "aiff", "aifc", "au", "snd", "caf"),
    *("nist", "sph"),
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a walk takes, leaves out and goes into."""

    suffixes: tuple[bytes, ...]
    """Lower-case ends of the names to take."""
    hidden: bool = False
    follow_links: bool = False
    include: re.Pattern[str] | None = None
    exclude: re.Pattern[str] | None = None
    glob: Glob | None = None

    def choose(self, file: str) -> bool:
        """Say whether the patterns choose a file, by its path below its root."""
        return (
            (self.include is None or self.include.fullmatch(file) is not None)
            and (self.exclude is None or self.exclude.fullmatch(file) is None)
            and (self.glob is None or self.glob.files.fullmatch(file) is not None)
        )

    def enter(self, folder: str) -> bool:
        """Say whether a folder can hold anything that the patterns choose."""
        return (self.exclude is None or self.exclude.fullmatch(folder + "/") is None) and (
            self.glob is None or self.glob.folders.fullmatch("/" + folder) is not None
        )


def suffixes_of(extensions: tuple[str, ...]) -> tuple[bytes, ...]:
    """Turn extensions into the ends of file names; "audio" and "any" stand for many.

    >>> suffixes_of(("wav", ".FLAC"))
    (b'.wav', b'.flac')
    >>> suffixes_of(("any",))
    (b'',)
    """
    bare = [extension.lower().removeprefix(".") for extension in extensions]
    for extension in bare:
        if not extension or "/" in extension:
            raise UsageError(
                f"{extension!r} is no extension: write for instance wav, audio or any."
            )
    if not bare:
        raise UsageError("No extension was asked for: name some, or any to take every file.")
    if "any" in bare:
        return (b"",)
    names = [name for one in bare for name in (AUDIO_EXTENSIONS if one == "audio" else (one,))]
    return tuple(dict.fromkeys(os.fsencode("." + name) for name in names))
