"""The functions that a program calls: the words of the command line, answered by Arrow tables."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from batchemo.bar import bar_for
from batchemo.batch.options import STDOUT, ScanOptions
from batchemo.errors import UsageError
from batchemo.inference.settings import BATCH_SIZE, TIMEOUT, ModelSettings, PostprocessSettings
from batchemo.sources import SourceOptions
from batchemo.tables.read import read_recordings_table

if TYPE_CHECKING:
    import pyarrow as pa

    from batchemo.bundles import Bundle

Path: TypeAlias = str | os.PathLike[str]
Words: TypeAlias = str | Sequence[str]
Backend: TypeAlias = Literal["onnx", "tensorflow"]


def scan(
    *sources: Path,
    output: Path | None = None,
    segments: Path | None = None,
    summary: Path | None = None,
    group_by: str | None = None,
    model: Path | Sequence[Path] = "default",
    window: float | None = None,
    hop: float | None = None,
    channel: str | int = "mix",
    backend: Backend = "onnx",
    batch_size: int = BATCH_SIZE,
    min_confidence: float = 0.0,
    dimensions: bool = False,
    speaker: str | None = None,
    files_from: Path | None = None,
    null: bool = False,
    manifest: Path | None = None,
    base: Path | None = None,
    include: Words = (),
    exclude: Words = (),
    ext: Words = "wav",
    hidden: bool = False,
    follow_links: bool = False,
    min_age: float = 0.0,
    jobs: int | None = None,
    timeout: float = TIMEOUT,
    update: bool = False,
    overwrite: bool = False,
    retry_failed: bool = False,
    prune: bool = False,
    limit: int | None = None,
    if_locked: Literal["fail", "wait"] = "fail",
    progress: bool | None = None,
) -> pa.Table:
    """Find the emotion in every recording of the sources, as one table.

    A recording that cannot be analysed raises nothing: it is a row whose `status` is `failed`,
    with its `reason`. A part of the sources that cannot be looked at is a warning.

    Parameters
    ----------
    *sources
        Folders, files or globs.
    output
        Also write the table to this file, `.parquet` or `.csv`. Only then a run that was
        interrupted goes on where it was, and only then `update` has something to go by.
    segments, summary
        Also write the table of all windows over time, and the counts for each group.
    group_by
        What the summary counts by: a manifest's column, `folder`, `part:N`, `regex:PATTERN`,
        `date`, `month` or `year`.
    model
        A model's name or the folder of a bundle; or several, which hear every recording in one
        pass: see docs/tables.md for the columns.
    window, hop
        Seconds; by default the model's own.
    channel
        `"mix"` for the mean of all channels, or the number of one, from 0.
    backend, batch_size
        What runs the net, and how many windows go through it together.
    min_confidence
        Below this confidence `emotion` is `uncertain`; the probabilities stay.
    dimensions
        Also estimate valence, arousal and dominance.
    speaker
        What names the speaker to whom the probabilities are adapted: a manifest's column,
        `folder`, `part:N`, `root` or `regex:PATTERN`. See docs/scan.md for when it helps and
        when it harms.
    files_from, null
        A file that lists recordings, one a line, or each ended by NUL.
    manifest
        A CSV or Parquet table with a column `file`; its other columns come along.
    base
        What the names in a list or manifest are relative to.
    include, exclude, ext, hidden, follow_links, min_age
        Which of the files in folders are taken; `min_age` is in seconds.
    jobs
        Worker processes; by default one for each processor that this process may use.
    timeout
        Seconds for a recording, or for each started hour of it; 0 for no limit.
    update, overwrite, retry_failed, prune, limit, if_locked
        As on the command line; see `batchemo scan --help`.
    progress
        Show a bar; by default in notebooks and terminals only.

    Returns
    -------
    pyarrow.Table
        The files table, whole and in memory: a few hundred bytes a recording. Where that is too
        much, use the command and read from its output what you need.

    Examples
    --------
    >>> import batchemo
    >>> table = batchemo.scan("recordings")  # doctest: +SKIP
    >>> table.to_pandas().groupby("emotion").size()  # doctest: +SKIP
    """
    from batchemo.batch.scan import run_scan

    if output == STDOUT:
        raise UsageError("output is a file; without one the table is returned and not written")
    if if_locked not in ("fail", "wait"):
        raise UsageError(f"if_locked={if_locked!r}: in a program it is 'fail' or 'wait'")
    options = ScanOptions(
        sources=SourceOptions(
            paths=tuple(os.fspath(source) for source in sources),
            files_from=_text(files_from),
            null_separated=null,
            manifest=_text(manifest),
            base=_text(base),
            include=_words(include),
            exclude=_words(exclude),
            extensions=_words(ext),
            hidden=hidden,
            follow_links=follow_links,
            min_age=min_age,
        ),
        settings=_settings(model, window, hop, channel, backend, batch_size),
        postprocess=PostprocessSettings(min_confidence, dimensions, speaker),
        output=_text(output),
        segments=_text(segments),
        summary=_text(summary),
        group_by=group_by,
        jobs=jobs or 0,
        timeout=timeout,
        update=update,
        overwrite=overwrite,
        retry_failed=retry_failed,
        prune=prune,
        limit=limit,
        if_locked=if_locked,
    )
    with bar_for(progress) as listener:
        result = run_scan(options, listener)
    for problem in result.report.problems:
        warnings.warn(f"could not be read: {problem}", stacklevel=2)
    for caution in result.report.warnings:
        warnings.warn(caution, stacklevel=2)
    return result.table if options.output is None else read_recordings_table(options.output)


def predict(
    recordings: Path | Iterable[Path],
    *,
    segments: bool = False,
    model: Path | Sequence[Path] = "default",
    window: float | None = None,
    hop: float | None = None,
    channel: str | int = "mix",
    backend: Backend = "onnx",
    batch_size: int = BATCH_SIZE,
    min_confidence: float = 0.0,
    dimensions: bool = False,
    speaker: str | None = None,
) -> pa.Table:
    """Analyse some recordings in this process, with the numbers that a scan would give.

    Parameters
    ----------
    recordings
        A file, or several.
    segments
        Return a row for each window over time, of all recordings that did not fail.
    model, window, hop, channel, backend, batch_size, min_confidence, dimensions, speaker
        As in `scan`; speakers are adapted to by these recordings alone.

    Returns
    -------
    pyarrow.Table
        A row for each recording in the order given, with the columns of `scan`; or the windows.

    Examples
    --------
    >>> import batchemo
    >>> batchemo.predict("interview.wav")["emotion"][0].as_py()  # doctest: +SKIP
    'calm'
    """
    from batchemo.inference.single import open_predictor

    several = [recordings] if isinstance(recordings, (str, os.PathLike)) else recordings
    settings = _settings(model, window, hop, channel, backend, batch_size)
    postprocess = PostprocessSettings(min_confidence, dimensions, speaker)
    look = open_predictor(several, *settings, postprocess=postprocess)
    table = look.table(segments=segments)
    for caution in look.warnings:
        warnings.warn(caution, stacklevel=2)
    return table


def load_bundle(name_or_path: Path = "default") -> Bundle:
    """Read a model's bundle and verify it: labels, features, windows, figures, card.

    Examples
    --------
    >>> import batchemo
    >>> batchemo.load_bundle("nowhere")
    Traceback (most recent call last):
    batchemo.errors.UsageError: nowhere: there is no such model; ...
    """
    from batchemo.bundles import load_bundle

    return load_bundle(os.fspath(name_or_path))


def _settings(
    model: Path | Sequence[Path],
    window: float | None,
    hop: float | None,
    channel: str | int,
    backend: Backend,
    batch_size: int,
) -> tuple[ModelSettings, ...]:
    """Give the settings of each model."""
    models = [model] if isinstance(model, (str, os.PathLike)) else model
    return tuple(
        ModelSettings(os.fspath(each), window, hop, str(channel), backend, batch_size)
        for each in models
    )


def _text(path: Path | None) -> str | None:
    return None if path is None else os.fspath(path)


def _words(words: Words) -> tuple[str, ...]:
    """Take one word as a list of one.

    >>> _words("wav"), _words(["wav", "flac"])
    (('wav',), ('wav', 'flac'))
    """
    return (words,) if isinstance(words, str) else tuple(words)
