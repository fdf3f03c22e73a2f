"""Reads labelled corpora, in whichever way they are labelled; each recording counts once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from batchemo.common.text import for_display
from batchemo.corpora.duplicates import deduplicate
from batchemo.corpora.example import Corpus, Example
from batchemo.corpora.folder import FoundExamples, UnknownNamesError, read_folder
from batchemo.corpora.labels import LabelVocabulary, relabel
from batchemo.corpora.layouts import LAYOUTS, Layout
from batchemo.corpora.manifest import (
    MANIFEST_FILE,
    ManifestRow,
    check_rows,
    read_manifest,
    rows_above,
)
from batchemo.errors import UsageError


def read_corpus(
    paths: Sequence[Path],
    *,
    layout: str | None = None,
    only: Sequence[str] = (),
    rename: Mapping[str, str] | None = None,
    labels: Sequence[str] = (),
) -> Corpus:
    """Read and decode labelled recordings.

    Each path is a manifest, a folder with a `manifest.csv`, a folder of recordings whose file names
    carry the labels, in the layout named or in the one that fits, or one that the `manifest.csv`
    above it describes. `only` selects among the corpora. `rename` maps labels to others, or to ""
    to leave their recordings out. `labels` are the classes that may occur, in place of `EMOTIONS`.
    """
    vocabulary = LabelVocabulary(labels, rename)
    chosen_layout = _find_layout(layout)
    parts = [_read_path(path, chosen_layout, only) for path in paths]
    examples = sorted((example for part in parts for example in part.examples), key=_sort_key)
    _check_corpora(examples, only)
    labelled, without_class = relabel(examples, vocabulary)
    distinct = deduplicate(labelled)
    failures = (*(failure for part in parts for failure in part.failures), *distinct.failures)
    if not distinct.examples:
        raise UsageError(_nothing_left_message(failures, without_class))
    present = {example.emotion for example in distinct.examples}
    return Corpus(
        examples=distinct.examples,
        labels=tuple(label for label in vocabulary.labels if label in present),
        duplicates=distinct.duplicates,
        failures=failures,
        unrecognised=tuple(path for part in parts for path in part.unrecognised),
        without_class=without_class,
    )


def _find_layout(name: str | None) -> Layout | None:
    if name is not None and name not in LAYOUTS:
        raise UsageError(
            f"The layout {for_display(repr(name))} is not known; known are "
            f"{', '.join(LAYOUTS)}. Any other corpus can be read by a manifest."
        )
    return LAYOUTS[name] if name else None


def _read_path(path: Path, layout: Layout | None, only: Sequence[str]) -> FoundExamples:
    is_folder = os.path.isdir(path)
    manifest = path / MANIFEST_FILE if is_folder else path
    if is_folder and (layout or not os.path.isfile(manifest)):
        return _read_names(path, layout, only)
    if not os.path.exists(manifest):
        raise UsageError(f"There is no {for_display(str(manifest))}: check the name.")
    return _from_rows(manifest, read_manifest(manifest), only)


def _read_names(folder: Path, layout: Layout | None, only: Sequence[str]) -> FoundExamples:
    """Read the names of the files, or where these are of no corpus, the manifest above."""
    try:
        found = read_folder(folder, layout)
    except UnknownNamesError:
        manifest, rows = rows_above(folder)
        if not rows:
            raise
        return _from_rows(manifest, rows, only)
    selected = (example for example in found.examples if not only or example.corpus in only)
    return FoundExamples(tuple(selected), found.unrecognised, found.failures)


def _from_rows(manifest: Path, rows: tuple[ManifestRow, ...], only: Sequence[str]) -> FoundExamples:
    # Selected before they are checked: only the corpora that are wanted have to be there.
    rows = tuple(row for row in rows if not only or row.example.corpus in only)
    check_rows(manifest, rows)
    return FoundExamples(tuple(row.example for row in rows))


def _sort_key(example: Example) -> tuple[str, bytes]:
    # By bytes: the order is the same in every locale, and names that are no UTF-8 have one too.
    return example.corpus, os.fsencode(example.path)


def _check_corpora(examples: Sequence[Example], wanted: Sequence[str]) -> None:
    present = {example.corpus for example in examples}
    if missing := sorted(set(wanted) - present):
        raise UsageError(f"There are no recordings of {', '.join(missing)}.")


def _nothing_left_message(
    failures: Sequence[tuple[Path, str]], without_class: Sequence[tuple[str, int]]
) -> str:
    if without_class and not failures:
        labels = ", ".join(label for label, _ in without_class)
        return (
            f"No recordings are left: {labels} equals none of the classes. Name the classes that"
            " you want with --labels, or what it stands for with --label old=new."
        )
    if not failures:
        return "No recordings are left: every label was renamed to nothing."
    path, why = failures[0]
    return (
        f"None of the {len(failures)} recordings can be used; the first is "
        f"{for_display(str(path))}: {why}."
    )
