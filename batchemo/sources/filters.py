"""Which files of a folder are recordings to analyse: extensions, patterns, hidden files, links.

Patterns are translated to regular expressions here instead of by `fnmatch`, which knows neither
`**` nor that `*` ends at a slash, and of which a negated set matches a slash.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from batchemo.errors import UsageError

AUDIO_EXTENSIONS = (
    *("wav", "wave", "bwf", "w64", "rf64"),
    *("flac", "ogg", "oga", "opus", "mp3"),
    *("aif", "aiff", "aifc", "au", "snd", "caf"),
    *("nist", "sph"),
    *("m4a", "m4b", "mka", "weba", "wma", "amr", "awb", "aac", "ac3", "eac3", "ec3"),
)
"""The usual extensions of recordings in the formats that can be decoded: `--ext audio`."""
VIDEO_EXTENSIONS = ("mp4", "m4v", "mov", "3gp", "webm", "mkv", "wmv", "asf")
"""Those of files that mostly hold pictures besides the sound: `--ext video`."""
DEFAULT_EXTENSIONS = ("audio",)
_GROUPS = {"audio": AUDIO_EXTENSIONS, "video": VIDEO_EXTENSIONS}

_WILDCARD = re.compile(r"[*?[]")


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern given as a source: where its walk starts, and what it takes."""

    root: str
    files: re.Pattern[str]
    """Matches the paths of files to take, below the root."""
    folders: re.Pattern[str]
    """Matches "/" and the path of every folder that can hold a match."""
    names_extension: bool
    """Whether its last part ends in an extension, which then replaces those of the options."""


@dataclass(frozen=True, slots=True)
class FileFilter:
    """What a walk takes, leaves out and enters."""

    suffixes: tuple[bytes, ...]
    """Lower-case ends of the names to take."""
    hidden: bool = False
    follow_links: bool = False
    include: re.Pattern[str] | None = None
    exclude: re.Pattern[str] | None = None
    glob: Glob | None = None

    def accepts(self, file: str) -> bool:
        """Whether the patterns accept a file, by its path below the root."""
        return (
            (self.include is None or self.include.fullmatch(file) is not None)
            and (self.exclude is None or self.exclude.fullmatch(file) is None)
            and (self.glob is None or self.glob.files.fullmatch(file) is not None)
        )

    def enters(self, folder: str) -> bool:
        """Whether a folder can hold anything that the patterns accept."""
        return (self.exclude is None or self.exclude.fullmatch(folder + "/") is None) and (
            self.glob is None or self.glob.folders.fullmatch("/" + folder) is not None
        )


