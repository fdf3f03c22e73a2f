"""`batchemo show`: provenance, rows and columns of every kind of table."""

import json

import pyarrow.parquet as pq
import pytest

from batchemo.tables.columns import (
    DIMENSIONS,
    RECORDINGS,
    SEGMENT_MODEL,
    SEGMENTS,
    SEVERAL_MODELS,
    UNADAPTED,
)


def test_provenance_is_printed_as_text(batchemo, scanned_voices):
    ran = batchemo("show", scanned_voices)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0].endswith("recordings table, 5 rows")
    facts = {line.split()[0]: line for line in lines[2:] if line and not line.startswith(" ")}
    assert "batchemo 0." in facts["made"]
    assert "digest" in facts["model"]
    assert "logmel64" in facts["features"]
    assert "every 1.5 s" in facts["windows"]
    assert "backend onnx" in facts["options"]
    assert "voices" in facts["sources"]


def test_of_a_model_of_waveforms_it_says_what_it_takes(batchemo, voices, make_bundle, tmp_path):
    bundle = make_bundle(waveform=True, padding="forbidden")
    table = tmp_path / "table.parquet"
    assert batchemo("scan", voices, "-o", table, "-m", bundle.path).code in (0, 3)
    out = batchemo("show", table).out
    assert "waveform, normalisation none, padding forbidden, rate 16000" in out


def test_every_column_of_a_recordings_table_has_a_meaning(batchemo, scanned_voices):
    found = json.loads(batchemo("show", scanned_voices, "--json").out)
    assert [c["name"] for c in found["columns"]] == pq.read_schema(scanned_voices).names
    assert {column["meaning"] for column in found["columns"]} == set(RECORDINGS.values())


def test_json_has_the_whole_provenance(batchemo, scanned_voices):
    found = json.loads(batchemo("show", scanned_voices, "--json").out)
    provenance = json.loads(pq.read_schema(scanned_voices).metadata[b"batchemo"])
    assert found["run"] == provenance
    assert found["rows"] == 5
    (model,) = found["models"]
    assert model.startswith("tiny@")


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_columns_of_several_models_have_a_meaning(batchemo, voices, make_bundle, tmp_path, ending):
    bundles = [make_bundle(name=name, seed=seed) for seed, name in enumerate(("a_b", "p_sad"))]
    models = [word for bundle in bundles for word in ("-m", bundle.path)]
    output, windows = tmp_path / f"r.{ending}", tmp_path / f"w.{ending}"
    batchemo("scan", voices / "anna", "-o", output, "--segments", windows, *models, "-j", 1)
    found = json.loads(batchemo("show", output, "--json").out)
    assert {column["meaning"] for column in found["columns"]} == set(SEVERAL_MODELS.values())
    found = json.loads(batchemo("show", windows, "--json").out)
    assert {column["meaning"] for column in found["columns"]} == {
        *SEGMENTS.values(),
        *SEGMENT_MODEL.values(),
    }
    assert list(found["models"]) == ["a_b", "p_sad"]
    output_text = batchemo("show", output).out
    assert all(bundle.digest in output_text for bundle in bundles) or ending == "csv"


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_optional_columns_have_a_meaning(batchemo, voices, make_bundle, tmp_path, ending):
    bundles = [make_bundle(name=name, seed=seed) for seed, name in enumerate(("a", "b"))]
    models = [word for bundle in bundles for word in ("-m", bundle.path)]
    output, windows = tmp_path / f"r.{ending}", tmp_path / f"w.{ending}"
    options = ("--min-confidence", 0.6, "--dimensions", "--speaker", "folder")
    batchemo("scan", voices, "-o", output, "--segments", windows, *models, *options, "-j", 1)
    found = json.loads(batchemo("show", output, "--json").out)
    expected = {*SEVERAL_MODELS.values(), *UNADAPTED.values(), *DIMENSIONS.values()}
    assert {column["meaning"] for column in found["columns"]} == expected
    found = json.loads(batchemo("show", windows, "--json").out)
    expected = {*SEGMENTS.values(), *SEGMENT_MODEL.values(), *DIMENSIONS.values()}
    assert {column["meaning"] for column in found["columns"]} == expected
    output_text = batchemo("show", output).out
    settings = ("min confidence 0.6", "dimensions True", "speaker folder")
    assert all(text in output_text for text in settings) or ending == "csv"


def test_csv_has_counts_by_model_but_no_provenance(batchemo, voices, tiny_bundle, tmp_path):
    output = tmp_path / "results.csv"
    batchemo("scan", voices, "-o", output, "--model", tiny_bundle.path, "-j", 1)
    out = batchemo("show", output).out
    assert "recordings table, 5 rows" in out
    assert "not recorded" in out
    assert "5 by tiny@" in out


def test_columns_of_the_manifest_are_marked(batchemo, voices, tiny_bundle, tmp_path):
    manifest = tmp_path / "list.csv"
    manifest.write_text("file,speaker,p_value\nanna/one.wav,Anna,0.5\n")
    output = tmp_path / "results.parquet"
    batchemo(
        *("scan", "--manifest", manifest, "--base", voices, "-o", output),
        *("--model", tiny_bundle.path, "-j", 1),
    )
    found = json.loads(batchemo("show", output, "--json").out)
    meanings = {column["name"]: column["meaning"] for column in found["columns"]}
    assert meanings["speaker"] == meanings["p_value"] == "from the manifest"


def test_segments_table_is_recognised(batchemo, voices, tiny_bundle, tmp_path):
    windows = tmp_path / "windows.parquet"
    batchemo(
        *("scan", voices / "anna", "-o", tmp_path / "r.parquet", "--segments", windows),
        *("--model", tiny_bundle.path, "-j", 1),
    )
    assert "segments table" in batchemo("show", windows).out


def test_damaged_table_is_a_failure(batchemo, tmp_path):
    path = tmp_path / "results.parquet"
    path.write_bytes(b"PAR1 not really")
    ran = batchemo("show", path)
    assert ran.code == 1
    assert "cannot be read as Parquet" in ran.err
