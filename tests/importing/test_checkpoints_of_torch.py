"""Tiny checkpoints of random weights, saved by transformers, give the same numbers as a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_sources import LABELS, write_export
from voices import voice

from batchemo.bundles.onnx_model import open_graph
from batchemo.errors import BundleError
from batchemo.importing.options import ImportOptions
from batchemo.importing.run import import_model

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

NAMES = {str(number): name for number, name in enumerate(LABELS)}
ENCODER = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "classifier_proj_size": 24,
    "initializer_range": 0.3,
}
WHISPER = {
    "d_model": 32,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 48,
    "decoder_layers": 1,
    "decoder_attention_heads": 2,
    "classifier_proj_size": 24,
    "init_std": 0.3,
}
MODELS = {
    "wav2vec2": ("Wav2Vec2", "group"),
    "wav2vec2 large": ("Wav2Vec2", "layer"),
    "hubert": ("Hubert", "group"),
    "wavlm": ("WavLM", "layer"),
    "whisper": ("Whisper", None),
}


def save(folder: Path, name: str) -> Any:
    """Save a tiny checkpoint as a user has it; return the model."""
    kind, norm = MODELS[name]
    torch.manual_seed(0)
    labels = {"id2label": NAMES, "label2id": {label: int(n) for n, label in NAMES.items()}}
    config_class = getattr(transformers, f"{kind}Config")
    if kind == "Whisper":
        config = config_class(**WHISPER, **labels)
        model = transformers.WhisperForAudioClassification(config)
        extractor = transformers.WhisperFeatureExtractor()
    else:
        config = config_class(
            **ENCODER, **labels, feat_extract_norm=norm, do_stable_layer_norm=norm == "layer"
        )
        model = getattr(transformers, f"{kind}ForSequenceClassification")(config)
        extractor = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=norm == "layer")
    model.eval().save_pretrained(folder)
    extractor.save_pretrained(folder)
    return model, extractor


def recordings() -> list[Any]:
    return [
        voice(seconds, 16000, seed=index).astype(np.float32)
        for index, seconds in enumerate((0.5, 2.0, 2.0, 30.0))
    ]


@pytest.mark.parametrize("name", list(MODELS))
def test_a_checkpoint_and_its_export_give_the_logits_of_torch(tmp_path: Path, name: str) -> None:
    model, extractor = save(tmp_path / "source", name)
    options = {"window": 30.0, "output": tmp_path / "models" / "mine"}
    result = import_model(ImportOptions(source=tmp_path / "source", **options))
    assert result.comparison.differences["classes"] < 1e-4
    bundle = result.bundle
    assert bundle.labels == ("neutral", "happy", "angry", "sad")
    forward = open_graph(bundle)

    samples = recordings()
    expected = []
    for each in samples:
        given = extractor(each, sampling_rate=16000, return_tensors="pt")
        with torch.no_grad():
            expected.append(model(**given).logits[0].numpy())
    prepared = [bundle.input.prepare(each, 30.0) for each in samples]
    for one, logits in zip(prepared, expected, strict=True):
        np.testing.assert_allclose(forward(one[None])["classes"][0], logits, atol=1e-4)
    batched = forward(np.stack(prepared[1:3]))["classes"]
    np.testing.assert_allclose(batched, expected[1:3], atol=1e-4)
    assert np.abs(expected[1] - expected[2]).max() > 1e-3  # Else the above would show nothing.

    # The same as an export, as optimum writes it: its graph is that of the bundle.
    exported = write_export(tmp_path / "export", bundle.read("model.onnx"))
    assert (
        import_model(
            ImportOptions(source=exported, output=tmp_path / "again", normalise=name != "whisper")
        ).bundle.labels
        == bundle.labels
    )


def test_weights_that_are_missing_or_have_other_names_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    save(tmp_path / "source", "wav2vec2")
    file = tmp_path / "source" / "model.safetensors"
    weights = load_file(file)
    weights["classifier.dense.weight"] = weights.pop("classifier.weight")
    save_file(weights, file, metadata={"format": "pt"})

    with pytest.raises(BundleError, match=r"missing are classifier\.weight; not known to this"):
        import_model(ImportOptions(source=tmp_path / "source", output=tmp_path / "out"))
    file.write_bytes(b"\x80\x04 no weights")
    with pytest.raises(BundleError, match="transformers cannot load it"):
        import_model(ImportOptions(source=tmp_path / "source", output=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_of_a_regression_gives_dimensions(tmp_path: Path) -> None:
    names = dict(enumerate(("arousal", "dominance", "valence")))
    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(
        **ENCODER,
        problem_type="regression",
        id2label=names,
        label2id={label: number for number, label in names.items()},
    )
    model = transformers.Wav2Vec2ForSequenceClassification(config).eval()
    model.save_pretrained(tmp_path / "source")
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path / "source")
    result = import_model(ImportOptions(source=tmp_path / "source", output=tmp_path / "mine"))

    assert result.bundle.dimensions == ("arousal", "dominance", "valence")
    assert result.bundle.labels == ()
    assert result.comparison.differences["dimensions"] < 1e-4
    assert result.bundle.outputs["embedding"]["size"] == ENCODER["classifier_proj_size"]
