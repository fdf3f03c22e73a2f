"""`batchemo.scan`, `predict` and `load_bundle`: the tables of the command, in a program."""

import json
import subprocess
import sys
import warnings

import pyarrow.parquet as pq
import pytest

import batchemo as package
from batchemo.batch.events import Progressed
from batchemo.batch.progress_bar import progress_bar
from batchemo.errors import UsageError
from batchemo.workers.heartbeat import RecordingPosition

pytestmark = pytest.mark.usefixtures("inline_workers")


@pytest.fixture
def options(tiny_bundle):
    return {"model": tiny_bundle.path, "jobs": 1, "progress": False}


ROUNDED = ["rms_db", "clipped", "silence"]
"""Text has fewer digits of these."""


def test_scan_returns_the_table_that_the_command_writes(scanned_voices, voices, options):
    table = package.scan(voices, **options)
    assert table.equals(pq.read_table(scanned_voices))
    assert table.schema.equals(pq.read_schema(scanned_voices))
    assert list(table.to_pandas()["status"]).count("failed") == 1


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_labels_are_categories_in_the_models_order_whichever_occur(
    voices, options, tiny_bundle, tmp_path, ending
):
    segments = tmp_path / "segments.parquet"
    table = package.scan(
        voices / "anna", output=tmp_path / f"results.{ending}", segments=segments, **options
    )
    for frame in (table.to_pandas(), pq.read_table(segments).to_pandas()):
        assert tuple(frame["emotion"].cat.categories) == tiny_bundle.labels
        assert frame["emotion"].nunique() < len(tiny_bundle.labels)


def test_scan_takes_lists_of_sources(voices, options):
    folders = [voices / "anna", voices / "bert"]
    listed = package.scan(folders, **options)
    assert listed["file"].to_pylist() == package.scan(*folders, **options)["file"].to_pylist()
    assert len(listed) > 1


def test_scan_with_an_output_writes_and_returns_the_table(voices, options, tmp_path):
    csv, parquet = (
        package.scan(voices / "anna", output=tmp_path / f"results.{ending}", **options)
        for ending in ("csv", "parquet")
    )
    assert parquet.equals(pq.read_table(tmp_path / "results.parquet"))
    assert csv.schema.equals(parquet.schema)
    assert csv.drop_columns(ROUNDED).equals(parquet.drop_columns(ROUNDED))


def test_update_of_an_unchanged_output_changes_nothing(voices, options, tmp_path):
    output = tmp_path / "results.parquet"
    first = package.scan(voices, output=output, **options)
    with pytest.raises(UsageError, match="exists"):
        package.scan(voices, output=output, hop=1, **options)
    again = package.scan(voices, output=output, update=True, **options)
    assert again.equals(first)


def test_parameters_are_the_options_of_the_command(voices, options, tmp_path):
    manifest = tmp_path / "list.csv"
    manifest.write_text("file,speaker\nanna/one.wav,Anna\nbert/one.wav,Bert\n")
    table = package.scan(
        manifest=manifest, base=voices, include="anna/*", window=2, hop=1, channel=0, **options
    )
    assert table.select(["file", "speaker"]).to_pylist() == [
        {"file": "anna/one.wav", "speaker": "Anna"}
    ]
    assert table["model"][0].as_py().endswith("window=2 hop=1 channel=0")


