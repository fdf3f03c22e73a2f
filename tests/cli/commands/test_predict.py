"""`batchemo predict`: the numbers of a scan, as text and as JSON."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from encoded_recordings import recording
from voices import voice

from batchemo.bundles import device
from batchemo.inference.loaded import load_model


@pytest.fixture
def call(tmp_path, voices) -> Path:
    """Four seconds of speech, then eight of silence."""
    speech, rate = soundfile.read(voices / "bert" / "two.wav", dtype="float32")
    path = tmp_path / "call.wav"
    soundfile.write(path, np.concatenate([speech, np.zeros(8 * rate, np.float32)]), rate)
    return path


def test_numbers_equal_those_of_a_scan_bit_for_bit(batchemo, tiny_bundle, voices, tmp_path):
    options = ("--model", tiny_bundle.path, "--window", 2, "--hop", 0.5)
    scanned = tmp_path / "scan.parquet"
    batchemo(
        "scan", voices, "-o", scanned, "--segments", tmp_path / "windows.parquet", *options, "-j", 1
    )
    rows = pq.read_table(scanned).to_pylist()
    windows = pq.read_table(tmp_path / "windows.parquet").to_pylist()

    found = json.loads(
        batchemo("predict", *(Path(r["root"], r["file"]) for r in rows), "--json", *options).out
    )

    for row, object in zip(rows, found, strict=True):
        assert object["emotion"] == row["emotion"]
        assert object["reason"] == row["reason"]
        assert object["duration"] == row["duration"]
        assert object["confidence"] == row["confidence"]
        if row["status"] == "ok":
            assert object["probabilities"] == {
                label: row[f"p_{label}"] for label in tiny_bundle.labels
            }
    assert [
        [window["start"], window["end"], window["confidence"]]
        for object in found
        for window in object["windows"] or []
    ] == [[window["start"], window["end"], window["confidence"]] for window in windows]


@pytest.mark.process
def test_a_damaged_mp3_shows_its_reason_without_the_notes_of_the_decoder(
    batchemo_process, tiny_bundle, tmp_path
):
    content = recording("MP3", signal=voice(3.0, 8_000))
    path = tmp_path / "damaged.mp3"
    path.write_bytes(content[:1500] + np.random.default_rng(1).bytes(20_000) + content[1500:])
    ran = batchemo_process("predict", path, "--model", tiny_bundle.path)
    assert (ran.code, ran.err) == (3, "")
    assert "failed: truncated" in ran.out


def test_text_has_the_label_and_a_bar_for_every_class(batchemo, tiny_bundle, voices):
    ran = batchemo("predict", voices / "anna" / "one.wav", "--model", tiny_bundle.path)
    assert ran.code == 0
    assert "confidence" in ran.out
    assert all(f"  {label} " in ran.out for label in tiny_bundle.labels)
    assert "█" in ran.out
    assert "–" not in ran.out, "one window is not listed over time"


def test_text_lists_the_windows_of_a_long_recording(batchemo, tiny_bundle, call):
    out = batchemo("predict", call, "--model", tiny_bundle.path, "--hop", 3).out
    windows = [line for line in out.splitlines() if " – " in line]
    assert [line.split()[:3] for line in windows] == [
        ["0:00.0", "–", "0:03.0"],
        ["0:03.0", "–", "0:06.0"],
        ["0:06.0", "–", "0:09.0"],
        ["0:09.0", "–", "0:12.0"],
    ]
    assert ["no speech" in line for line in windows] == [False, False, True, True]


def test_of_many_windows_text_lists_the_stretches_that_they_make(batchemo, tiny_bundle, call):
    out = batchemo("predict", call, "--model", tiny_bundle.path, "--hop", 0.25).out
    assert "windows, joined to stretches" in out
    stretches = [line.split() for line in out.splitlines() if " – " in line]
    assert 0 < len(stretches) < 10
    assert stretches[0][0] == "0:00.0"
    assert all(line[3] in tiny_bundle.labels for line in stretches)
    # The second half of the call is silent.
    assert all(float(line[2].removeprefix("0:")) < 9 for line in stretches)


def test_windows_without_speech_are_null_in_json(batchemo, tiny_bundle, call):
    out = batchemo("predict", call, "--model", tiny_bundle.path, "--hop", 3, "--json").out
    windows = json.loads(out)[0]["windows"]
    assert windows[-1] == {
        "start": 9.0,
        "end": 12.0,
        "emotion": None,
        "confidence": None,
        "margin": None,
        "probabilities": None,
        "familiarity": None,
    }
    assert windows[0]["emotion"] in tiny_bundle.labels


def test_json_has_the_documented_keys_in_order(batchemo, tiny_bundle, voices):
    path = voices / "anna" / "one.wav"
    found = json.loads(batchemo("predict", path, "--json", "--model", tiny_bundle.path).out)
    assert list(found[0]) == [
        *("root", "file", "status", "reason", "detail"),
        *("emotion", "confidence", "margin", "probabilities", "windows"),
        *("familiarity", "duration", "sample_rate", "channels", "rms_db", "clipped", "silence"),
        *("size", "mtime_ns", "etag", "model"),
    ]


def test_failed_recording_has_a_reason_and_exit_code_3(batchemo, tiny_bundle, voices):
    good, bad = voices / "anna" / "one.wav", voices / "bert" / "broken.wav"
    ran = batchemo("predict", bad, good, "--model", tiny_bundle.path)
    assert ran.code == 3
    assert "failed: not_audio" in ran.out
    assert "confidence" in ran.out, "the other recording is shown too"


def test_same_file_twice_gives_two_results(batchemo, tiny_bundle, voices):
    path = voices / "anna" / "one.wav"
    out = batchemo("predict", path, path, "--json", "--model", tiny_bundle.path).out
    first, second = json.loads(out)
    assert first == second


@pytest.mark.parametrize(
    ("name", "message"), [("nowhere.wav", "no file 'nowhere.wav'"), (".", "`batchemo scan .`")]
)
def test_argument_that_is_not_a_file_is_wrong_usage(batchemo, tiny_bundle, name, message):
    ran = batchemo("predict", name, "--model", tiny_bundle.path)
    assert ran.code == 2
    assert message in ran.err


def test_control_characters_in_names_are_escaped(batchemo, tiny_bundle, voices, tmp_path):
    path = tmp_path / "a\x1b[2Jb.wav"
    path.write_bytes((voices / "anna" / "one.wav").read_bytes())
    out = batchemo("predict", path, "--model", tiny_bundle.path).out
    assert "\x1b[2J" not in out
    assert r"a\x1b[2Jb.wav" in out


@pytest.mark.parametrize(
    ("option", "seconds", "message"),
    [
        ("--window", 99, "0.5 to 30 s"),
        ("--window", 0, "longer than 0"),
        ("--hop", 0, "longer than 0"),
        ("--hop", 4, "to the length of a window"),
    ],
)
def test_impossible_windows_are_wrong_usage(
    batchemo, tiny_bundle, voices, option, seconds, message
):
    path = voices / "anna" / "one.wav"
    ran = batchemo("predict", path, "--model", tiny_bundle.path, option, seconds)
    assert ran.code == 2
    assert message in ran.err


POSTPROCESS = ["--min-confidence", 0.5, "--speaker", "regex:^(o)?", "--dimensions"]
POSTPROCESS += ["--class-shares", "happy=2,sad=1"]


@pytest.fixture
def uncertain(make_bundle) -> list[object]:
    """The arguments for a model whose confidence is always low."""
    flat = {"method": "temperature", "temperature": 200.0}
    return ["--model", make_bundle(name="uncertain_model", seed=1, calibration=flat).path]


@pytest.mark.parametrize("several", [False, True])
def test_postprocessing_equals_that_of_a_scan(
    batchemo, uncertain, two_models, voices, tmp_path, several
):
    models = [*two_models, *uncertain] if several else uncertain
    scanned, windows = tmp_path / "r.parquet", tmp_path / "w.parquet"
    folder = voices / "anna"
    options = [*models, *POSTPROCESS]
    batchemo("scan", folder, "-o", scanned, "--segments", windows, *options, "-j", 1)
    rows = pq.read_table(scanned).to_pylist()

    ran = batchemo("predict", folder / "one.wav", folder / "two.wav", "--json", *options)

    assert "1 recording has no speaker by --speaker regex:^(o)?" in ran.err
    found = json.loads(ran.out)
    names = ["emotion", "confidence", "margin", "valence_est", "arousal_est", "dominance_est"]
    for row, object in zip(rows, found, strict=True):
        assert {name: object[name] for name in names} == {name: row[name] for name in names}
        for label, probability in object["probabilities"].items():
            assert probability == row[f"p_{label}"]
        for name, prediction in object.get("models", {}).items():
            assert prediction["emotion"] == row[f"emotion_{name}"]
            assert prediction["confidence"] == row[f"confidence_{name}"]
    over_time = pq.read_table(windows).to_pylist()
    keys = ("start", "end", "emotion", "confidence", "valence_est")
    assert [[window[key] for key in keys] for object in found for window in object["windows"]] == [
        [window[key] for key in keys] for window in over_time
    ]
    assert "uncertain" in {row["emotion"] for row in [*rows, *over_time]}


def test_text_has_uncertain_labels_and_dimensions(batchemo, uncertain, call):
    options = ("--hop", 3, "--min-confidence", 1, "--dimensions")
    lines = batchemo("predict", call, *uncertain, *options).out.splitlines()
    assert lines[1].startswith("  uncertain, confidence 0.")
    assert lines[3].split()[:2] == ["estimated:", "valence"]
    windows = [line for line in lines if " – " in line]
    assert ["uncertain" in line for line in windows] == [True, True, False, False]


def test_speaker_cannot_be_a_column_of_a_manifest(batchemo, tiny_bundle, voices):
    path = voices / "anna" / "one.wav"
    ran = batchemo("predict", path, "--model", tiny_bundle.path, "--speaker", "age")
    assert ran.code == 2
    assert "folder, part:N, root or regex:PATTERN" in ran.err


@pytest.fixture
def two_models(make_bundle) -> list[object]:
    """The arguments for two models with different windows and orders of labels."""
    one = make_bundle(name="one", window=2.0, hop=2.0)
    other = make_bundle(name="other", seed=3, labels=["angry", "sad", "happy", "neutral"])
    return ["--model", one.path, "--model", other.path]


def test_predictions_of_several_models_equal_those_of_a_scan(
    batchemo, two_models, voices, tmp_path
):
    scanned, windows = tmp_path / "r.parquet", tmp_path / "w.parquet"
    batchemo("scan", voices, "-o", scanned, "--segments", windows, *two_models, "-j", 1)
    rows = pq.read_table(scanned).to_pylist()
    files = [Path(row["root"], row["file"]) for row in rows]
    found = json.loads(batchemo("predict", *files, "--json", *two_models).out)
    for row, object in zip(rows, found, strict=True):
        assert object["model"] == row["model"]
        assert object["agreement"] == row["agreement"]
        for name in ("one", "other"):
            prediction = object["models"][name] if row["status"] == "ok" else {}
            assert prediction.get("emotion") == row[f"emotion_{name}"]
            assert prediction.get("margin") == row[f"margin_{name}"]
            assert all(
                row[f"p_{k}_{name}"] == p for k, p in prediction.get("probabilities", {}).items()
            )
    actual = [
        (window["model"], window["start"], window["emotion"], window["confidence"])
        for object in found
        for window in object["windows"] or []
    ]
    over_time = pq.read_table(windows).to_pylist()
    assert actual == [(w["model"], w["start"], w["emotion"], w["confidence"]) for w in over_time]


def test_text_has_the_label_of_all_models_and_of_each(batchemo, two_models, voices):
    lines = batchemo("predict", voices / "bert" / "two.wav", *two_models).out.splitlines()
    assert "confidence" in lines[1]
    assert lines[1].endswith(("the label of 1 of 2 models", "the label of 2 of 2 models"))
    models = [line.split()[0] for line in lines if line.startswith(("  one ", "  other "))]
    assert models == ["one", "other"]
    headings = [index for index, line in enumerate(lines) if line in ("  one", "  other")]
    assert all(" – " in lines[index + 1] for index in headings)
    assert len(headings) == 2


def test_the_gpu_is_used_where_there_is_one_with_large_batches(
    batchemo, tiny_bundle, voices, monkeypatch
):
    opened = []

    def noted(settings):
        opened.append(settings)
        return load_model(settings)

    monkeypatch.setattr("batchemo.inference.single.load_model", noted)
    monkeypatch.setattr(device, "cuda_providers", lambda: (device.CPU,))
    for words in ((), ("--device", "cpu"), ("--batch-size", "8")):
        ran = batchemo("predict", voices / "bert" / "two.wav", "-m", tiny_bundle.path, *words)
        assert ran.code == 0
    chosen = [(settings.device, settings.batch_size) for settings in opened]
    assert chosen == [("cuda", 128), ("cpu", 4), ("cuda", 8)]


@pytest.mark.parametrize("command", ["predict", "scan", "bench"])
def test_a_gpu_that_is_not_there_is_wrong_usage(batchemo, voices, monkeypatch, command):
    monkeypatch.setattr(device, "cuda_providers", tuple)
    ran = batchemo(command, voices, "--device", "cuda")
    assert ran.code == 2
    assert "pip install 'batchemo[gpu]'" in ran.err
