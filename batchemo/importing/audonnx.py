"""A model as audEERING's audonnx saves it: a zip archive, or its two files in a folder.

    model.onnx    the graph; it takes samples
    model.yaml    the names of what each output gives, under the name of a class of audonnx

audonnx would import the classes that model.yaml names. Here their names are text.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from batchemo.bundles.schema import MAX_FILE_BYTES
from batchemo.common.files import open_new
from batchemo.common.text import for_display
from batchemo.errors import BundleError, UsageError
from batchemo.importing.options import ImportedModel, ImportOptions
from batchemo.importing.plain_data import MAX_BYTES, read_yaml
from batchemo.importing.waveform_model import import_graph
from batchemo.tables.columns import MEASURED

DESCRIPTION = "model.yaml"
_CLASS = "$audonnx.core.model.Model"
_RATE = 16_000
"""What models that take samples are trained on; model.yaml does not say it."""


def import_audonnx(options: ImportOptions) -> ImportedModel:
    """Import a zip archive or a folder; dimensions where the names of an output are such."""
    with _unpacked(options.source) as folder:
        described = _arguments(folder / DESCRIPTION)
        graph = folder / _plain_name(described.get("path"), folder / DESCRIPTION)
        by_output = _labels(described.get("labels"), folder / DESCRIPTION)
        output, names = _main_output(by_output, options)
        model = import_graph(
            options,
            graph,
            "a model of audonnx",
            names=options.dimensions or options.labels or names,
            are_dimensions=bool(
                options.dimensions or (not options.labels and _are_measured(names))
            ),
            output=output,
            labelled=[each for each, labels in by_output.items() if labels],
            rate=options.rate or _RATE,
            normalise=bool(options.normalise),
        )
    if options.rate is not None:
        return model
    note = f"Samples are given at {_RATE} Hz, as the source does not say at which rate: see --rate."
    return replace(model, notes=(*model.notes, note))


@contextmanager
def _unpacked(source: Path) -> Iterator[Path]:
    """Give the folder of the source; of an archive, one with those files that are needed."""
    if source.is_dir():
        yield source
        return
    shown = for_display(str(source))
    with tempfile.TemporaryDirectory() as scratch:
        try:
            with zipfile.ZipFile(source) as archive:
                _check_names(archive, shown)
                folder = Path(scratch)
                _unpack(archive, DESCRIPTION, folder, MAX_BYTES)
                graph = _arguments(folder / DESCRIPTION).get("path")
                _unpack(archive, _plain_name(graph, DESCRIPTION), folder, MAX_FILE_BYTES)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise BundleError(f"{shown}: is no zip archive: {error}") from None
        # Compressed by a method that zipfile does not know, or encrypted.
        except (NotImplementedError, RuntimeError) as error:
            raise BundleError(f"{shown}: cannot be unpacked: {error}") from None
        yield folder


def _check_names(archive: zipfile.ZipFile, shown: str) -> None:
    names = archive.namelist()
    for name in names:
        if name.startswith("/") or "\\" in name or ".." in name.split("/"):
            raise BundleError(f"{shown}: holds {for_display(name)}, a path that leads out of it")
    if len(names) > len(set(names)):
        raise BundleError(f"{shown}: holds a file twice")


def _unpack(archive: zipfile.ZipFile, name: str, folder: Path, limit: int) -> None:
    try:
        size = archive.getinfo(name).file_size
    except KeyError:
        raise UsageError(
            f"{for_display(str(archive.filename))}: has no {for_display(name)}"
        ) from None
    if size > limit:
        raise BundleError(f"{for_display(name)}: is larger than {limit // 2**20} MiB")
    # zipfile gives no more bytes than the archive says of the file.
    with archive.open(name) as packed, open_new(folder / name) as file:
        shutil.copyfileobj(packed, file, 2**20)


def _arguments(path: Path) -> Mapping[str, Any]:
    """Return what model.yaml says of the model."""
    data = read_yaml(path)
    name = next(iter(data)) if isinstance(data, Mapping) and len(data) == 1 else None
    described = data.get(name) if name is not None else None
    is_model = isinstance(name, str) and name.partition("==")[0] == _CLASS
    if not is_model or not isinstance(described, Mapping):
        raise BundleError(f"{DESCRIPTION}: does not describe a model of audonnx ({_CLASS})")
    transform = described.get("transform") or {}
    if not isinstance(transform, Mapping) or any(transform.values()):
        raise BundleError(
            f"{DESCRIPTION}: the model takes features that other packages compute (transform); "
            "models that take samples can be imported"
        )
    return described


def _plain_name(name: Any, where: object) -> str:
    if not isinstance(name, str) or Path(name).name != name or "\\" in name:
        raise BundleError(f"{where}: path should be the name of a file beside it, and is {name!r}")
    return name


def _labels(labels: Any, where: Path) -> dict[str, list[str]]:
    """Return the names of what each output gives; none of those that have no names."""
    if not isinstance(labels, Mapping):
        raise BundleError(f"{where}: labels should name what each output gives: output: [label, …]")
    by_output = {str(output): [] if names is None else names for output, names in labels.items()}
    for output, names in by_output.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise BundleError(f"{where}: the labels of {for_display(output)} are no list of names")
    return by_output


def _are_measured(names: list[str]) -> bool:
    return not MEASURED.keys().isdisjoint(name.casefold() for name in names)


def _main_output(
    by_output: Mapping[str, list[str]], options: ImportOptions
) -> tuple[str, list[str]]:
    """Return the output with dimensions or classes, and their names."""
    named = {output: names for output, names in by_output.items() if names}
    wanted = options.classes
    if wanted is None and len(named) == 1:
        [wanted] = named
    if wanted not in named:
        outputs = for_display(", ".join(named)) or "none"
        raise UsageError(
            f"{DESCRIPTION}: the outputs with labels are: {outputs}. --classes NAME names one"
        )
    return wanted, named[wanted]
