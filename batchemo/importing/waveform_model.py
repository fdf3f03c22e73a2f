"""An ONNX graph that takes samples: one file with options, or a folder as `optimum` exports it.

model.onnx                  the graph: input_values (batch, samples), attention_mask, logits
config.json                 the labels (id2label), and what they are (problem_type)
preprocessor_config.json    the sample rate, and whether samples are normalised (do_normalize)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from batchemo.bundles.onnx_model import add_weights
from batchemo.bundles.schema import GRAPH_DATA
from batchemo.common.arrays import Float32
from batchemo.common.text import for_display
from batchemo.errors import BundleError, UsageError
from batchemo.importing import whisper
from batchemo.importing.graph import (
    only_array,
    open_graph_file,
    take_waveform,
)
from batchemo.importing.graph_outputs import GivenOutputs, give_outputs
from batchemo.importing.options import (
    LONGEST,
    SHORTEST,
    WINDOW,
    ImportedModel,
    ImportOptions,
    Original,
)
from batchemo.importing.plain_data import read_json

_OF_SAMPLES = "Wav2Vec2FeatureExtractor"
"""The class of transformers that gives models the samples themselves."""
_REGRESSION = "regression"
GRAPH, CONFIG, PREPROCESSOR = "model.onnx", "config.json", "preprocessor_config.json"


def import_onnx_file(options: ImportOptions) -> ImportedModel:
    """Import one ONNX file; the options say all that the file does not."""
    names = options.labels or options.dimensions
    if options.input is None or options.rate is None or not names:
        raise UsageError(
            f"{for_display(str(options.source))}: an ONNX file does not say what it takes, nor "
            "what its classes are: add --input waveform, --rate 16000 and --labels a,b,c in the "
            "order of its output"
        )
    return import_graph(
        options,
        options.source,
        "an ONNX file",
        names=names,
        are_dimensions=bool(options.dimensions),
        rate=options.rate,
        normalise=bool(options.normalise),
    )


def import_optimum(options: ImportOptions) -> ImportedModel:
    """Import a folder as `optimum-cli export onnx` writes it."""
    config = read_json(options.source / CONFIG)
    kind = f"an ONNX export of {architecture_of(config)}"
    return import_with_configs(options, options.source / GRAPH, kind, config)


def import_with_configs(
    options: ImportOptions, graph: Path, kind: str, config: Mapping[str, Any]
) -> ImportedModel:
    """Import a graph whose labels and input are described by the files of the source's folder."""
    folder = options.source
    preprocessor = read_json(folder / PREPROCESSOR)
    rate = options.rate or _number(preprocessor, "sampling_rate", folder / PREPROCESSOR)
    extractor = preprocessor.get("feature_extractor_type", _OF_SAMPLES)
    bands = None
    if extractor == whisper.EXTRACTOR:
        whisper.check_settings(preprocessor, folder / PREPROCESSOR)
        bands = _number(preprocessor, "feature_size", folder / PREPROCESSOR)
    elif extractor != _OF_SAMPLES:
        raise BundleError(
            f"{folder / PREPROCESSOR}: {for_display(str(extractor))} makes features that cannot be "
            "computed here; models that take samples can be imported, and those of Whisper"
        )
    normalise = options.normalise
    if normalise is None:
        normalise = bool(preprocessor.get("do_normalize", bands is None))
    return import_graph(
        options,
        graph,
        kind,
        names=options.dimensions or options.labels or labels_of(config, folder / CONFIG),
        are_dimensions=bool(options.dimensions) or is_regression(config),
        rate=rate,
        normalise=normalise,
        bands=bands,
    )


def labels_of(config: Mapping[str, Any], where: Path) -> tuple[str, ...]:
    """Return the labels of a config.json, in the order of the logits."""
    kind = config.get("problem_type")
    if kind not in (None, "single_label_classification", _REGRESSION):
        raise BundleError(
            f"{where}: is for {for_display(str(kind))}; a scan predicts one label of several, or "
            "dimensions"
        )
    found = config.get("id2label")
    if not isinstance(found, Mapping) or set(found) != {str(n) for n in range(len(found))}:
        raise BundleError(
            f"{where}: id2label does not number the labels from 0; --labels a,b,c names them"
        )
    return tuple(str(found[str(number)]) for number in range(len(found)))


def is_regression(config: Mapping[str, Any]) -> bool:
    """Return whether a config.json is of a model that gives dimensions."""
    return config.get("problem_type") == _REGRESSION


