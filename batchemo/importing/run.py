"""From a source to a bundle: import, a draft, the comparison with the source, the bundle."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from batchemo.bundles import Bundle, write_bundle
from batchemo.bundles.bundle import INFO
from batchemo.bundles.schema import CARD, GRAPH, GRAPH_DATA
from batchemo.common.text import for_display, to_text
from batchemo.errors import BundleError, UsageError
from batchemo.importing.audonnx import DESCRIPTION, import_audonnx
from batchemo.importing.checkpoint import import_checkpoint
from batchemo.importing.compare import Comparison, compare
from batchemo.importing.int8 import SCALED_BY_ALL, in_8_bits
from batchemo.importing.keras_net import KERAS_SUFFIXES, import_keras
from batchemo.importing.options import ImportedModel, ImportOptions
from batchemo.importing.waveform_model import CONFIG, import_onnx_file, import_optimum

_PICKLES = (".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth")
UNKNOWN_LICENCE = "unknown: see where the model came from"


@dataclass(frozen=True, slots=True)
class ImportResult:
    """A bundle that was written, and how it compares with its source."""

    bundle: Bundle
    model: ImportedModel
    comparison: Comparison


def import_model(options: ImportOptions) -> ImportResult:
    """Import a model; nothing is written unless the bundle gives what the source gives.

    In 8 bits it never gives quite the same: then the result says by how much.
    """
    _check_output(options)
    model = _read_source(options)
    if model.for_single_windows:
        model = _for_batches(options, model)
    if options.int8 and model.data:
        raise UsageError("--int8: graphs of more than 2 GB cannot be stored in 8 bits")
    if options.int8:
        note = "Weights are stored and multiplied in 8 bits, which changes its answers a little."
        model = replace(model, graph=in_8_bits(model.graph), notes=(*model.notes, note))
    if SCALED_BY_ALL in model.graph and "batch_size" not in model.input:
        model = _for_single_windows(model)
    # Beside the output, so that there is room for one exactly if there is for the other.
    folder = options.output.parent
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{options.output.name}.") as scratch:
        draft = _write(Path(scratch) / options.output.name, options, model, None)
        comparison = compare(draft, model.original, options.recordings)
    if not (comparison.is_close or options.int8):
        raise BundleError(
            f"{for_display(str(options.source))}: the bundle would give other numbers than its "
            f"source. {comparison.sentence()} Nothing was written"
        )
    return ImportResult(_write(options.output, options, model, comparison), model, comparison)


def _for_batches(options: ImportOptions, model: ImportedModel) -> ImportedModel:
    """Return a model that takes any number of windows; if it gives others then, only one.

    Graphs that were exported with a single window may have its number in their constants.
    """
    with tempfile.TemporaryDirectory() as scratch, suppress(BundleError):
        draft = _write(Path(scratch) / options.output.name, options, model, None)
        if compare(draft, model.original, ()).is_close:
            return model
    return _for_single_windows(model)


def _for_single_windows(model: ImportedModel) -> ImportedModel:
    note = "The graph takes one window at a time: there are no batches, which costs time on a GPU."
    return replace(model, input={**model.input, "batch_size": 1}, notes=(*model.notes, note))


def _check_output(options: ImportOptions) -> None:
    shown = for_display(str(options.output))
    if (options.output / INFO).is_file() and not options.overwrite:
        raise UsageError(f"{shown}: there is a bundle already: --overwrite replaces it")
    if options.output.exists() and not (options.output / INFO).is_file():
        raise UsageError(f"{shown}: is there already, and is no bundle; name another folder")
    if options.window is not None and options.hop is not None and options.hop > options.window:
        raise UsageError(f"--hop {options.hop:g}: is longer than the window, {options.window:g} s")


def _read_source(options: ImportOptions) -> ImportedModel:
    source = options.source
    shown = for_display(str(source))
    if not source.exists():
        raise UsageError(f"{shown}: there is no such file or folder")
    if source.suffix == ".zip" or (source / DESCRIPTION).is_file():
        return import_audonnx(options)
    if source.is_dir() and (source / GRAPH).is_file():
        return import_optimum(options)
    if source.is_dir() and (source / CONFIG).is_file():
        return import_checkpoint(options)
    if source.suffix == ".onnx":
        return import_onnx_file(options)
    if source.suffix in _PICKLES:
        raise BundleError(
            f"{shown}: is a pickle, or holds one, which can run any code, and is never loaded. "
            "In a place that you can lose, export it to ONNX, or save it as model.safetensors"
        )
    if source.suffix in KERAS_SUFFIXES:
        return import_keras(options)
    raise UsageError(
        f"{shown}: is nothing that can be imported: that is an .onnx, .h5 or .keras file, a folder "
        "with config.json, preprocessor_config.json and model.onnx or model.safetensors, or a .zip "
        "or folder with model.yaml and model.onnx"
    )


def _write(
    folder: Path, options: ImportOptions, model: ImportedModel, comparison: Comparison | None
) -> Bundle:
    name = options.output.name
    source = to_text(options.source.resolve().name)
    figures = {} if comparison is None else _figures(comparison)
    info: dict[str, Any] = {
        "name": name,
        "description": f"{source}, {model.kind}, imported.",
        "input": dict(model.input),
        "outputs": dict(model.outputs),
        "calibration": {"method": "temperature", "temperature": 1.0},
        "training": {"imported": {"source": source, "kind": model.kind}},
        "figures": figures,
        "licences": {
            "weights": options.licence or model.licence or UNKNOWN_LICENCE,
            "training_data": {},
        },
        "citations": [],
    }
    card = _card(name, info, model, comparison)
    files = {GRAPH: model.graph, CARD: card.encode()}
    if model.data:
        files[GRAPH_DATA] = model.data
    return write_bundle(folder, info, files)


def _figures(comparison: Comparison) -> dict[str, Any]:
    return {
        "import": {
            "recordings": comparison.recordings,
            "windows": comparison.windows,
            "synthetic": comparison.are_synthetic,
            "largest_difference": dict(comparison.differences),
        }
    }


def _card(
    name: str, info: Mapping[str, Any], model: ImportedModel, comparison: Comparison | None
) -> str:
    given, outputs = info["input"], info["outputs"]
    gives = {
        "Labels": outputs.get("classes", {}).get("labels"),
        "Dimensions": outputs.get("dimensions", {}).get("dimensions"),
    }
    what = f"Samples at {given['rate']} Hz, normalisation: {given['normalisation']}"
    if "features" in given:
        what = f"The features {given['features']['name']}, of samples at {given['rate']} Hz"
    limits = (
        "How accurate it is was not measured here. Dimensions are as the model gives them: what "
        "their scale is, its author says."
    )
    if gives["Labels"]:
        limits = (
            "How accurate it is was not measured here: `batchemo evaluate` does that on recordings "
            "with labels. Its probabilities are the softmax of what the model gives, and are not "
            "calibrated: a model that was trained until it is certain is certain of its errors "
            "too."
        )
    lines = [
        f"# {name}",
        "",
        str(info["description"]),
        "",
        f"Licence of the weights: {info['licences']['weights']}.",
        "",
        "## What it takes and gives",
        "",
        f"- {what}, in windows of {given['window']:g} s.",
        *(f"- {what}: {', '.join(names)}." for what, names in gives.items() if names),
        *(f"- {note}" for note in model.notes),
        "",
        "## Compared with its source",
        "",
        "" if comparison is None else comparison.sentence(),
        "",
        "## Limitations",
        "",
        limits,
        "",
    ]
    return "\n".join(lines)
