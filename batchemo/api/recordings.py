"""`scan` and `predict`: recordings become a table."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from batchemo.api.arguments import (
    Backend,
    Path,
    Source,
    Strings,
    as_recordings,
    as_tuple,
    model_settings,
    path_text,
    source_options,
)
from batchemo.batch.options import STDOUT, ScanOptions
from batchemo.batch.progress_bar import progress_bar
from batchemo.bundles.class_shares import shares_text
from batchemo.errors import UsageError
from batchemo.inference.settings import SPEECH, TIMEOUT, PostprocessSettings
from batchemo.sources import DEFAULT_EXTENSIONS
from batchemo.sources.plan_file import Shard
from batchemo.tables.read import read_recordings_table

if TYPE_CHECKING:
    import pyarrow as pa


def scan(
    *sources: Path | Iterable[Path],
    output: Path | None = None,
    segments: Path | None = None,
    embeddings: Path | None = None,
    summary: Path | None = None,
    group_by: str | None = None,
    partition_by: str | None = None,
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
    turns: Path | None = None,
    plan: Path | None = None,
    shard: str | None = None,
    jobs: int | None = None,
    executor: str | None = None,
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
        Folders, files, globs or URLs, or lists of them.
    output
        Also write the table to this `.parquet` or `.csv` file, which may be in a bucket. Only with
        an output can an interrupted run be resumed, and only then can `update` reuse earlier rows.
    partition_by
        Write the output as a folder with a Parquet file for each group, as of `group_by`.
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
        `"mix"` for the mean of all channels, or the number of one channel, from 0; `"each"` for a
        row for each channel.
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
    turns
        Who speaks when, in a file or a folder of files, or `"speech"` for wherever there is some:
        then each turn is a row, and not each recording. See docs/long-recordings.md.
    include, exclude, ext, hidden, follow_links, min_age
        Which files of a folder are read; `min_age` is in seconds.
    plan, shard
        A plan that `plan` wrote, instead of sources; and the part of it to take, such as `"3/16"`.
        `output`, `segments` and `embeddings` of a shard name folders.
    jobs
        Worker processes; by default one for each processor that this process may use.
    executor
        A cluster whose workers analyse the recordings: `"dask://HOST:PORT"`; `jobs` is then how
        many of its workers, by default all.
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
    from batchemo.batch.shards import with_shard_outputs

    if output == STDOUT:
        raise UsageError("output is a file name; without one the table is only returned")
    shares = shares_text(class_shares)
    if if_locked not in ("fail", "wait"):
        raise UsageError(f"if_locked={if_locked!r}: a program can use 'fail' or 'wait'")
    options = ScanOptions(
        sources=source_options(
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
            turns=None if turns == SPEECH else turns,
            plan=plan,
            shard=None if shard is None else Shard.parse(shard),
        ),
        settings=model_settings(
            *(model, window, hop, channel, backend, batch_size, device),
            turns="speech" if turns == SPEECH else None,
        ),
        postprocess=PostprocessSettings(min_confidence, dimensions, speaker, shares),
        output=path_text(output),
        segments=path_text(segments),
        embeddings=path_text(embeddings),
        summary=path_text(summary),
        group_by=group_by,
        partition_by=partition_by,
        jobs=jobs or 0,
        executor=executor,
        timeout=timeout,
        update=update,
        overwrite=overwrite,
        retry_failed=retry_failed,
        retry_reasons=as_tuple(retry_reasons),
        max_tries=max_tries,
        prune=prune,
        allow_empty=allow_empty,
        limit=limit,
        if_locked=if_locked,
    )
    options = with_shard_outputs(options)
    with progress_bar(progress) as on_event:
        result = run_scan(options, on_event)
    for problem in result.report.problems:
        warnings.warn(f"could not be read: {problem}", stacklevel=2)
    for message in result.report.empty + result.report.warnings:
        warnings.warn(message, stacklevel=2)
    return result.table if options.output is None else read_recordings_table(options.output)


def predict(
    recordings: Source | Iterable[Source],
    *,
    sample_rate: int | None = None,
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
        A recording, or several: each the path of a file, the content of one as bytes, a file object
        that is open for reading bytes, or samples as a NumPy array.
    sample_rate
        Of samples: how many of them are a second.
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

    sources = as_recordings(recordings, sample_rate)
    settings = model_settings(model, window, hop, channel, backend, batch_size, device)
    shares = shares_text(class_shares)
    postprocess = PostprocessSettings(min_confidence, dimensions, speaker, shares)
    predictor = open_predictor(sources, *settings, postprocess=postprocess)
    table = predictor.table(segments=segments)
    for message in predictor.warnings:
        warnings.warn(message, stacklevel=2)
    return table
