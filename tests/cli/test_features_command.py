import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from threadpoolctl import threadpool_limits
from voices import voice, write_voice

from batchemo.cli.commands.features import command
from batchemo.features import FEATURE_SETS, extract, get_feature_set


@pytest.fixture
def features(batchemo, voices, tmp_path):
    """Runs the command on `voices` with one worker; gives the table as rows."""

    def call(recipe, *options, code=3):
        output = tmp_path / f"{recipe}.parquet"
        args = ("-o", output, "--recipe", recipe, "-j", 1, *options)
        ran = batchemo("features", voices, *args)
        assert ran.code == code, ran.err
        return pq.read_table(output)

    return call


def test_vectors_give_a_row_a_window_with_the_numbers_of_extract(features, voices):
    rows = features("mfcc40", "--window", 2, "--hop", 1).to_pylist()
    heard = [row for row in rows if row["file"] == "bert/one.wav"]
    assert [(row["start"], row["end"]) for row in heard] == [(0.0, 2.0), (1.0, 3.0)]
    recipe = get_feature_set("mfcc40")
    samples, rate = soundfile.read(voices / "bert/one.wav", dtype="float32")
    assert rate != recipe.rate, "so that resampling is part of it"
    for row in heard:
        assert row["speech"] is True
        assert None not in [row[name] for name in recipe.names]
    assert heard[0]["mfcc_0"] != heard[1]["mfcc_0"]


def test_numbers_are_those_of_extract_bit_for_bit(batchemo, tmp_path):
    recipe = get_feature_set("stats162")
    path = write_voice(tmp_path / "in" / "a.wav", rate=recipe.rate)
    batchemo(*("features", path, "-o", tmp_path / "f.parquet", "--recipe", "stats162", "-j", 1))
    (row,) = pq.read_table(tmp_path / "f.parquet").to_pylist()
    samples, _ = soundfile.read(path, dtype="float32")
    with threadpool_limits(1):  # as in a worker: sums of several threads have other last bits
        wanted = extract(recipe, samples)
    assert np.array_equal(np.array([row[n] for n in recipe.names], np.float32), wanted)


def test_frames_give_a_row_a_frame_in_order(features):
    table = features("frames62")
    rows = [row for row in table.to_pylist() if row["file"] == "anna/one.wav"]
    assert [row["frame"] for row in rows] == list(range(130))
    assert {(row["start"], row["status"]) for row in rows} == {(0.0, "ok")}
    assert table.column_names[-62:] == list(get_feature_set("frames62").names)


def test_a_recording_that_failed_is_one_row_with_its_reason_and_no_features(features):
    rows = [row for row in features("mfcc40").to_pylist() if row["status"] == "failed"]
    assert [(row["file"], row["reason"]) for row in rows] == [("bert/broken.wav", "not_audio")]
    assert rows[0]["start"] is rows[0]["speech"] is rows[0]["mfcc_0"] is None


def test_the_same_bytes_whatever_the_number_of_workers(batchemo, tmp_path):
    for number in range(12):
        write_voice(tmp_path / "in" / f"{number}.wav", seconds=1 + number % 3, seed=number)
    outputs = [tmp_path / "one.parquet", tmp_path / "two.parquet"]
    for jobs, output in enumerate(outputs, start=1):
        args = ("-o", output, "--recipe", "mfcc40", "-j", jobs)
        assert batchemo("features", tmp_path / "in", *args).code == 0
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    files = pq.read_table(outputs[0])["file"].to_pylist()
    assert sorted(files) == sorted(f"{number}.wav" for number in range(12))


def test_the_table_holds_the_recipe_and_show_reads_it_back(batchemo, features, tmp_path):
    features("mfcc40", "--param", "n_mfcc=20")
    out = batchemo("show", tmp_path / "mfcc40.parquet").out
    assert "features table" in out
    assert "mfcc40, means version 1" in out
    assert "n mfcc 20" in out


def test_parameters_change_the_columns(features):
    table = features("mfcc40", "--param", "descriptors=rms,mfcc", "--param", "n_mfcc=2")
    assert table.column_names[-3:] == ["rms", "mfcc_0", "mfcc_1"]


def test_a_manifests_columns_are_carried_along(batchemo, voices, tmp_path):
    manifest = tmp_path / "list.csv"
    manifest.write_text("file,speaker\nanna/one.wav,Anna\nnowhere.wav,Nobody\n")
    output = tmp_path / "f.csv"
    args = ("--base", voices, "-o", output, "--recipe", "mfcc40", "-j", 1)
    assert batchemo("features", "--manifest", manifest, *args).code == 3
    lines = output.read_text().splitlines()
    assert lines[0].endswith('"speaker"')
    assert lines[1].endswith('"Anna"')
    assert '"missing"' in lines[2]
    assert lines[2].endswith('"Nobody"')


def test_an_output_that_exists_is_replaced_only_when_asked(batchemo, voices, tmp_path):
    output = tmp_path / "f.csv"
    output.write_text("precious")
    args = ("features", voices / "anna", "-o", output, "--recipe", "mfcc40", "-j", 1)
    refused = batchemo(*args)
    assert refused.code == 2
    assert output.read_text() == "precious"
    assert batchemo(*args, "--overwrite").code == 0
    assert output.read_text().startswith('"root"')


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--recipe", "mfcc"), "there are: logmel64"),
        (("--recipe", "mfcc40", "--param", "n_mfcc"), "NAME=VALUE"),
        (("--recipe", "mfcc40", "--param", "n_mfcc=many"), "no whole number"),
        (("--recipe", "mfcc40", "--param", "colour=red"), "it has: parts"),
        (("--recipe", "mfcc40", "--window", "0"), "window of 0"),
        (("--recipe", "combined"), "take logmel64 and functionals"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_work(batchemo, voices, tmp_path, options, told):
    ran = batchemo("features", voices, "-o", tmp_path / "f.csv", *options)
    assert ran.code == 2
    assert told in ran.err
    assert list(tmp_path.iterdir()) == []


def test_every_recipe_is_named_in_the_help(batchemo):
    told = batchemo("features", "--help").out
    assert all(f"  {name} " in told for name in FEATURE_SETS)
    assert command.epilog is not None


def test_stopped_it_leaves_nothing_behind(voices, tmp_path):
    rate = 8000
    long = np.tile(voice(10, rate), 180)
    soundfile.write(tmp_path / "long.wav", long, rate)
    output = tmp_path / "f.parquet"
    running = subprocess.Popen(
        [
            *(sys.executable, "-c", "from batchemo.cli import main; main()", "features"),
            *(tmp_path / "long.wav", "-o", output, "--recipe", "frames62", "-j", "1"),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    parts = tmp_path / "f.parquet.parts"
    while not list(parts.glob("*.features")):
        assert running.poll() is None, "it ended before it could be stopped"
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    _, told = running.communicate(timeout=20)
    assert running.returncode == 128 + signal.SIGTERM
    assert "No table was written" in told
    assert [path.name for path in tmp_path.iterdir()] == ["long.wav"]
