"""Reads labelled recordings from a table: `file,label[,speaker,…]`.

    file        the recording, relative to the folder of the table
    label       or `emotion`: what it expresses
    speaker, corpus, gender, intensity, statement, language, channel
                what else is known; the corpus is by default the name of the folder

Names of columns may be in upper case and have blanks around them. Other columns are ignored.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from batchemo.common.text import for_display, from_text
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
    """Read a CSV or TSV table. That its files exist is not checked: see `check_files`."""
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
        for column in ("file", label_column):
            if column not in cells:
                raise UsageError(
                    f"The manifest {title} has no {column} in row {number}: fill it in, or remove"
                    " the row."
                )
        rows.append(ManifestRow(number, _example(path.parent, cells, cells[label_column], corpus)))
    if not rows:
        raise UsageError(f"The manifest {title} has no rows.")
    return tuple(rows)


def check_files(path: Path, rows: tuple[ManifestRow, ...]) -> None:
    """Raise a UsageError if the manifest names files that do not exist."""
    missing = [row for row in rows if not os.path.isfile(row.example.path)]
    if missing:
        first = missing[0]
        more = f", nor {len(missing) - 1} more files" if len(missing) > 1 else ""
        raise UsageError(
            f"The manifest {for_display(str(path))} names in row {first.number} "
            f"{for_display(str(first.example.path))}, which is not there{more}. Files are relative "
            "to the manifest's folder."
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
