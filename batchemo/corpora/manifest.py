"""Reads labelled recordings from a table: `file,label[,speaker,…]`.

    file        the recording, relative to the folder of the table
    label       or `emotion`: what it expresses
    speaker, corpus, gender, intensity, statement, language, channel
                what else is known; the corpus is by default the name of the folder

Names of columns may be in upper case and have blanks around them. Other columns are ignored.
The manifest lies in the folder of the recordings, or in the one above for several folders.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from batchemo.common.text import counted, for_display, from_text
from batchemo.corpora.example import Example
from batchemo.errors import UsageError
from batchemo.sources.manifest import read_table

MANIFEST_FILE = "manifest.csv"
"""The name by which the manifest of a folder is found."""

_LABEL_COLUMNS = ("label", "emotion")
_GENDERS = {"m": "male", "man": "male", "f": "female", "w": "female", "woman": "female"}


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """A recording, and the number of its row in the manifest; the first after the header is 1."""

    number: int
    example: Example


def read_manifest(path: Path) -> tuple[ManifestRow, ...]:
    """Read a CSV or TSV table. Labels and files may be missing: see `check_rows`."""
    title = for_display(str(path))
    table = read_table(str(path))
    columns = [name.strip().lower() for name in table.column_names]
    label_column = next((name for name in _LABEL_COLUMNS if name in columns), "")
    if "file" not in columns or not label_column:
        raise UsageError(
            f"The manifest {title} needs the columns file and label (or emotion). "
            f"Its columns are: {for_display(', '.join(columns)) or '(none)'}."
        )
    corpus = path.resolve().parent.name
    rows = []
    for number, values in enumerate(zip(*(c.to_pylist() for c in table.columns), strict=True), 1):
        cells = {
            name: text for name, text in zip(columns, values, strict=True) if text and text.strip()
        }
        if not cells:
            continue
        if "file" not in cells:
            raise UsageError(_missing_message(path, "file", number))
        label = cells.get(label_column, "")
        rows.append(ManifestRow(number, _example(path.parent, cells, label, corpus)))
    if not rows:
        raise UsageError(f"The manifest {title} has no rows.")
    return tuple(rows)


def rows_above(folder: Path) -> tuple[Path, tuple[ManifestRow, ...]]:
    """Return the manifest above a folder, and its rows of recordings in that folder, if any."""
    # Made absolute: the folder above "." has no name otherwise. Links are kept as they are named.
    inside = Path(os.path.abspath(folder))
    manifest = inside.parent / MANIFEST_FILE
    if not os.path.isfile(manifest):
        return manifest, ()
    rows = read_manifest(manifest)
    return manifest, tuple(row for row in rows if inside in row.example.path.parents)


def check_rows(path: Path, rows: tuple[ManifestRow, ...]) -> None:
    """Raise a UsageError for rows without a label, or whose files do not exist."""
    unlabelled = [row for row in rows if not row.example.emotion]
    if unlabelled and len(unlabelled) == len(rows):
        raise UsageError(
            f"None of the {counted(len(rows), 'recording')} has a label in"
            f" {for_display(str(path))}: they cannot be used to train or test a model."
        )
    if unlabelled:
        raise UsageError(_missing_message(path, "label", unlabelled[0].number))
    missing = [row for row in rows if not os.path.isfile(row.example.path)]
    if missing:
        first = missing[0]
        more = f", nor {len(missing) - 1} more files" if len(missing) > 1 else ""
        raise UsageError(
            f"The manifest {for_display(str(path))} names in row {first.number} "
            f"{for_display(str(first.example.path))}, which is not there{more}. Files are relative "
            "to the manifest's folder."
        )


def _missing_message(path: Path, column: str, number: int) -> str:
    return (
        f"The manifest {for_display(str(path))} has no {column} in row {number}: fill it in, remove"
        " the row, or name the corpora to use with --only."
    )


def _example(folder: Path, cells: Mapping[str, str], label: str, corpus: str) -> Example:
    def text(column: str) -> str:
        return cells.get(column, "").strip()

    gender = text("gender").lower()
    return Example(
        path=folder / from_text(cells["file"]),
        corpus=text("corpus") or corpus,
        speaker=text("speaker"),
        gender=_GENDERS.get(gender, gender),
        emotion=label.strip(),
        intensity=text("intensity"),
        statement=text("statement"),
        language=text("language"),
        channel=text("channel") or "speech",
    )
