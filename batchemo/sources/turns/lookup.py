"""Finds the turns of each recording: in one file, or in a folder with a file for each recording."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from batchemo.common.text import for_display
from batchemo.common.turns import Turn, Turns
from batchemo.errors import UsageError
from batchemo.sources.recording import Recording, Skipped
from batchemo.sources.turns.read import TurnsByName, read_turns_file, suffix_of
from batchemo.sources.turns.values import TurnsError


class GivenTurns:
    """The turns that a file or a folder gives."""

    def __init__(self, path: str, *, is_only_recording: bool) -> None:
        """Open the file or the folder; `TurnsError` or `UsageError` where that is not possible.

        `is_only_recording` is for sources of a single file: its turns may have another name.
        """
        self._path, self._is_only = path, is_only_recording
        self._used: dict[str, str] = {}
        """The recording that has got the turns of a name."""
        self._by_name: TurnsByName | None = None
        if os.path.isdir(path):
            self._entries = lru_cache(maxsize=256)(_entries)
        elif os.path.exists(path):
            self._by_name = read_turns_file(path)
        else:
            raise UsageError(f"--turns {for_display(path)}: there is no such file or folder")

    def with_turns(self, recording: Recording) -> Recording:
        """Return the recording with its turns, or with the reason why it has none."""
        try:
            turns = self._turns_of(recording)
        except TurnsError as error:
            return replace(recording, problem=("bad_turns", str(error)))
        if not turns:
            where = for_display(self._path)
            return replace(recording, problem=("no_turns", f"{where} has no turn of it"))
        return replace(recording, turns=Turns(turns))

    def report_unused(self, skipped: Skipped) -> None:
        """Count the names that no recording has had; to be called when all have been found."""
        unused = [name for name in self._by_name or () if name and name not in self._used]
        for name in unused:
            skipped.reject(
                f"'{for_display(name)}' in {for_display(self._path)}", "no recording is called so"
            )

    def _turns_of(self, recording: Recording) -> Sequence[Turn]:
        if self._by_name is not None:
            return self._named(recording, self._by_name)
        found = list(self._files(recording))
        if len(found) > 1:
            names = " and ".join(for_display(os.path.basename(path)) for path in found)
            raise TurnsError(f"{names} both give its turns: leave one of them")
        if not found:
            return ()
        by_name = read_turns_file(found[0])
        # The file is named like the recording: what the recording is called in it is no question
        # where there is only one.
        if len(by_name) == 1:
            return next(iter(by_name.values()))
        return next((by_name[name] for name in _names(recording) if name in by_name), ())

    def _named(self, recording: Recording, by_name: TurnsByName) -> Sequence[Turn]:
        names = list(_names(recording))
        if "" in by_name:
            own = os.path.splitext(os.path.basename(self._path))[0]
            name = "" if self._is_only or own in names else None
        elif self._is_only and len(by_name) == 1:
            name = next(iter(by_name))
        else:
            name = next((each for each in names if each in by_name), None)
        if name is None:
            return ()
        other = self._used.setdefault(name, recording.path)
        if other != recording.path:
            raise TurnsError(
                f"'{for_display(name or self._path)}' names this recording and "
                f"{for_display(other)}: name each by its path below its root"
            )
        return by_name[name]

    def _files(self, recording: Recording) -> Iterator[str]:
        """Yield the files of turns of a recording: below the same folders, or in the folder."""
        folder, name = os.path.split(recording.file)
        stem = os.path.splitext(name)[0]
        below = os.path.join(self._path, folder)
        found = self._matching(below, name, stem)
        if not found and folder:
            found = self._matching(self._path, name, stem)
        yield from found

    def _matching(self, folder: str, name: str, stem: str) -> list[str]:
        by_stem = self._entries(folder)
        return [
            os.path.join(folder, entry) for each in (stem, name) for entry in by_stem.get(each, ())
        ]


def _entries(folder: str) -> dict[str, list[str]]:
    """Return the files of turns in a folder by their names without the ending."""
    found: dict[str, list[str]] = {}
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return found
    for name in names:
        if suffix_of(name):
            found.setdefault(os.path.splitext(name)[0], []).append(name)
    return found


def _names(recording: Recording) -> Iterator[str]:
    """Yield what a recording may be called, the most exact first."""
    name = os.path.basename(recording.file)
    for each in (recording.path, recording.file, name):
        yield each
        yield os.path.splitext(each)[0]
