"""Walks a folder: every recording below it, in the order of the bytes of its path's parts.

One folder is listed at a time and nothing is held but the names still to come on the way down. So
the first recording comes out at once, however large the tree is.
"""

# Paths stay the strings they are: pathlib rewrites them, and costs more than the look-up itself.

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from batchemo.common.text import for_display
from batchemo.sources.filters import Rules
from batchemo.sources.recording import Recording, Skipped


def walk(root: str, rules: Rules, skipped: Skipped) -> Iterator[Recording]:
    """Yield the recordings below `root`; what cannot be listed goes into the tally.

    Only regular files are yielded, and nothing is ever opened. Links are followed if the rules say
    so, and then no folder is walked twice.
    """
    visited: set[tuple[int, int]] = set()
    path = os.path.join(os.fsencode(root), b"")
    if rules.follow_links:
        _first_visit(path, visited)
    levels = [_list(path, "", rules, skipped)]
    while levels:
        level = levels[-1]
        for name in level.names:
            file = level.prefix + os.fsdecode(name)
            is_folder = name in level.folders
            if not (rules.enter(file) if is_folder else rules.choose(file)):
                continue
            if name.startswith(b".") and not rules.hidden:
                skipped.hidden += 1
            elif not is_folder:
                recording = _look_up(level.path + name, root, file, rules)
                if recording is not None:
                    yield recording
            elif rules.follow_links and not _first_visit(level.path + name, visited):
                skipped.duplicates += 1
            else:
                levels.append(_list(level.path + name + b"/", file + "/", rules, skipped))
                break
        else:
            levels.pop()


@dataclass(frozen=True, slots=True)
class _Level:
    """A folder under way; both paths end in a slash, but the prefix of the root is empty."""

    path: bytes
    prefix: str
    names: Iterator[bytes]
    folders: set[bytes]


def _list(path: bytes, prefix: str, rules: Rules, skipped: Skipped) -> _Level:
    """List a folder, as far as it lets itself be listed."""
    follow = rules.follow_links
    names: list[bytes] = []
    folders: set[bytes] = set()
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                name = entry.name
                try:
                    if not follow and entry.is_symlink():
                        skipped.links += 1
                        continue
                    if entry.is_dir(follow_symlinks=follow):
                        is_folder = True
                    elif not name.lower().endswith(rules.suffixes):
                        continue
                    elif entry.is_file(follow_symlinks=follow):
                        is_folder = False
                    else:
                        continue
                except OSError as error:  # a link that leads to itself, or where nobody may look
                    _report(entry.path, error, skipped)
                    continue
                names.append(name)
                if is_folder:
                    folders.add(name)
    except OSError as error:
        _report(path, error, skipped)
    names.sort()
    return _Level(path, prefix, iter(names), folders)


def _look_up(path: bytes, root: str, file: str, rules: Rules) -> Recording | None:
    """Make the recording, unless it is gone again or has become something else."""
    try:
        status = os.stat(path, follow_symlinks=rules.follow_links)
    except FileNotFoundError:
        return None
    except OSError:
        return Recording(root, file, None, None)
    if stat.S_ISREG(status.st_mode):
        return Recording(root, file, status.st_size, status.st_mtime_ns)
    return None


def _first_visit(path: bytes, visited: set[tuple[int, int]]) -> bool:
    try:
        status = os.stat(path)
    except OSError:
        return True  # listing it will fail likewise and say why
    identity = (status.st_dev, status.st_ino)
    if identity in visited:
        return False
    visited.add(identity)
    return True


def _report(path: bytes, error: OSError, skipped: Skipped) -> None:
    text = for_display(os.fsdecode(path.rstrip(b"/") or b"/"))
    skipped.unreadable.append((text, error.strerror or str(error)))
