"""`batchemo features`: the features table, its rows, columns and provenance."""

import signal
import subprocess
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from command_line import COMMAND
from threadpoolctl import threadpool_limits
from voices import voice, write_voice

from batchemo.cli.commands.features import command
from batchemo.features import FEATURE_SETS, extract, get_feature_set


@pytest.fixture
def features(batchemo, voices, tmp_path):
    """Run the command on `voices` and return the table."""

    def call(feature_set, *options, code=3):
        output = tmp_path / f"{feature_set}.parquet"
        args = ("-o", output, "--feature-set", feature_set, "-j", 1, *options)
        ran = batchemo("features", voices, *args)
        assert ran.code == code, ran.err
        return pq.read_table(output)

    return call


def test_feature_set_of_vectors_has_a_row_for_each_window(features, voices):
    rows = features("mfcc40", "--window", 2, "--hop", 1).to_pylist()
    windows = [row for row in rows if row["file"] == "bert/one.wav"]
    assert [(row["start"], row["end"]) for row in windows] == [(0.0, 2.0), (1.0, 3.0)]
    features = get_feature_set("mfcc40")
    assert soundfile.info(voices / "bert/one.wav").samplerate != features.rate, "it is resampled"
    for row in windows:
        assert row["speech"] is True
        assert None not in [row[name] for name in features.names]
    assert windows[0]["mfcc_0"] != windows[1]["mfcc_0"]


def test_features_equal_those_of_extract_bit_for_bit(batchemo, tmp_path):
    features = get_feature_set("stats162")
    path = write_voice(tmp_path / "in" / "a.wav", rate=features.rate)
    batchemo(
        *("features", path, "-o", tmp_path / "f.parquet", "--feature-set", "stats162", "-j", 1)
    )
    (row,) = pq.read_table(tmp_path / "f.parquet").to_pylist()
    samples, _ = soundfile.read(path, dtype="float32")
    with threadpool_limits(
        1
    ):  # as in a worker: a sum over several threads differs in the last bits
        expected = extract(features, samples)
    actual = np.array([row[name] for name in features.names], np.float32)
    assert np.array_equal(actual, expected)


def test_feature_set_of_frames_has_a_row_for_each_frame_in_order(features):
    table = features("frames62")
    rows = [row for row in table.to_pylist() if row["file"] == "anna/one.wav"]
    assert [row["frame"] for row in rows] == list(range(130))
    assert {(row["start"], row["status"]) for row in rows} == {(0.0, "ok")}
    assert table.column_names[-62:] == list(get_feature_set("frames62").names)


def test_failed_recording_is_one_row_with_its_reason(features):
    rows = [row for row in features("mfcc40").to_pylist() if row["status"] == "failed"]
    assert [(row["file"], row["reason"]) for row in rows] == [("bert/broken.wav", "not_audio")]
    assert rows[0]["start"] is rows[0]["speech"] is rows[0]["mfcc_0"] is None


@pytest.mark.process
def test_number_of_workers_does_not_change_a_byte(batchemo, tmp_path):
    for number in range(12):
        write_voice(tmp_path / "in" / f"{number}.wav", seconds=1 + number % 3, seed=number)
    outputs = [tmp_path / "one.parquet", tmp_path / "two.parquet"]
    for jobs, output in enumerate(outputs, start=1):
        args = ("-o", output, "--feature-set", "mfcc40", "-j", jobs)
        assert batchemo("features", tmp_path / "in", *args).code == 0
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    files = pq.read_table(outputs[0])["file"].to_pylist()
    assert sorted(files) == sorted(f"{number}.wav" for number in range(12))


def test_table_records_its_feature_set(batchemo, features, tmp_path):
    features("mfcc40", "--param", "n_mfcc=20")
    out = batchemo("show", tmp_path / "mfcc40.parquet").out
    assert "features table" in out
    assert "mfcc40, means version 1" in out
    assert "n mfcc 20" in out


def test_parameters_change_the_columns(features):
    table = features("mfcc40", "--param", "descriptors=rms,mfcc", "--param", "n_mfcc=2")
    assert table.column_names[-3:] == ["rms", "mfcc_0", "mfcc_1"]


def test_columns_of_the_manifest_are_copied(batchemo, voices, tmp_path):
    manifest = tmp_path / "list.csv"
    manifest.write_text("file,speaker\nanna/one.wav,Anna\nnowhere.wav,Nobody\n")
    output = tmp_path / "f.csv"
    args = ("--base", voices, "-o", output, "--feature-set", "mfcc40", "-j", 1)
    assert batchemo("features", "--manifest", manifest, *args).code == 3
    lines = output.read_text().splitlines()
    assert lines[0].endswith('"speaker"')
    assert lines[1].endswith('"Anna"')
    assert '"missing"' in lines[2]
    assert lines[2].endswith('"Nobody"')


def test_existing_output_is_replaced_only_with_overwrite(batchemo, voices, tmp_path):
    output = tmp_path / "f.csv"
    output.write_text("precious")
    args = ("features", voices / "anna", "-o", output, "--feature-set", "mfcc40", "-j", 1)
    refused = batchemo(*args)
    assert refused.code == 2
    assert output.read_text() == "precious"
    assert batchemo(*args, "--overwrite").code == 0
    assert output.read_text().startswith('"root"')


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--feature-set", "mfcc"), "there are: logmel64"),
        (("--feature-set", "mfcc40", "--param", "n_mfcc"), "NAME=VALUE"),
        (("--feature-set", "mfcc40", "--param", "n_mfcc=many"), "is not a whole number"),
        (("--feature-set", "mfcc40", "--param", "colour=red"), "it has: descriptors"),
        (("--feature-set", "mfcc40", "--window", "0"), "window of 0"),
    ],
)
def test_wrong_usage_is_refused_before_any_work(batchemo, voices, tmp_path, options, message):
    ran = batchemo("features", voices, "-o", tmp_path / "f.csv", *options)
    assert ran.code == 2
    assert message in ran.err
    assert list(tmp_path.iterdir()) == []


def test_help_lists_every_feature_set(batchemo):
    output = batchemo("features", "--help").out
    assert all(f"  {name} " in output for name in FEATURE_SETS)
    assert command.epilog is not None


@pytest.mark.process
def test_stopped_command_leaves_no_files(voices, tmp_path):
    rate = 8000
    long = np.tile(voice(10, rate), 180)
    soundfile.write(tmp_path / "long.wav", long, rate)
    output = tmp_path / "f.parquet"
    running = subprocess.Popen(
        [
            *(*COMMAND, "features"),
            *(tmp_path / "long.wav", "-o", output, "--feature-set", "frames62", "-j", "1"),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    chunks = tmp_path / "f.parquet.chunks"
    while not list(chunks.glob("*.features")):
        assert running.poll() is None, "the command ended before it was stopped"
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    _, errors = running.communicate(timeout=20)
    assert running.returncode == 128 + signal.SIGTERM
    assert "No table was written" in errors
    assert [path.name for path in tmp_path.iterdir()] == ["long.wav"]
