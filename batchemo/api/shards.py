"""`plan` and `merge`: what comes before and after a scan that several machines share."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable

from batchemo.api.arguments import Path, Strings, source_options
from batchemo.sources import DEFAULT_EXTENSIONS


def plan(
    *sources: Path | Iterable[Path],
    output: Path,
    files_from: Path | None = None,
    null: bool = False,
    manifest: Path | None = None,
    base: Path | None = None,
    include: Strings = (),
    exclude: Strings = (),
    ext: Strings = DEFAULT_EXTENSIONS,
    hidden: bool = False,
    follow_links: bool = False,
    min_age: float = 0.0,
    overwrite: bool = False,
) -> int:
    """List the recordings of the sources in a plan, of which `scan` can take a shard.

    A source that cannot be read is a Python warning.

    Parameters
    ----------
    *sources, files_from, null, manifest, base, include, exclude, ext, hidden, follow_links, min_age
        As in `scan`.
    output
        The plan to write: a `.parquet` file.
    overwrite
        Replace the plan if it exists.

    Returns
    -------
    int
        How many recordings the plan lists.

    Examples
    --------
    >>> import batchemo
    >>> batchemo.plan("calls", output="plan.parquet")  # doctest: +SKIP
    1200
    >>> for number in range(1, 17):  # doctest: +SKIP
    ...     batchemo.scan(plan="plan.parquet", shard=f"{number}/16", output="shards")
    >>> batchemo.merge("shards", output="results.parquet")  # doctest: +SKIP
    1200
    """
    from batchemo.batch.shards import make_plan

    options = source_options(
        sources,
        files_from=files_from,
        null=null,
        manifest=manifest,
        base=base,
        include=include,
        exclude=exclude,
        ext=ext,
        hidden=hidden,
        follow_links=follow_links,
        min_age=min_age,
    )
    made = make_plan(options, os.fspath(output), overwrite=overwrite)
    for problem in made.problems:
        warnings.warn(problem, stacklevel=2)
    return made.recordings


def merge(shards: Path, *, output: Path, overwrite: bool = False) -> int:
    """Merge the tables of all shards into the one that a scan of the whole plan would write.

    Parameters
    ----------
    shards
        The folder that was the `output` (or `segments`, or `embeddings`) of the shards' scans.
    output
        The table to write: a `.parquet` or `.csv` file.
    overwrite
        Replace the table if it exists.

    Returns
    -------
    int
        How many rows the table has.

    Examples
    --------
    >>> import batchemo
    >>> batchemo.merge("nowhere", output="results.parquet")
    Traceback (most recent call last):
    batchemo.errors.UsageError: nowhere: there is no such folder
    """
    from batchemo.batch.shards import merge_shards

    return merge_shards(os.fspath(shards), os.fspath(output), overwrite=overwrite)
