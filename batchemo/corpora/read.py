"""Reads labelled corpora, however they are laid out, and hears that each recording counts once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from batchemo.common.text import for_display
from batchemo.corpora.duplicates import deduplicate
from batchemo.corpora.example import Corpus, Example
from batchemo.corpora.folder import Found, read_folder
from batchemo.corpora.labels import Vocabulary, relabel
from batchemo.corpora.layouts import LAYOUTS, Layout
from batchemo.corpora.manifest import MANIFEST, check_files, read_manifest
from batchemo.errors import UsageError


def read_corpus(
    paths: Sequence[Path],
    *,
    layout: str | None = None,
    only: Sequence[str] = (),
    rename: Mapping[str, str] | None = None,
    labels: Sequence[str] = (),
) -> Corpus:
    """Read and hear labelled recordings.

    Each path is a manifest, a folder with a `manifest.csv`, or a folder of recordings whose names
    tell all: by the layout that fits, or by the one that `layout` names. `only` chooses among the
    corpora. `rename` maps labels to others, or to "" to leave their recordings out. `labels`
    are the classes that may occur, in place of `KNOWN`.
    """
    vocabulary = Vocabulary(labels, rename)
    chosen_layout = _layout(layout)
    parts = [_read(path, chosen_layout, only) for path in paths]
    examples = sorted((one for part in parts for one in part.examples), key=_place)
    _check_corpora(examples, only)
    heard = deduplicate(relabel(examples, vocabulary))
    failures = (*(failure for part in parts for failure in part.failures), *heard.failures)
    if not heard.examples:
        raise UsageError(_nothing(failures))
    here = {example.emotion for example in heard.examples}
    return Corpus(
        examples=heard.examples,
        labels=tuple(label for label in vocabulary.labels if label in here),
        duplicates=heard.duplicates,
        failures=failures,
        unrecognised=tuple(path for part in parts for path in part.unrecognised),
    )


def _layout(names: str | None) -> Layout | None:
    if names is not None and names not in LAYOUTS:
        raise UsageError(
            f"The file names of {for_display(repr(names))} are not known; known are "
            f"{', '.join(LAYOUTS)}. Any other corpus can be read by a manifest."
        )
    return LAYOUTS[names] if names else None


def _read(path: Path, layout: Layout | None, only: Sequence[str]) -> Found:
    """What one path tells of; of a manifest only those corpora, so the others need not be there."""
    is_folder = os.path.isdir(path)
    manifest = path / MANIFEST if is_folder else path
    if is_folder and (layout or not os.path.isfile(manifest)):
        found = read_folder(path, layout)
        chosen = (one for one in found.examples if not only or one.corpus in only)
        return Found(tuple(chosen), found.unrecognised, found.failures)
    if not os.path.exists(manifest):
        raise UsageError(f"There is no {for_display(str(manifest))}: check the name.")
    entries = read_manifest(manifest)
    entries = tuple(entry for entry in entries if not only or entry.example.corpus in only)
    check_files(manifest, entries)
    return Found(tuple(entry.example for entry in entries), (), ())


def _place(example: Example) -> tuple[str, bytes]:
    return example.corpus, os.fsencode(example.path)


def _check_corpora(examples: Sequence[Example], wanted: Sequence[str]) -> None:
    here = {example.corpus for example in examples}
    if missing := sorted(set(wanted) - here):
        raise UsageError(f"There are no recordings of {', '.join(missing)}.")


def _nothing(failures: Sequence[tuple[Path, str]]) -> str:
    if not failures:
        return "No recordings are left: every label was renamed to nothing."
    path, why = failures[0]
    return (
        f"None of the {len(failures)} recordings can be used; the first is "
        f"{for_display(str(path))}: {why}."
    )
