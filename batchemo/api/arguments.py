"""From the arguments of functions to the frozen options that the command line makes too."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from batchemo.inference.settings import ModelSettings, settings_of
from batchemo.sources import SourceOptions
from batchemo.sources.plan_file import Shard

Path: TypeAlias = str | os.PathLike[str]
Strings: TypeAlias = str | Sequence[str]
Backend: TypeAlias = Literal["onnx", "tensorflow"]


def source_options(
    sources: Iterable[Path | Iterable[Path]],
    *,
    files_from: Path | None,
    null: bool,
    manifest: Path | None,
    base: Path | None,
    include: Strings,
    exclude: Strings,
    ext: Strings,
    hidden: bool,
    follow_links: bool,
    min_age: float,
    turns: Path | None = None,
    plan: Path | None = None,
    shard: Shard | None = None,
) -> SourceOptions:
    """Return where recordings come from."""
    return SourceOptions(
        paths=tuple(os.fspath(path) for source in sources for path in as_paths(source)),
        files_from=path_text(files_from),
        null_separated=null,
        manifest=path_text(manifest),
        base=path_text(base),
        include=as_tuple(include),
        exclude=as_tuple(exclude),
        extensions=as_tuple(ext),
        hidden=hidden,
        follow_links=follow_links,
        min_age=min_age,
        turns=path_text(turns),
        plan=path_text(plan),
        shard=shard,
    )


def model_settings(
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


def as_paths(given: Path | Iterable[Path]) -> Iterable[Path]:
    """Return several paths; one is a list of itself.

    >>> as_paths("a.wav"), as_paths(["a.wav", "b.wav"])
    (['a.wav'], ['a.wav', 'b.wav'])
    """
    return [given] if isinstance(given, (str, os.PathLike)) else given


def path_text(path: Path | None) -> str | None:
    """Return a path as text, if one is given."""
    return None if path is None else os.fspath(path)


def as_tuple(values: Strings) -> tuple[str, ...]:
    """Return a tuple of strings; a single string is one element.

    >>> as_tuple("wav"), as_tuple(["wav", "flac"])
    (('wav',), ('wav', 'flac'))
    """
    return (values,) if isinstance(values, str) else tuple(values)
