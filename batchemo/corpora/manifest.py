"""Labelled recordings as a table tells them: `file,label[,speaker,…]`."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from batchemo.common.text import for_display, from_text
from batchemo.corpora.example import Example
from batchemo.errors import UsageError

MANIFEST = "manifest.csv"
"""The name by which a folder's own manifest is found."""

_LABEL_COLUMNS = ("label", "emotion")
_GENDERS = {"m": "male", "man": "male", "f": "female", "w": "female", "woman": "female"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A recording, and the line of the manifest that tells of it."""

    line: int
    example: Example


def read_manifest(path: Path) -> tuple[Entry, ...]:
    """Read a CSV or TSV table; its files are relative to its folder. Nothing else is looked at."""
    title = for_display(str(path))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            entries = tuple(_entries(path, file))
    except OSError as error:
        raise UsageError(f"The manifest {title} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(
            f"The manifest {title} is no text in UTF-8: give a table that is."
        ) from None
    except csv.Error as error:
        raise UsageError(f"The manifest {title} is no proper table: {error}.") from None
    if not entries:
        raise UsageError(f"The manifest {title} has no rows.")
    return entries


def check_files(path: Path, entries: tuple[Entry, ...]) -> None:
    """Refuse a manifest that names files which do not exist."""
    missing = [entry for entry in entries if not os.path.isfile(entry.example.path)]
    if missing:
        first = missing[0]
        more = f", nor {len(missing) - 1} more files" if len(missing) > 1 else ""
        raise UsageError(
            f"The manifest {for_display(str(path))} names in line {first.line} "
            f"{for_display(str(first.example.path))}, which is not there{more}. Files are relative "
            "to the manifest's folder."
        )


def _entries(path: Path, file: Iterator[str]) -> Iterator[Entry]:
    delimiter = "\t" if path.suffix.lower() in (".tsv", ".tab") else ","
    rows = csv.reader(file, delimiter=delimiter)
    columns = [name.strip().lower() for name in next(rows, [])]
    label = next((name for name in _LABEL_COLUMNS if name in columns), "")
    if "file" not in columns or not label:
        raise UsageError(
            f"The manifest {for_display(str(path))} needs the columns file and label (or emotion). "
            f"Its columns are: {for_display(', '.join(columns)) or '(none)'}."
        )
    corpus = path.resolve().parent.name
    for cells in rows:
        row = dict(zip(columns, cells, strict=False))
        if not any(cell.strip() for cell in cells):
            continue
        for column in ("file", label):
            if not row.get(column, "").strip():
                raise UsageError(
                    f"The manifest {for_display(str(path))} has no {column} in line "
                    f"{rows.line_num}: fill it in, or remove the row."
                )
        yield Entry(rows.line_num, _example(path.parent, row, row[label], corpus))


def _example(folder: Path, row: Mapping[str, str], label: str, corpus: str) -> Example:
    def told(column: str) -> str:
        return row.get(column, "").strip()

    gender = told("gender").lower()
    return Example(
        path=folder / from_text(row["file"]),
        corpus=told("corpus") or corpus,
        speaker=told("speaker"),
        gender=_GENDERS.get(gender, gender),
        emotion=label.strip(),
        intensity=told("intensity"),
        statement=told("statement"),
        language=told("language"),
        channel=told("channel") or "speech",
    )
