"""An import ends with a bundle that gives what its source gives, and scans like any other."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_sources import net, write_export
from voices import write_voice

from batchemo import load_bundle, scan
from batchemo.bundles import open_classifier
from batchemo.errors import BundleError, UsageError
from batchemo.importing import run
from batchemo.importing.options import ImportOptions
from batchemo.importing.run import import_model
from batchemo.tables.read import read_recordings_table

pytest.importorskip("onnx")


@pytest.fixture
def voices_folder(tmp_path: Path) -> Path:
    """Recordings of different lengths, longer and shorter than a window."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for number, seconds in enumerate((0.8, 1.0, 2.3, 2.3, 7.0)):
        write_voice(folder / f"{number}.wav", seconds=seconds, seed=number)
    return folder


def options(tmp_path: Path, **more: Any) -> ImportOptions:
    source = write_export(tmp_path / "export", net(mask=True))
    return ImportOptions(source=source, output=tmp_path / "models" / "mine", **more)


def test_the_bundle_gives_what_its_source_gives(tmp_path: Path, voices_folder: Path) -> None:
    result = import_model(options(tmp_path, window=3.0, recordings=(str(voices_folder),)))

    assert result.comparison.recordings == 5
    assert 0 <= result.comparison.differences["classes"] < 1e-4
    assert result.comparison.same_label == 1.0
    bundle = load_bundle(tmp_path / "models" / "mine")
    assert bundle.labels == ("neutral", "happy", "angry", "sad")
    assert result.comparison.sentence() in bundle.card
    assert bundle.info["figures"]["import"]["recordings"] == 5
    assert list((tmp_path / "models").iterdir()) == [bundle.path]


def test_a_bundle_that_gives_other_numbers_is_not_written(tmp_path: Path, monkeypatch: Any) -> None:
    read = run._read_source

    def other(options: ImportOptions) -> Any:
        model = read(options)
        changed = model.original
        return replace(model, original=lambda samples: {"classes": changed(samples)["classes"] + 1})

    monkeypatch.setattr(run, "_read_source", other)
    with pytest.raises(BundleError, match="other numbers than its source"):
        import_model(options(tmp_path))
    assert not (tmp_path / "models" / "mine").exists()


def test_a_bundle_is_replaced_only_on_request_and_a_folder_never(tmp_path: Path) -> None:
    wanted = options(tmp_path)
    import_model(wanted)
    with pytest.raises(UsageError, match="--overwrite replaces it"):
        import_model(wanted)
    import_model(replace(wanted, overwrite=True))
    (tmp_path / "other").mkdir()
    with pytest.raises(UsageError, match="is no bundle"):
        import_model(replace(wanted, output=tmp_path / "other", overwrite=True))


@pytest.mark.parametrize("name", ["nothing", "text.txt"])
def test_what_is_no_source_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.txt").write_text("no model")
    with pytest.raises(UsageError, match=r"no such file|nothing that can be imported"):
        import_model(ImportOptions(source=tmp_path / name, output=tmp_path / "out"))


@pytest.mark.parametrize("name", ["model.pt", "pytorch_model.bin", "svm.pkl", "svm.joblib"])
def test_a_pickle_is_never_loaded(tmp_path: Path, name: str) -> None:
    sprung = tmp_path / "sprung"
    trap = b"cbuiltins\nopen\n(V" + str(sprung).encode() + b"\nVw\ntR."
    with zipfile.ZipFile(tmp_path / name, "w") as archive:  # As torch saves it.
        archive.writestr("archive/data.pkl", trap)
    with pytest.raises(BundleError, match="is a pickle, or holds one"):
        import_model(ImportOptions(source=tmp_path / name, output=tmp_path / "out"))
    (tmp_path / name).rename(tmp_path / "model.zip")
    with pytest.raises(UsageError, match=r"has no model\.yaml"):
        import_model(ImportOptions(source=tmp_path / "model.zip", output=tmp_path / "out"))
    assert not sprung.exists()


@pytest.mark.parametrize("softmax", ["Softmax", "LogSoftmax"])
def test_probabilities_and_their_logarithms_are_understood(tmp_path: Path, softmax: str) -> None:
    source = write_export(tmp_path / "export", net(softmax=softmax))
    result = import_model(ImportOptions(source=source, output=tmp_path / "mine", window=3.0))

    assert result.comparison.same_label == 1.0
    kind = "probabilities" if softmax == "Softmax" else "classes"
    assert set(result.comparison.differences) == {kind}