def suffixes_of(extensions: tuple[str, ...]) -> tuple[bytes, ...]:
    """Return the ends of file names for some extensions; "audio", "video", "any" stand for many.

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
    names = [name for extension in bare for name in _GROUPS.get(extension, (extension,))]
    return tuple(dict.fromkeys(os.fsencode("." + name) for name in names))


def extension_option(extensions: Iterable[str]) -> str | None:
    """Return the option that includes files of these extensions; None if none is a recording's.

    >>> extension_option([".txt", ".mp3"]), extension_option([".mp3", ".mp4"])
    ('--ext audio', '--ext audio,video')
    """
    names = {extension.removeprefix(".") for extension in extensions}
    if not names.isdisjoint(VIDEO_EXTENSIONS):
        return "--ext audio,video"
    return None if names.isdisjoint(AUDIO_EXTENSIONS) else "--ext audio"


def compile_patterns(patterns: tuple[str, ...]) -> re.Pattern[str] | None:
    """Compile patterns to one expression that fully matches the paths selected by any of them.

    A pattern selects a file by itself or by a folder above it: one without "/" by the name of
    either, one with "/" by the whole path from the root, one that ends in "/" by folders only.
    Append "/" to the path of a folder to match it.

    >>> pattern = compile_patterns(("take_?.wav", "raw/**/old"))
    >>> [bool(pattern.fullmatch(file)) for file in ("a/take_1.wav", "raw/x/old/b.wav", "b.wav")]
    [True, True, False]
    """
    if not patterns:
        return None
    return re.compile("|".join(f"(?:{_pattern_regex(pattern)})" for pattern in patterns), re.DOTALL)


def has_wildcards(text: str) -> bool:
    """Whether the text can be read as a pattern."""
    return _WILDCARD.search(text) is not None


def parse_glob(path: str, is_folder: Callable[[str], bool] = os.path.isdir) -> Glob:
    """Split a glob at its first part that is a pattern, and no folder of that very name.

    A folder that the whole glob matches is taken with all that is in it, as if the shell had
    expanded the glob; but not if its last part names an extension and so means files.

    >>> glob = parse_glob("/data/take_*/**/x?.flac")
    >>> glob.root, glob.names_extension, bool(glob.folders.fullmatch("/take_1/a/b"))
    ('/data', True, True)
    """
    root = "/" if path.startswith("/") else ""
    parts = _split_pattern(path)
    while len(parts) > 1 and (not has_wildcards(parts[0]) or is_folder(root + parts[0])):
        root += parts.pop(0) + "/"
    stem, _, suffix = parts[-1].rpartition(".")
    names_extension = bool(stem and suffix) and not has_wildcards(suffix)
    return Glob(
        root=os.path.abspath(root),
        files=re.compile(_path_regex(parts) + ("" if names_extension else "(?:/.*)?"), re.DOTALL),
        folders=re.compile(_folders_regex(parts, whole=not names_extension), re.DOTALL),
        names_extension=names_extension,
    )


def _split_pattern(pattern: str) -> list[str]:
    return [part for part in pattern.split("/") if part not in ("", ".")]


def _pattern_regex(pattern: str) -> str:
    """Return an expression for the paths that a pattern of `compile_patterns` selects."""
    parts = _split_pattern(pattern)
    if not parts:
        raise UsageError(f"The pattern {pattern!r} is empty: write for instance '*_noisy.wav'.")
    anywhere = "" if "/" in pattern.rstrip("/") else "(?:.*/)?"
    below = "/.*" if pattern.endswith("/") else "(?:/.*)?"
    return anywhere + _path_regex(parts) + below


def _path_regex(parts: list[str]) -> str:
    """Return an expression for paths of which each part matches one of the pattern's."""
    *above, last = parts
    folders = "".join("(?:.*/)?" if part == "**" else _part_regex(part) + "/" for part in above)
    return folders + (".*" if last == "**" else _part_regex(last))


def _folders_regex(parts: list[str], whole: bool) -> str:
    """Return an expression for "/" and the paths of all folders above a match.

    If the `whole` pattern may match a folder, also for that folder and all below it. Each part is
    optional together with all that follow it, so that any number of leading parts matches.
    """
    expression = "(?:/.*)?" if whole else ""
    for part in reversed(parts if whole else parts[:-1]):
        expression = "(?:/.*)?" if part == "**" else f"(?:/{_part_regex(part)}{expression})?"
    return expression


def _part_regex(part: str) -> str:
    """Return an expression for the names that one part of a pattern matches."""
    expression = ""
    position = 0
    while position < len(part):
        character = part[position]
        # A "]" that comes first is a member; a bracket that is never closed is just a bracket.
        negated = part[position + 1 : position + 2] in ("!", "^")
        closing = part.find("]", position + (3 if negated else 2))
        if character == "[" and closing > 0:
            expression += _set_regex(part[position + 1 : closing])
            position = closing
        else:
            expression += {"*": "[^/]*", "?": "[^/]"}.get(character) or re.escape(character)
        position += 1
    return expression


def _set_regex(members: str) -> str:
    """Return an expression for one character of a set, such as `a-z` or `!a-z`; never a slash."""
    negated = members[0] in "!^"
    remaining = members[1:] if negated else members
    ranges = []
    while remaining:
        if len(remaining) > 2 and remaining[1] == "-":
            first, last, remaining = remaining[0], remaining[2], remaining[3:]
        else:
            first, last, remaining = remaining[0], remaining[0], remaining[1:]
        if first <= last:
            ranges.append(f"{re.escape(first)}-{re.escape(last)}")
    if negated:
        return f"[^/{''.join(ranges)}]"
    # A set without members, such as [z-a], matches nothing: (?!) never does.
    return f"(?!/)[{''.join(ranges)}]" if ranges else "(?!)"
