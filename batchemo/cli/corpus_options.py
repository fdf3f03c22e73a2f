"""Options that choose labelled recordings, and the warnings about recordings that are left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchemo.cli.output.progress import warn
from batchemo.cli.shared_options import option_group, split_commas
from batchemo.common.text import counted, for_display
from batchemo.errors import UsageError

if TYPE_CHECKING:
    from batchemo.corpora import Corpus

_MAX_EXAMPLES = 3
"""Recordings that are named where several have the same problem."""

corpus_options = option_group(
    click.option(
        "--layout",
        metavar="LAYOUT",
        help="Read all file names by the convention of this corpus: ravdess, crema-d, tess, savee, "
        "emodb, emovo or nemo; by default whichever fits.",
    ),
    click.option(
        "--only",
        multiple=True,
        metavar="CORPUS",
        help="Use only this one of the corpora that are found. Repeatable.",
    ),
    click.option(
        "--label",
        "rename",
        multiple=True,
        metavar="OLD=NEW",
        help="Rename the label OLD to NEW; OLD= leaves its recordings out. Repeatable.",
    ),
    click.option(
        "--labels",
        metavar="LIST",
        help="The classes of a corpus with labels of its own, in their order: low,middle,high.",
    ),
)


def corpus_arguments(values: dict[str, Any]) -> list[str]:
    """Return the options of `corpus_options` as arguments of a command line."""
    arguments = ["--layout", values["layout"]] if values["layout"] else []
    for option, name in (("--only", "only"), ("--label", "rename")):
        arguments += [argument for value in values[name] for argument in (option, value)]
    return arguments + (["--labels", values["labels"]] if values["labels"] else [])


def corpus_from(paths: Sequence[str], values: dict[str, Any]) -> Corpus:
    """Remove the values of `corpus_options` and read the corpus that they describe."""
    from batchemo.corpora import read_corpus

    rename = dict(_split_rename(text) for text in values.pop("rename"))
    return read_corpus(
        [Path(path) for path in paths],
        layout=values.pop("layout"),
        only=tuple(values.pop("only")),
        rename=rename,
        labels=split_commas((values.pop("labels") or "",)),
    )


def _split_rename(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not equals or not old.strip():
        raise UsageError(
            f"--label {text}: write OLD=NEW, such as joy=happy, or OLD= to leave it out"
        )
    return old.strip(), new.strip()


def warn_about_corpus(corpus: Corpus) -> None:
    """Warn about recordings of a corpus that are not used, and why."""
    if duplicates := corpus.duplicates:
        pairs = [f"{_short(pair.dropped)} is {_short(pair.kept)}" for pair in duplicates]
        number = counted(len(duplicates), "recording")
        warn(f"{number} under two names, used once: {_first_few(pairs)}")
    if corpus.failures:
        warn_about_failures(corpus.failures)
    if unrecognised := corpus.unrecognised:
        names = _first_few([_short(path) for path in unrecognised])
        number = counted(len(unrecognised), "recording")
        warn(f"{number} left out because no emotion is in the file name: {names}")
    for label, count in corpus.without_class:
        number = counted(count, "recording")
        warn(f"{number} left out because {label} is none of the classes (--labels names them)")


def warn_about_failures(failures: Sequence[tuple[Path, str]]) -> None:
    """Warn about recordings that are left out because they could not be analysed."""
    names = _first_few([f"{_short(path)} ({reason})" for path, reason in failures])
    warn(f"{counted(len(failures), 'recording')} left out because they failed: {names}")


def _first_few(names: Sequence[str]) -> str:
    more = len(names) - _MAX_EXAMPLES
    shown = [*names[:_MAX_EXAMPLES], *([f"and {more:,} more"] if more > 0 else [])]
    return "; ".join(shown)


def _short(path: Path) -> str:
    """Return the last two parts of a path: enough to recognise a recording."""
    return for_display("/".join(path.parts[-2:]))
