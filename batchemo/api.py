"""The functions that a program calls: the commands `scan`, `predict` and `adapt`.

Parameters have the names of the command line's options, with `_` for `-`. Every function turns its
arguments into the frozen options that the command line makes too, so that both run the same code.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from batchemo.batch.options import STDOUT, ScanOptions
from batchemo.batch.progress_bar import progress_bar
from batchemo.bundles.class_shares import shares_text
from batchemo.errors import UsageError
from batchemo.inference.settings import TIMEOUT, ModelSettings, PostprocessSettings, settings_of
from batchemo.sources import DEFAULT_EXTENSIONS, SourceOptions
from batchemo.tables.read import read_recordings_table

if TYPE_CHECKING:
    import pyarrow as pa

    from batchemo.adaptation.run import AdaptResult
    from batchemo.bundles import Bundle

Path: TypeAlias = str | os.PathLike[str]
Strings: TypeAlias = str | Sequence[str]
Backend: TypeAlias = Literal["onnx", "tensorflow"]


def scan(
    *sources: Path | Iterable[Path],
    output: Path | None = None,
    segments: Path | None = None,
    embeddings: Path | None = None,
    summary: Path | None = None,
    group_by: str | None = None,
    model: Path | Sequence[Path] = "default",
    window: float | None = None,
    hop: float | None = None,
    channel: str | int = "mix",
    backend: Backend = "onnx",
    batch_size: int | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    min_confidence: float = 0.0,
    dimensions: bool = False,
    speaker: str | None = None,
    class_shares: Strings | Mapping[str, float] | None = None,
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
    jobs: int | None = None,
    timeout: float = TIMEOUT,
    update: bool = False,
    overwrite: bool = False,
    retry_failed: bool = False,
    retry_reasons: Strings = (),
    max_tries: int | None = None,
    prune: bool = False,
    allow_empty: bool = False,
    limit: int | None = None,
    if_locked: Literal["fail", "wait"] = "fail",
    progress: bool | None = None,
) -> pa.Table:
    """Predict the emotion in every recording of the sources; return one table.

    A recording that cannot be analysed raises no exception: it is a row with `status` `failed` and
    its `reason`. A source that cannot be read is a Python warning.

    Parameters
    ----------
    *sources
        Folders, files or globs, or lists of them.
    output
        Also write the table to this `.parquet` or `.csv` file. Only with an output can an
        interrupted run be resumed, and only then can `update` reuse earlier rows.
    segments, embeddings, summary
        Also write the segments table (a row for each window), the embeddings table (a `.parquet`
        file; the model must give some) and the counts for each group.
    group_by
        What the summary counts by: a column of the manifest, `folder`, `part:N`, `regex:PATTERN`,
        `date`, `month` or `year`.
    model
        A model's name or the folder of a bundle; or several, which analyse every recording in
        one pass: see docs/tables.md for their columns.
    window, hop
        Length of a window and distance between the starts of two windows, in seconds; by default
        the model's own.
    channel
        `"mix"` for the mean of all channels, or the number of one channel, from 0.
    backend, batch_size
        What runs the model, and how many windows it gets in one batch: by default 8, and 128 on a
        GPU.
    device
        `"cpu"`, `"cuda"` for NVIDIA's GPUs, or `"auto"` for GPUs if there are any.
    min_confidence
        Below this confidence `emotion` is `uncertain`; the probabilities are unchanged.
    dimensions
        Also estimate valence, arousal and dominance.
    speaker
        Adapt the probabilities to each speaker. Speakers are identified by a column of the
        manifest, `folder`, `part:N`, `root` or `regex:PATTERN`. See docs/scan.md for when it
        helps and when it harms.
    class_shares
        How frequent the labels are in these recordings: `"even"`, the labels that there are, or
        the share of each, such as `{"neutral": 0.8, "happy": 0.2}`.
    files_from, null
        A file that lists recordings, one a line; with `null`, separated by NUL bytes.
    manifest
        A CSV or Parquet table with a column `file`; its other columns are copied to the result.
    base
        The folder that the names in a list or manifest are relative to.
    include, exclude, ext, hidden, follow_links, min_age
        Which files of a folder are read; `min_age` is in seconds.
    jobs
        Worker processes; by default one for each processor that this process may use.
    timeout
        Seconds for a recording, or for each started hour of a longer one; 0 for no limit.
    update, overwrite, retry_failed, retry_reasons, max_tries, prune, allow_empty, limit, if_locked
        As on the command line; see `batchemo scan --help`.
    progress
        Show a progress bar; by default in notebooks and terminals only.

    Returns
    -------
    pyarrow.Table
        The recordings table, whole and in memory: a few hundred bytes a recording. For millions
        of recordings use the command, and read from its output the columns that you need.

    Examples
    --------
    >>> import batchemo
    >>> table = batchemo.scan("recordings")  # doctest: +SKIP
    >>> table.to_pandas().groupby("emotion").size()  # doctest: +SKIP
    """
    from batchemo.batch.scan import run_scan

    if output == STDOUT:
        raise UsageError("output is a file name; without one the table is only returned")
    shares = shares_text(class_shares)
    if if_locked not in ("fail", "wait"):
        raise UsageError(f"if_locked={if_locked!r}: a program can use 'fail' or 'wait'")
    options = ScanOptions(
        sources=SourceOptions(
            paths=tuple(os.fspath(path) for source in sources for path in _paths(source)),
            files_from=_path_text(files_from),
            null_separated=null,
            manifest=_path_text(manifest),
            base=_path_text(base),
            include=_as_tuple(include),
            exclude=_as_tuple(exclude),
            extensions=_as_tuple(ext),
            hidden=hidden,
            follow_links=follow_links,
            min_age=min_age,
        ),
        settings=_settings(model, window, hop, channel, backend, batch_size, device),
        postprocess=PostprocessSettings(min_confidence, dimensions, speaker, shares),
        output=_path_text(output),
        segments=_path_text(segments),
        embeddings=_path_text(embeddings),
        summary=_path_text(summary),
        group_by=group_by,
        jobs=jobs or 0,
        timeout=timeout,
        update=update,
        overwrite=overwrite,
        retry_failed=retry_failed,
        retry_reasons=_as_tuple(retry_reasons),
        max_tries=max_tries,
        prune=prune,
        allow_empty=allow_empty,
        limit=limit,
        if_locked=if_locked,
    )
    with progress_bar(progress) as on_event:
        result = run_scan(options, on_event)
    for problem in result.report.problems:
        warnings.warn(f"could not be read: {problem}", stacklevel=2)
    for message in result.report.empty + result.report.warnings:
        warnings.warn(message, stacklevel=2)
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
    batch_size: int | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    min_confidence: float = 0.0,
    dimensions: bool = False,
    speaker: str | None = None,
    class_shares: Strings | Mapping[str, float] | None = None,
) -> pa.Table:
    """Analyse single recordings in this process; the numbers are those of a scan.

    Parameters
    ----------
    recordings
        A file, or several.
    segments
        Return the segments table: a row for each window of all recordings that did not fail.
    model, window, hop, channel, backend, batch_size, device, min_confidence, dimensions, speaker,
    class_shares
        As in `scan`; what is adapted is adapted to these recordings alone.

    Returns
    -------
    pyarrow.Table
        The recordings table, a row for each recording in the order given, or the segments table.

    Examples
    --------
    >>> import batchemo
    >>> batchemo.predict("interview.wav")["emotion"][0].as_py()  # doctest: +SKIP
    'calm'
    """
    from batchemo.inference.single import open_predictor

    paths = _paths(recordings)
    settings = _settings(model, window, hop, channel, backend, batch_size, device)
    shares = shares_text(class_shares)
    postprocess = PostprocessSettings(min_confidence, dimensions, speaker, shares)
    predictor = open_predictor(paths, *settings, postprocess=postprocess)
    table = predictor.table(segments=segments)
    for message in predictor.warnings:
        warnings.warn(message, stacklevel=2)
    return table


def adapt(
    model: Path,
    *,
    labels: Path,
    embeddings: Path,
    output: Path,
    leave_out: str = "recording",
    label_set: Strings = (),
    class_shares: Literal["answers"] | Mapping[str, float] | None = None,
    force: bool = False,
    overwrite: bool = False,
) -> AdaptResult:
    """Adapt a model to a corpus by what people have answered for some of its recordings.

    That it does not help is no error: then no bundle is written, and the result has the figures. A
    line of the labels that is no answer is a Python warning.

    Parameters
    ----------
    model
        The name of the model that made the embeddings, or the folder of its bundle.
    labels
        The answers, as `batchemo review` writes them: a CSV file with `root`, `file` and `label`.
    embeddings
        The embeddings of the corpus, as `scan` writes them.
    output
        The folder of the bundle to write.
    leave_out
        What is left out together when figures are measured: `recording`, or what names the speaker
        of one: `folder`, `part:N` or `regex:PATTERN`.
    label_set
        The labels of the adapted model; by default the model's, or those of the answers if one of
        them is not among the model's.
    class_shares
        How frequent the classes are in the corpus: `"answers"` if these were drawn at random, or
        the share of each label. By default no class is preferred.
    force, overwrite
        Write the bundle even if it is not shown to help; replace an existing one.

    Returns
    -------
    AdaptResult
        `comparison` has the figures `before` and `after` of answers that were left out (`uar`,
        `accuracy`, `ece`, `recall`), and whether the model `helps`; `bundle` is None where none was
        written. `curve` has the UAR by the number of answers.

    Examples
    --------
    >>> import batchemo
    >>> result = batchemo.adapt(
    ...     "accurate", labels="labels.csv", embeddings="e.parquet", output="models/mine"
    ... )  # doctest: +SKIP
    >>> result.comparison.before.uar, result.comparison.after.uar  # doctest: +SKIP
    (0.46, 0.52)
    """
    from batchemo.adaptation import run
    from batchemo.adaptation.shares import ClassShares

    if class_shares is None:
        shares = None
    elif isinstance(class_shares, str):
        shares = ClassShares.parse(class_shares)
    else:
        shares = ClassShares.of(class_shares)
    options = run.AdaptOptions(
        model=os.fspath(model),
        labels=os.fspath(labels),
        embeddings=os.fspath(embeddings),
        output=os.fspath(output),
        leave_out=leave_out,
        label_set=_as_tuple(label_set),
        class_shares=shares,
        force=force,
        overwrite=overwrite,
    )
    result = run.adapt(options)
    for problem in result.problems:
        warnings.warn(f"{options.labels}: {problem}", stacklevel=2)
    return result


def load_bundle(name_or_path: Path = "default") -> Bundle:
    """Read a model's bundle and verify its files against their digests.

    Nothing of the model is executed. The bundle has the labels, the feature set, the window, the
    figures of its evaluations and the model card.

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
    batch_size: int | None,
    device: str,
) -> tuple[ModelSettings, ...]:
    """Return the settings of each model."""
    models = [model] if isinstance(model, (str, os.PathLike)) else model
    return settings_of(
        [os.fspath(name) for name in models],
        window=window,
        hop=hop,
        channel=str(channel),
        backend=backend,
        batch_size=batch_size,
        device=device,
    )


def _paths(given: Path | Iterable[Path]) -> Iterable[Path]:
    """Return several paths; one is a list of itself.

    >>> _paths("a.wav"), _paths(["a.wav", "b.wav"])
    (['a.wav'], ['a.wav', 'b.wav'])
    """
    return [given] if isinstance(given, (str, os.PathLike)) else given


def _path_text(path: Path | None) -> str | None:
    return None if path is None else os.fspath(path)


def _as_tuple(values: Strings) -> tuple[str, ...]:
    """Return a tuple of strings; a single string is one element.

    >>> _as_tuple("wav"), _as_tuple(["wav", "flac"])
    (('wav',), ('wav', 'flac'))
    """
    return (values,) if isinstance(values, str) else tuple(values)
