"""A checkpoint of Hugging Face, as transformers saves it, exported once through torch.

    config.json                 the class of the model, its sizes and its labels
    model.safetensors           the weights, as plain numbers; or several, with an index
    preprocessor_config.json    the sample rate, and whether samples are normalised

Loading is strict: transformers fills up weights that a file does not have with random ones, and
gives a classifier of the right shape that knows nothing.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from batchemo.common.arrays import Float32
from batchemo.common.text import for_display
from batchemo.errors import BatchemoError, BundleError, MissingExtraError, UsageError
from batchemo.importing import whisper
from batchemo.importing.options import ImportedModel, ImportOptions, Original
from batchemo.importing.plain_data import read_json
from batchemo.importing.waveform_model import (
    CONFIG,
    GRAPH,
    PREPROCESSOR,
    architecture_of,
    import_with_configs,
    labels_of,
)

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_OF_SAMPLES = (
    "Data2VecAudioForSequenceClassification",
    "HubertForSequenceClassification",
    "SEWForSequenceClassification",
    "UniSpeechSatForSequenceClassification",
    "Wav2Vec2ConformerForSequenceClassification",
    "Wav2Vec2ForSequenceClassification",
    "WavLMForSequenceClassification",
)
_OF_FEATURES = "WhisperForAudioClassification"
ARCHITECTURES = (*_OF_SAMPLES, _OF_FEATURES)
"""The classes of transformers that are loaded; a source cannot name another one."""

_OPSET = 17
_EXAMPLE_SAMPLES = 16_000
_SHOWN_KEYS = 4


def import_checkpoint(options: ImportOptions) -> ImportedModel:
    """Export a checkpoint, and import the export; its original is the model in torch."""
    folder = options.source
    config = read_json(folder / CONFIG)
    has_labels = bool(options.labels or options.dimensions)
    architecture = _check(folder, config, has_labels=has_labels)
    torch, transformers = _libraries()
    with _quiet(transformers):
        model = _load(folder, getattr(transformers, architecture))
        with tempfile.TemporaryDirectory() as scratch:
            graph = Path(scratch) / GRAPH
            _export(torch, model, graph, bands=_bands(model, architecture))
            kind = f"a checkpoint of {architecture}"
            imported = import_with_configs(options, graph, kind, config)
        extractor = transformers.AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
    [kind] = imported.outputs.keys() & {"classes", "dimensions"}
    return replace(imported, original=_original(torch, model, extractor, kind))


def _check(folder: Path, config: Mapping[str, Any], *, has_labels: bool) -> str:
    """Return the model's class, after all that can be refused without loading anything."""
    shown = for_display(str(folder))
    if "auto_map" in config:
        raise BundleError(
            f"{shown}: needs Python code of its own (auto_map in {CONFIG}), which is never run. "
            "Export it to ONNX where you trust it, and import that"
        )
    if not any((folder / name).is_file() for name in WEIGHTS):
        if (folder / "pytorch_model.bin").is_file():
            raise BundleError(
                f"{shown}: pytorch_model.bin is a pickle, which can run any code, and is never "
                "loaded. In a place that you can lose, transformers turns it into "
                "model.safetensors: from_pretrained(…).save_pretrained(…)"
            )
        raise UsageError(f"{shown}: has neither {GRAPH} nor {WEIGHTS[0]}")
    architecture = architecture_of(config)
    if architecture not in ARCHITECTURES:
        raise BundleError(
            f"{shown}: {architecture} cannot be imported; {', '.join(ARCHITECTURES)} can"
        )
    read_json(folder / PREPROCESSOR)
    if not has_labels:
        labels_of(config, folder / CONFIG)
    return architecture


def _libraries() -> tuple[Any, Any]:
    try:
        import torch
        import transformers
    except ImportError as error:
        raise MissingExtraError(
            "checkpoints are loaded by torch and transformers: pip install 'batchemo[import]'"
        ) from error
    return torch, transformers


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Keep what libraries say of their own affairs, such as deprecations, from the user."""
    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers.logging.set_verbosity(before)


def _load(folder: Path, kind: Any) -> Any:
    """Load the model, and refuse any weight that is missing or left over."""
    shown = for_display(str(folder))
    try:
        model, info = kind.from_pretrained(
            folder,
            output_loading_info=True,
            local_files_only=True,
            use_safetensors=True,
            attn_implementation="eager",
        )
    # Whatever a file holds, each of the libraries has errors of its own for it.
    except Exception as error:
        reason = for_display(" ".join(str(error).split())[:300])
        raise BundleError(f"{shown}: transformers cannot load it: {reason}") from error
    wrong = {
        "missing": info.get("missing_keys", ()),
        "not known to this class": info.get("unexpected_keys", ()),
        "of another shape": info.get("mismatched_keys", ()),
    }
    problems = [f"{what} are {_names(keys)}" for what, keys in wrong.items() if keys]
    if problems:
        raise BundleError(
            f"{shown}: its weights do not fit {kind.__name__}: {'; '.join(problems)}. With random "
            "weights in their place it would give labels all the same; it needs the class that it "
            "was trained with"
        )
    return model.eval()


def _names(keys: Iterable[Any]) -> str:
    """Return the first names of weights; of those of another shape, the shapes come with them."""
    names = sorted(key if isinstance(key, str) else str(key[0]) for key in keys)
    more = f" and {len(names) - _SHOWN_KEYS} more" if len(names) > _SHOWN_KEYS else ""
    return for_display(", ".join(names[:_SHOWN_KEYS])) + more


def _bands(model: Any, architecture: str) -> int | None:
    return int(model.config.num_mel_bins) if architecture == _OF_FEATURES else None


def _export(torch: Any, model: Any, path: Path, *, bands: int | None) -> None:
    class Logits(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, values: Any) -> Any:
            return self.model(values).logits

    shape = (2, _EXAMPLE_SAMPLES) if bands is None else (2, bands, whisper.FRAMES)
    name = "input_values" if bands is None else "input_features"
    free = {0: "batch", 1: "samples"} if bands is None else {0: "batch"}
    try:
        torch.onnx.export(
            Logits().eval(),
            (torch.randn(shape),),
            str(path),
            input_names=[name],
            output_names=["logits"],
            dynamic_axes={name: free, "logits": {0: "batch"}},
            opset_version=_OPSET,
            dynamo=False,
        )
    except Exception as error:
        reason = for_display(" ".join(str(error).split())[:300])
        raise BatchemoError(f"torch cannot export the model: {reason}") from error


def _original(torch: Any, model: Any, extractor: Any, kind: str) -> Original:
    def run(samples: Float32) -> Mapping[str, Float32]:
        given = extractor(samples, sampling_rate=extractor.sampling_rate, return_tensors="pt")
        with torch.no_grad():
            logits: Float32 = model(**given).logits[0].numpy()
        return {kind: logits}

    return run
