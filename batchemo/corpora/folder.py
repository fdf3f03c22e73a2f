"""Labelled recordings as the names of the files in a folder tell them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from batchemo.common.text import for_display
from batchemo.corpora.example import Example
from batchemo.corpora.layouts import LAYOUTS, Layout, read_genders
from batchemo.errors import UsageError
from batchemo.sources.filters import Rules, suffixes_of
from batchemo.sources.recording import Skipped
from batchemo.sources.walk import walk

_RULES = Rules(suffixes=suffixes_of(("audio",)), follow_links=True)


@dataclass(frozen=True, slots=True)
class Found:
    """What the names in a folder tell, whose tell nothing, and what could not be looked into."""

    examples: tuple[Example, ...]
    unrecognised: tuple[Path, ...]
    failures: tuple[tuple[Path, str], ...]


def read_folder(folder: Path, layout: Layout | None = None) -> Found:
    """Read the names of all recordings below a folder; without a layout, by the one that fits."""
    skipped = Skipped()
    files = [recording.file for recording in walk(str(folder), _RULES, skipped)]
    if not files:
        why = "".join(f" {name} cannot be listed: {why}." for name, why in skipped.unreadable)
        raise UsageError(f"There are no recordings in {for_display(str(folder))}.{why}")
    layout = layout or _detect(folder, files)
    if layout.demographics:
        layout = replace(layout, genders=read_genders(folder, layout.demographics))
    read = {file: layout.read(folder, file) for file in files}
    examples = tuple(example for example in read.values() if example)
    if not examples:
        raise UsageError(
            f"No recording in {for_display(str(folder))} has a name as in {layout.corpus} "
            f"({layout.shown}); the first is {for_display(files[0])}."
        )
    unrecognised = tuple(folder / file for file, example in read.items() if not example)
    return Found(
        examples, unrecognised, tuple((Path(path), why) for path, why in skipped.unreadable)
    )


def _detect(folder: Path, files: list[str]) -> Layout:
    """The layout that knows the names, if there is exactly one."""
    known = {
        name: sum(layout.read(folder, file) is not None for file in files)
        for name, layout in LAYOUTS.items()
    }
    fitting = {name: count for name, count in known.items() if count}
    if len(fitting) == 1:
        return LAYOUTS[next(iter(fitting))]
    title = for_display(str(folder))
    if fitting:
        counts = ", ".join(f"{count} as in {name}" for name, count in fitting.items())
        raise UsageError(
            f"{title} holds recordings of several corpora: {counts}. Give the folder of each by "
            f"itself, or choose the one to read with --layout {next(iter(fitting))}."
        )
    shown = ", ".join(f"{name} ({layout.shown})" for name, layout in LAYOUTS.items())
    raise UsageError(
        f"The names in {title} are of no known corpus; the first is {for_display(files[0])}. "
        f"Known are {shown}. For any other corpus write a manifest.csv with the columns file and "
        "label (and speaker, if you know it)."
    )
