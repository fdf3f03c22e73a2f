"""The options that say which labelled recordings to take, and what is told of those."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from batchemo.cli.output.format import counted
from batchemo.cli.output.progress import warn
from batchemo.cli.shared_options import split_words, together
from batchemo.common.text import for_display
from batchemo.errors import UsageError

if TYPE_CHECKING:
    from batchemo.corpora import Corpus

_NAMED = 3
"""So many recordings are named where several have the same trouble."""

corpus_options = together(
    click.option(
        "--layout",
        metavar="LAYOUT",
        help="How file names are built, as in the corpus of this name: ravdess, crema-d, tess, "
        "savee, emodb, emovo or nemo; by default whichever fits.",
    ),
    click.option(
        "--only",
        multiple=True,
        metavar="CORPUS",
        help="Take only this one of the corpora that are there. Repeatable.",
    ),
    click.option(
        "--label",
        "rename",
        multiple=True,
        metavar="OLD=NEW",
        help="Read one label as another; OLD= leaves its recordings out. Repeatable.",
    ),
    click.option(
        "--labels",
        metavar="LIST",
        help="The classes of a corpus that has its own, in their order: low,middle,high.",
    ),
)


def corpus_words(values: dict[str, Any]) -> list[str]:
    """Write the options of `corpus_options` as on a command line."""
    words = ["--layout", values["layout"]] if values["layout"] else []
    for option, name in (("--only", "only"), ("--label", "rename")):
        words += [word for value in values[name] for word in (option, value)]
    return words + (["--labels", values["labels"]] if values["labels"] else [])


def corpus_from(paths: Sequence[str], values: dict[str, Any]) -> Corpus:
    """Take the options of `corpus_options` out of a command's values, and read the corpus."""
    from batchemo.corpora import read_corpus

    rename = dict(_renamed(text) for text in values.pop("rename"))
    return read_corpus(
        [Path(path) for path in paths],
        layout=values.pop("layout"),
        only=tuple(values.pop("only")),
        rename=rename,
        labels=split_words((values.pop("labels") or "",)),
    )


def _renamed(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not equals or not old.strip():
        raise UsageError(
            f"--label {text}: write OLD=NEW, such as joy=happy, or OLD= to leave it out"
        )
    return old.strip(), new.strip()


def warn_of(corpus: Corpus) -> None:
    """Tell which recordings of a corpus do not count, and why."""
    if doubles := corpus.duplicates:
        pairs = [f"{_short(one.dropped)} is {_short(one.kept)}" for one in doubles]
        warn(f"{counted(len(doubles), 'recording')} under two names, counted once: {_few(pairs)}")
    if corpus.failures:
        warn_of_failures(corpus.failures)
    if unrecognised := corpus.unrecognised:
        names = _few([_short(path) for path in unrecognised])
        told = "left out, for their names tell no emotion"
        warn(f"{counted(len(unrecognised), 'recording')} {told}: {names}")


def warn_of_failures(failures: Sequence[tuple[Path, str]]) -> None:
    """Tell which recordings were left out because they could not be heard."""
    told = _few([f"{_short(path)} ({why})" for path, why in failures])
    warn(f"{counted(len(failures), 'recording')} left out, for nothing can be heard: {told}")


def _few(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return "; ".join([*names[:_NAMED], *([f"and {more:,} more"] if more > 0 else [])])


def _short(path: Path) -> str:
    """The last parts of a path, enough to know a recording by."""
    return for_display("/".join(path.parts[-2:]))
