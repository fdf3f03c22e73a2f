"""Which of the files in a folder are recordings to analyse: extensions, patterns, hidden, links."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from batchemo.errors import UsageError

_MAGIC = re.compile(r"[*?[]")


def has_magic(text: str) -> bool:
    """Say whether the text can be read as a pattern."""
    return _MAGIC.search(text) is not None


def selector(patterns: tuple[str, ...]) -> re.Pattern[str] | None:
    """Compile patterns into one expression that fully matches every path that any of them selects.

    A pattern selects a file by itself or by a folder above it: one without "/" by the name of
    either, one with "/" by the whole path from the root, one that ends in "/" by folders only.
    A folder is asked for with "/" at its end.

    >>> chosen = selector(("take_?.wav", "raw/**/old"))
    >>> [bool(chosen.fullmatch(path)) for path in ("a/take_1.wav", "raw/x/old/b.wav", "old/b.wav")]
    [True, True, False]
    """
    if not patterns:
        return None
    return re.compile("|".join(f"(?:{_selecting(pattern)})" for pattern in patterns), re.DOTALL)


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern given as a source: where its walk starts, what it takes, where it need not go."""

    root: str
    files: re.Pattern[str]
    folders: re.Pattern[str]
    """Matches "/" and the path of every folder that can hold a match."""
    names_extension: bool


def parse_glob(path: str) -> Glob:
    """Split a glob at its first part that is a pattern and no folder of that very name.

    A folder that the whole glob matches is taken with all that is in it, as if the shell had
    expanded the glob; but not where its last part names an extension and so means files.

    >>> glob = parse_glob("/data/take_*/**/x?.flac")
    >>> glob.root, glob.names_extension, bool(glob.folders.fullmatch("/take_1/a/b"))
    ('/data', True, True)
    """
    root = "/" if path.startswith("/") else ""
    parts = _parts(path)
    while len(parts) > 1 and (not has_magic(parts[0]) or os.path.isdir(root + parts[0])):
        root += parts.pop(0) + "/"
    stem, _, suffix = parts[-1].rpartition(".")
    names_extension = bool(stem and suffix) and not has_magic(suffix)
    return Glob(
        root=os.path.abspath(root),
        files=re.compile(_path(parts) + ("" if names_extension else "(?:/.*)?"), re.DOTALL),
        folders=re.compile(_folders(parts, whole=not names_extension), re.DOTALL),
        names_extension=names_extension,
    )


def _parts(pattern: str) -> list[str]:
    return [part for part in pattern.split("/") if part not in ("", ".")]


def _selecting(pattern: str) -> str:
    parts = _parts(pattern)
    if not parts:
        raise UsageError(f"The pattern {pattern!r} is empty: write for instance '*_noisy.wav'.")
    anywhere = "" if "/" in pattern.rstrip("/") else "(?:.*/)?"
    below = "/.*" if pattern.endswith("/") else "(?:/.*)?"
    return anywhere + _path(parts) + below


def _path(parts: list[str]) -> str:
    *above, last = parts
    folders = "".join("(?:.*/)?" if part == "**" else _part(part) + "/" for part in above)
    return folders + (".*" if last == "**" else _part(last))


def _folders(parts: list[str], whole: bool) -> str:
    expression = "(?:/.*)?" if whole else ""
    for part in reversed(parts if whole else parts[:-1]):
        expression = "(?:/.*)?" if part == "**" else f"(?:/{_part(part)}{expression})?"
    return expression


def _part(part: str) -> str:
    """Translate one part of a pattern."""
    expression = ""
    at = 0
    while at < len(part):
        character = part[at]
        # A "]" that comes first is a member; a bracket that is never closed is just a bracket.
        closing = part.find("]", at + (3 if part[at + 1 : at + 2] in ("!", "^") else 2))
        if character == "[" and closing > 0:
            expression += _one_of(part[at + 1 : closing])
            at = closing
        else:
            expression += {"*": "[^/]*", "?": "[^/]"}.get(character) or re.escape(character)
        at += 1
    return expression


def _one_of(members: str) -> str:
    negated = members[0] in "!^"
    rest = members[1:] if negated else members
    ranges = []
    while rest:
        if len(rest) > 2 and rest[1] == "-":
            first, last, rest = rest[0], rest[2], rest[3:]
        else:
            first, last, rest = rest[0], rest[0], rest[1:]
        if first <= last:
            ranges.append(f"{re.escape(first)}-{re.escape(last)}")
    if negated:
        return f"[^/{''.join(ranges)}]"
    return f"(?!/)[{''.join(ranges)}]" if ranges else "(?!)"


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