def test_exports_of_a_regression_give_dimensions(tmp_path: Path, voices_folder: Path) -> None:
    config = {
        "problem_type": "regression",
        "id2label": {"0": "Arousal", "1": "dominance", "2": "pleasure"},
    }
    source = write_export(tmp_path / "export", net(labels=3), config=config)
    wanted = ImportOptions(source=source, output=tmp_path / "mine", window=3.0)
    with pytest.raises(UsageError, match="--label OLD=NEW"):
        import_model(wanted)
    result = import_model(replace(wanted, rename={"pleasure": "valence"}))

    assert result.bundle.dimensions == ("arousal", "dominance", "valence")
    assert set(result.comparison.differences) == {"dimensions"}
    row = scan(voices_folder, model=str(result.bundle.path), jobs=1).to_pylist()[0]
    import soundfile

    samples, _ = soundfile.read(voices_folder / "0.wav", dtype="float32")
    expected = result.model.original(samples)["dimensions"]
    found = [row[name] for name in result.bundle.dimensions]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_scan_gives_what_the_source_gives(tmp_path: Path, voices_folder: Path) -> None:
    result = import_model(options(tmp_path, window=3.0))
    table = scan(voices_folder, model=str(result.bundle.path), jobs=1)

    shortest = table.slice(0, 1).to_pylist()[0]
    assert shortest["status"] == "ok"
    import soundfile

    samples, rate = soundfile.read(voices_folder / "0.wav", dtype="float32")
    assert rate == 16000
    logits = result.model.original(samples)["classes"]
    expected = np.exp(logits) / np.exp(logits).sum()
    found = [shortest[f"p_{label}"] for label in result.bundle.labels]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_8_bits_make_it_smaller_and_say_what_they_change(
    tmp_path: Path, voices_folder: Path
) -> None:
    # A layer as large as those that 8 bits are for.
    source = write_export(tmp_path / "export", net(hidden=512))
    wanted = ImportOptions(source=source, output=tmp_path / "whole", window=3.0)
    whole = import_model(wanted)
    small = import_model(
        replace(wanted, output=tmp_path / "small", int8=True, recordings=(str(voices_folder),))
    )

    assert len(small.model.graph) < len(whole.model.graph)
    assert whole.comparison.differences["classes"] < small.comparison.differences["classes"]
    assert small.comparison.same_label is not None
    assert small.comparison.same_label > 0.7
    assert "8 bits" in small.bundle.card
    assert small.comparison.sentence() in small.bundle.card
    table = scan(voices_folder, model=str(small.bundle.path), jobs=1)
    assert set(table["status"].to_pylist()) == {"ok"}


def test_in_8_bits_a_window_does_not_depend_on_those_beside_it(tmp_path: Path) -> None:
    source = write_export(tmp_path / "export", net(hidden=512))
    wanted = ImportOptions(source=source, output=tmp_path / "small", window=1.0, int8=True)
    bundle = import_model(wanted).bundle
    random = np.random.default_rng(0)
    windows = [
        bundle.input.prepare((random.normal(size=16000) * level).astype(np.float32), 1.0)
        for level in (0.01, 1.0)
    ]
    windows[1] *= 5
    classifier = open_classifier(bundle)
    together = classifier.run(np.stack(windows)).logits

    assert together is not None
    np.testing.assert_array_equal(together[:1], classifier.run(windows[0][None]).logits)


@pytest.mark.process
def test_tables_are_the_same_bytes_for_any_number_of_workers_and_batch(
    tmp_path: Path, voices_folder: Path
) -> None:
    model = str(import_model(options(tmp_path, window=3.0)).bundle.path)
    contents = []
    for jobs in (1, 3):
        folder = tmp_path / f"out{jobs}"
        folder.mkdir()
        names = {name: folder / f"{name}.parquet" for name in ("output", "segments", "embeddings")}
        scan(voices_folder, model=model, jobs=jobs, **names)
        contents.append([path.read_bytes() for path in names.values()])
        assert read_recordings_table(names["output"]).num_rows == 5
    assert contents[0] == contents[1]


def test_a_model_of_ours_and_an_imported_one_share_a_decoding(
    tmp_path: Path, voices_folder: Path, make_bundle: Any
) -> None:
    imported = import_model(options(tmp_path, window=3.0)).bundle
    ours = make_bundle(labels=["neutral", "happy", "sad", "angry"])
    together = scan(voices_folder, model=[str(ours.path), str(imported.path)], jobs=1).to_pylist()
    alone = scan(voices_folder, model=str(imported.path), jobs=1).to_pylist()

    for row, own in zip(together, alone, strict=True):
        for label in imported.labels:
            assert row[f"p_{label}_mine"] == own[f"p_{label}"]
