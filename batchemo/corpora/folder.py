"""Reads labelled recordings from the names of the files in a folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from batchemo.common.text import for_display
from batchemo.corpora.example import Example
from batchemo.corpora.layouts import LAYOUTS, Layout, read_genders
from batchemo.errors import UsageError
from batchemo.sources.filters import FileFilter, suffixes_of
from batchemo.sources.recording import Skipped
from batchemo.sources.walk import walk

_FILTER = FileFilter(suffixes=suffixes_of(("audio",)), follow_links=True)


class UnknownNamesError(UsageError):
    """The names of the files in a folder are those of no known corpus."""


@dataclass(frozen=True, slots=True)
class FoundExamples:
    """The labelled recordings of one path, and what was left out."""

    examples: tuple[Example, ...]
    unrecognised: tuple[Path, ...] = ()
    """Recordings whose file names do not fit the layout."""
    failures: tuple[tuple[Path, str], ...] = ()
    """Folders that cannot be listed, with the reason."""


def read_folder(folder: Path, layout: Layout | None = None) -> FoundExamples:
    """Read the file names of all recordings below a folder; by default in the layout that fits.

    Raises `UnknownNamesError` where none does.
    """
    skipped = Skipped()
    files = [recording.file for recording in walk(str(folder), _FILTER, skipped)]
    if not files:
        reasons = "".join(f" {name} cannot be listed: {why}." for name, why in skipped.unreadable)
        raise UsageError(f"There are no recordings in {for_display(str(folder))}.{reasons}")
    layout = layout or _detect_layout(folder, files)
    if layout.demographics:
        layout = replace(layout, genders=read_genders(folder, layout.demographics))
    parsed = {file: layout.parse(folder, file) for file in files}
    examples = tuple(example for example in parsed.values() if example)
    if not examples:
        raise UsageError(
            f"No recording in {for_display(str(folder))} has a name as in {layout.corpus} "
            f"({layout.shown}); the first is {for_display(files[0])}."
        )
    return FoundExamples(
        examples,
        unrecognised=tuple(folder / file for file, example in parsed.items() if not example),
        failures=tuple((Path(path), why) for path, why in skipped.unreadable),
    )


def _detect_layout(folder: Path, files: list[str]) -> Layout:
    """Return the layout that fits any of the names, if there is exactly one."""
    fitting = {
        name: count
        for name, layout in LAYOUTS.items()
        if (count := sum(layout.parse(folder, file) is not None for file in files))
    }
    if len(fitting) == 1:
        return LAYOUTS[next(iter(fitting))]
    title = for_display(str(folder))
    if fitting:
        counts = ", ".join(f"{count} as in {name}" for name, count in fitting.items())
        raise UsageError(
            f"{title} holds recordings of several corpora: {counts}. Give the folder of each by "
            f"itself, or choose the one to read with --layout {next(iter(fitting))}."
        )
    known = ", ".join(f"{name} ({layout.shown})" for name, layout in LAYOUTS.items())
    raise UnknownNamesError(
        f"The names in {title} are of no known corpus; the first is {for_display(files[0])}. "
        f"Known are {known}. For any other corpus write a manifest.csv with the columns file and "
        "label (and speaker, if you know it)."
    )