def architecture_of(config: Mapping[str, Any]) -> str:
    """Return the class of transformers that a config.json names."""
    names = config.get("architectures")
    first = names[0] if isinstance(names, list) and names else config.get("model_type", "a model")
    return for_display(str(first))


def _number(data: Mapping[str, Any], key: str, where: Path) -> int:
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BundleError(f"{where}: {key} should be a whole number, and is {value!r}")
    return value


def import_graph(
    options: ImportOptions,
    path: Path,
    kind: str,
    *,
    names: Sequence[str],
    are_dimensions: bool = False,
    output: str | None = None,
    labelled: Collection[str] | None = None,
    rate: int,
    normalise: bool,
    bands: int | None = None,
) -> ImportedModel:
    """Import a graph; `bands` is how many Whisper's features have, if it takes those.

    `output` and `labelled` are as in `give_outputs`.
    """
    graph = open_graph_file(path)
    before: bytes = graph.model.SerializeToString()
    for_single_windows = False
    if bands is None:
        count, for_single_windows = take_waveform(graph)
        given = waveform_input(options, rate, count, normalise=normalise)
    else:
        whisper.take_samples(graph, only_array(graph).name, bands)
        given = whisper_input(options, normalise=normalise)
    outputs = give_outputs(
        graph,
        options,
        names,
        are_dimensions=are_dimensions,
        output=output,
        labelled=labelled,
    )
    return ImportedModel(
        kind=kind,
        graph=graph.bytes(),
        data=graph.data,
        input=given,
        outputs=outputs.info,
        original=original_of(before, graph.data, outputs, normalise=normalise, bands=bands),
        notes=outputs.notes,
        for_single_windows=for_single_windows,
    )


def waveform_input(
    options: ImportOptions, rate: int, count: int | None, *, normalise: bool
) -> dict[str, Any]:
    """Return the `input` of bundle.json; `count` is a fixed number of samples."""
    window = options.window or WINDOW
    span = [min(SHORTEST, window), max(LONGEST, window)]
    if count is not None:
        fixed = count / rate
        if options.window not in (None, fixed):
            raise UsageError(f"--window {options.window:g}: the graph takes {fixed:g} s only")
        window, span = fixed, [fixed, fixed]
    return {
        "type": "waveform",
        "rate": rate,
        "window": window,
        "hop": options.hop or window,
        "window_range": span,
        "normalisation": "zero_mean_unit_variance" if normalise else "none",
        # What padding does to the answer is not known, unless the graph takes one length only.
        "padding": "forbidden" if count is None else "trained",
    }


def whisper_input(options: ImportOptions, *, normalise: bool) -> dict[str, Any]:
    """Return the `input` of bundle.json for a model that takes Whisper's features."""
    window = options.window or float(whisper.SECONDS)
    if window > whisper.SECONDS:
        raise UsageError(f"--window {window:g}: Whisper takes {whisper.SECONDS} s at most")
    return {
        "type": "waveform",
        "rate": whisper.RATE,
        "window": window,
        "hop": options.hop or window,
        "window_range": [min(SHORTEST, window), float(whisper.SECONDS)],
        "normalisation": "zero_mean_unit_variance" if normalise else "none",
        # The graph itself fills every window up, to 30 s.
        "padding": "masked",
    }


def original_of(
    content: bytes, data: bytes, outputs: GivenOutputs, *, normalise: bool, bands: int | None
) -> Original:
    """Return what the graph of the source gives for the samples of one window, by kind.

    Its inputs are made here as its author's tools make them, and not as a bundle does.
    """

    @cache
    def session() -> Any:
        """Open the graph: not before the bundle's has shown in its trial what it takes."""
        import onnxruntime

        options: Any = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        if data:
            add_weights(options, {GRAPH_DATA: data})
        # Nothing is fused or folded: another way than the bundle's to the same numbers.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    kinds = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_}

    def run(samples: Float32) -> Mapping[str, Float32]:
        values = samples
        if normalise:
            values = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
        given: dict[str, Any] = {}
        for each in session().get_inputs():
            if bands is not None:
                given[each.name] = whisper.features_of(values, bands)[None]
                continue
            array = values[None] if len(each.shape) == 2 else values[None, None]
            sizes = [size for size in each.shape[-1:] if isinstance(size, int)]
            if sizes:
                array = np.zeros((*array.shape[:-1], sizes[0]), np.float32)
                array[..., : len(values)] = values
            if each.type != "tensor(float)":
                array = np.ones(array.shape, kinds[each.type])
            given[each.name] = array
        results = session().run(list(outputs.originals.values()), given)
        pairs = zip(outputs.originals, results, strict=True)
        return {kind: result[0] for kind, result in pairs}

    return run
