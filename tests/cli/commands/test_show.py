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


def test_a_person_reads_how_a_table_was_made(batchemo, scanned_voices):
    ran = batchemo("show", scanned_voices)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0].endswith("recordings table, 5 rows")
    told = {line.split()[0]: line for line in lines[2:] if line and not line.startswith(" ")}
    assert "batchemo 0." in told["made"]
    assert "digest" in told["model"]
    assert "logmel64" in told["features"]
    assert "every 1.5 s" in told["windows"]
    assert "backend onnx" in told["options"]
    assert "voices" in told["sources"]


def test_every_column_of_a_scan_is_explained(batchemo, scanned_voices):
    found = json.loads(batchemo("show", scanned_voices, "--json").out)
    assert [c["name"] for c in found["columns"]] == pq.read_schema(scanned_voices).names
    assert {column["meaning"] for column in found["columns"]} == set(RECORDINGS.values())


def test_json_holds_the_account_whole(batchemo, scanned_voices):
    found = json.loads(batchemo("show", scanned_voices, "--json").out)
    provenance = json.loads(pq.read_schema(scanned_voices).metadata[b"batchemo"])
    assert found["run"] == provenance
    assert found["rows"] == 5
    (model,) = found["models"]
    assert model.startswith("tiny@")


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_columns_of_several_models_are_explained(batchemo, voices, make_bundle, tmp_path, ending):
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
    told = batchemo("show", output).out
    assert all(bundle.digest in told for bundle in bundles) or ending == "csv"


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_what_was_asked_for_beyond_is_explained(batchemo, voices, make_bundle, tmp_path, ending):
    bundles = [make_bundle(name=name, seed=seed) for seed, name in enumerate(("a", "b"))]
    models = [word for bundle in bundles for word in ("-m", bundle.path)]
    output, windows = tmp_path / f"r.{ending}", tmp_path / f"w.{ending}"
    asked = ("--min-confidence", 0.6, "--dimensions", "--speaker", "folder")
    batchemo("scan", voices, "-o", output, "--segments", windows, *models, *asked, "-j", 1)
    found = json.loads(batchemo("show", output, "--json").out)
    expected = {*SEVERAL_MODELS.values(), *UNADAPTED.values(), *DIMENSIONS.values()}
    assert {column["meaning"] for column in found["columns"]} == expected
    found = json.loads(batchemo("show", windows, "--json").out)
    expected = {*SEGMENTS.values(), *SEGMENT_MODEL.values(), *DIMENSIONS.values()}
    assert {column["meaning"] for column in found["columns"]} == expected
    told = batchemo("show", output).out
    words = ("min confidence 0.6", "dimensions True", "speaker folder")
    assert all(word in told for word in words) or ending == "csv"


def test_csv_tells_its_rows_and_models_and_that_it_has_no_account(
    batchemo, voices, tiny_bundle, tmp_path
):
    output = tmp_path / "results.csv"
    batchemo("scan", voices, "-o", output, "--model", tiny_bundle.path, "-j", 1)
    out = batchemo("show", output).out
    assert "recordings table, 5 rows" in out
    assert "not recorded" in out
    assert "5 by tiny@" in out


def test_a_manifests_own_columns_are_told_apart(batchemo, voices, tiny_bundle, tmp_path):
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


def test_windows_over_time_are_a_segments_table(batchemo, voices, tiny_bundle, tmp_path):
    windows = tmp_path / "windows.parquet"
    batchemo(
        *("scan", voices / "anna", "-o", tmp_path / "r.parquet", "--segments", windows),
        *("--model", tiny_bundle.path, "-j", 1),
    )
    assert "segments table" in batchemo("show", windows).out


def test_a_file_that_is_no_table_is_refused(batchemo, tmp_path):
    path = tmp_path / "results.parquet"
    path.write_bytes(b"PAR1 not really")
    ran = batchemo("show", path)
    assert ran.code == 1
    assert "cannot be read as Parquet" in ran.err
