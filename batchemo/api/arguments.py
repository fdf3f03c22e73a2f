"""From the arguments of functions to the frozen options that the command line makes too."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeAlias

from batchemo.errors import UsageError
from batchemo.inference.settings import ModelSettings, settings_of
from batchemo.sources import SourceOptions
from batchemo.sources.plan_file import Shard

if TYPE_CHECKING:
    import numpy as np

    from batchemo.inference.in_memory import InMemory

Path: TypeAlias = str | os.PathLike[str]
Strings: TypeAlias = str | Sequence[str]
Source: TypeAlias = "Path | bytes | bytearray | memoryview | BinaryIO | np.ndarray[Any, Any]"
"""A recording: a path, the content of a file, an open file, or samples."""
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
    turns: Literal["speech"] | None = None,
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
        turns=turns,
    )


def as_paths(given: Path | Iterable[Path]) -> Iterable[Path]:
    """Return several paths; one is a list of itself.

    >>> as_paths("a.wav"), as_paths(["a.wav", "b.wav"])
    (['a.wav'], ['a.wav', 'b.wav'])
    """
    return [given] if isinstance(given, (str, os.PathLike)) else given


def as_recordings(
    given: Source | Iterable[Source], sample_rate: int | None
) -> list[str | os.PathLike[str] | InMemory]:
    """Return recordings as paths and contents; those without a path are numbered from 1.

    >>> as_recordings(["a.wav", b"RIFF"], None)
    ['a.wav', InMemory(name='in memory 2', content=b'RIFF')]
    """
    recordings: list[Any] = [given]
    if isinstance(given, Iterable) and not _is_one(given):
        recordings = list(given)
    found = [
        _as_recording(each, f"in memory {number}", sample_rate)
        for number, each in enumerate(recordings, 1)
    ]
    if sample_rate is not None and not any(map(_has_samples, recordings)):
        raise UsageError("sample_rate is for samples: a file says it by itself")
    return found


def _is_one(given: object) -> bool:
    known = (str, os.PathLike, bytes, bytearray, memoryview)
    return isinstance(given, known) or hasattr(given, "read") or _has_samples(given)


def _has_samples(given: object) -> bool:
    return hasattr(given, "__array__")


def _as_recording(
    given: Any, name: str, sample_rate: int | None
) -> str | os.PathLike[str] | InMemory:
    from batchemo.inference.in_memory import InMemory, wav_of

    if isinstance(given, (str, os.PathLike)):
        return given
    if _has_samples(given):
        if sample_rate is None:
            raise UsageError("samples need their sample_rate, such as sample_rate=16000")
        return InMemory(name, wav_of(given, sample_rate))
    content = given.read() if hasattr(given, "read") else given
    if isinstance(content, str):
        raise UsageError("a file object that is open as text: open it for bytes, with 'rb'")
    if not isinstance(content, (bytes, bytearray, memoryview)):
        raise UsageError(
            f"{type(content).__name__}: a recording is a path, bytes, a file object or an array of "
            "samples"
        )
    return InMemory(name, bytes(content))


def path_text(path: Path | None) -> str | None:
    """Return a path as text, if one is given."""
    return None if path is None else os.fspath(path)


def as_tuple(values: Strings) -> tuple[str, ...]:
    """Return a tuple of strings; a single string is one element.

    >>> as_tuple("wav"), as_tuple(["wav", "flac"])
    (('wav',), ('wav', 'flac'))
    """
    return (values,) if isinstance(values, str) else tuple(values)