def test_unreadable_source_is_a_warning(options, voices, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text(f"{voices}/anna/one.wav\n\n{voices}/anna/nowhere/\x00odd.wav\n")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = package.scan(files_from=names, **options)
    assert table.num_rows >= 1
    assert [str(w.message).partition(":")[0] for w in caught] == ["could not be read"]


def test_predict_returns_the_rows_of_a_scan(scanned_voices, voices, tiny_bundle):
    scanned = pq.read_table(scanned_voices)
    files = [voices / file for file in scanned["file"].to_pylist()]
    table = package.predict(files, model=tiny_bundle.path)
    same = [name for name in table.column_names if name not in ("root", "file")]
    assert table.select(same).to_pylist() == scanned.select(same).to_pylist()


def test_predict_can_return_the_segments_table(voices, tiny_bundle):
    windows = package.predict(voices / "bert/two.wav", segments=True, model=tiny_bundle.path)
    assert windows["start"].to_pylist() == [0.0, 1.0]
    assert "p_happy" in windows.column_names


def test_predict_of_no_recordings_returns_an_empty_table(tiny_bundle):
    table = package.predict([], model=tiny_bundle.path)
    assert table.num_rows == 0
    assert "p_happy" in table.column_names


def test_model_that_changed_on_disk_is_loaded_again(voices, make_bundle):
    path = voices / "anna" / "one.wav"
    first = package.predict(path, model=make_bundle(seed=0).path)
    second = package.predict(path, model=make_bundle(seed=1).path)
    assert first["model"][0] != second["model"][0]
    assert first["confidence"][0] != second["confidence"][0]


def test_several_models_analyse_in_one_pass(voices, make_bundle, tmp_path):
    models = [make_bundle(name=name, seed=seed).path for seed, name in enumerate("ab")]
    table = package.scan(voices / "anna", model=models, jobs=1, progress=False)
    again = package.scan(
        voices / "anna", model=models, jobs=1, progress=False, output=tmp_path / "r.csv"
    )
    assert again.drop_columns(ROUNDED).equals(table.drop_columns(ROUNDED))
    files = [voices / "anna" / name for name in table["file"].to_pylist()]
    predicted = package.predict(files, model=models)
    assert predicted.drop(["root", "file"]).equals(table.drop(["root", "file"]))
    windows = package.predict(files, model=models, segments=True)
    assert windows["model"].to_pylist().count("a") == windows.num_rows // 2
    with pytest.raises(UsageError, match="no model is named"):
        package.predict(files, model=[])


def test_errors_are_those_of_batchemo(voices, options):
    with pytest.raises(UsageError, match="check the name"):
        package.scan("nowhere", **options)
    with pytest.raises(UsageError, match="no such model"):
        package.predict(voices / "anna" / "one.wav", model="nowhere")
    with pytest.raises(package.BatchemoError):
        package.load_bundle("nowhere")
    assert package.errors.UsageError is UsageError


def test_progress_bar_is_shown_on_request(voices, options, capsys):
    package.scan(voices, **{**options, "progress": True})
    assert "5/5" in capsys.readouterr().err


def test_progress_bar_has_the_position_in_a_long_recording(capsys):
    position = RecordingPosition("/data", "interview.wav", 1000, 2480.0, 7200.0)
    with progress_bar(True) as on_event:
        on_event(Progressed(0, 0, 1, 0, True, 0.0, 0, 1000, (position,)))
        assert "0:41:20 of 2:00:00  interview.wav" in capsys.readouterr().err
        on_event(Progressed(1, 0, 1, 0, True, 7200.0, 1000, 1000))
    assert "interview.wav" not in capsys.readouterr().err.rpartition("\r")[2]


def test_progress_bar_is_hidden_without_a_terminal(voices, options, capsys):
    package.scan(voices, **{**options, "progress": None})
    assert capsys.readouterr().err == ""


@pytest.mark.process
def test_script_can_scan_twice_without_a_main_guard(voices, tiny_bundle, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, batchemo\n"
        "for _ in range(2):\n"
        "    table = batchemo.scan(sys.argv[1], model=sys.argv[2], jobs=2)\n"
        "    print(table.num_rows)\n"
    )
    done = subprocess.run(
        [sys.executable, script, voices, tiny_bundle.path],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.stdout, done.stderr) == ("5\n5\n", "")


@pytest.mark.process
def test_importing_batchemo_imports_nothing_else():
    code = """if True:
        import sys
        before = set(sys.modules)
        import batchemo, json
        print(json.dumps(sorted(set(sys.modules) - before - {"batchemo"})))
        """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not [name for name in json.loads(done.stdout) if not name.startswith(("json", "_json"))]


def test_exported_names_exist_and_are_documented():
    for name in set(package.__all__) - {"__version__"}:
        assert getattr(package, name).__doc__
        assert name in dir(package)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = package.nonsense


def test_shards_of_a_plan_merge_to_the_table_of_a_scan(voices, options, tmp_path):
    plan, shards, merged = tmp_path / "plan.parquet", tmp_path / "shards", tmp_path / "m.parquet"
    package.scan(voices, output=tmp_path / "one.parquet", **options)
    recordings = package.plan(voices, output=plan)

    rows = [
        package.scan(plan=plan, shard=f"{number}/2", output=shards, **options).num_rows
        for number in (1, 2)
    ]

    assert package.merge(shards, output=merged) == recordings == sum(rows)
    assert merged.read_bytes() == (tmp_path / "one.parquet").read_bytes()


def test_a_plan_warns_of_sources_that_cannot_be_read(voices, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.warns(UserWarning, match="no recordings were found"):
        assert package.plan(voices, tmp_path / "empty", output=tmp_path / "plan.parquet") > 0
