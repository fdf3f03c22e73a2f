import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

RATE = 16_000


@pytest.fixture
def call(tmp_path, voices) -> Path:
    """Four seconds of babble, then eight of silence."""
    sound, rate = soundfile.read(voices / "bert" / "two.wav", dtype="float32")
    path = tmp_path / "call.wav"
    soundfile.write(path, np.concatenate([sound, np.zeros(8 * rate, np.float32)]), rate)
    return path


def test_the_numbers_are_those_of_a_scan_bit_for_bit(batchemo, tiny_bundle, voices, tmp_path):
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


def test_a_person_sees_the_label_and_a_bar_for_every_class(batchemo, tiny_bundle, voices):
    ran = batchemo("predict", voices / "anna" / "one.wav", "--model", tiny_bundle.path)
    assert ran.code == 0
    assert "confidence" in ran.out
    assert all(f"  {label} " in ran.out for label in tiny_bundle.labels)
    assert "█" in ran.out
    assert "–" not in ran.out, "one window needs no table over time"


def test_a_long_recording_is_shown_over_time_and_silence_as_no_speech(batchemo, tiny_bundle, call):
    out = batchemo("predict", call, "--model", tiny_bundle.path, "--hop", 3).out
    windows = [line for line in out.splitlines() if " – " in line]
    assert [line.split()[:3] for line in windows] == [
        ["0:00.0", "–", "0:03.0"],
        ["0:03.0", "–", "0:06.0"],
        ["0:06.0", "–", "0:09.0"],
        ["0:09.0", "–", "0:12.0"],
    ]
    assert ["no speech" in line for line in windows] == [False, False, True, True]


def test_windows_without_speech_are_nulls_in_json(batchemo, tiny_bundle, call):
    out = batchemo("predict", call, "--model", tiny_bundle.path, "--hop", 3, "--json").out
    windows = json.loads(out)[0]["windows"]
    assert windows[-1] == {
        "start": 9.0,
        "end": 12.0,
        "emotion": None,
        "confidence": None,
        "margin": None,
        "probabilities": None,
    }
    assert windows[0]["emotion"] in tiny_bundle.labels


def test_json_has_the_documented_keys_in_order(batchemo, tiny_bundle, voices):
    path = voices / "anna" / "one.wav"
    found = json.loads(batchemo("predict", path, "--json", "--model", tiny_bundle.path).out)
    assert list(found[0]) == [
        *("root", "file", "status", "reason", "detail"),
        *("emotion", "confidence", "margin", "probabilities", "windows"),
        *("duration", "sample_rate", "channels", "rms_db", "clipped", "silence"),
        *("size", "mtime_ns", "model"),
    ]


def test_a_failed_recording_is_told_with_its_reason_and_exit_code_3(batchemo, tiny_bundle, voices):
    good, bad = voices / "anna" / "one.wav", voices / "bert" / "broken.wav"
    ran = batchemo("predict", bad, good, "--model", tiny_bundle.path)
    assert ran.code == 3
    assert "failed: not_audio" in ran.out
    assert "confidence" in ran.out, "the good one is shown all the same"


def test_the_same_file_twice_is_two_answers(batchemo, tiny_bundle, voices):
    path = voices / "anna" / "one.wav"
    out = batchemo("predict", path, path, "--json", "--model", tiny_bundle.path).out
    first, second = json.loads(out)
    assert first == second


@pytest.mark.parametrize(
    ("name", "told"), [("nowhere.wav", "no file 'nowhere.wav'"), (".", "`batchemo scan .`")]
)
def test_what_is_no_file_is_wrong_usage(batchemo, tiny_bundle, name, told):
    ran = batchemo("predict", name, "--model", tiny_bundle.path)
    assert ran.code == 2
    assert told in ran.err


def test_names_cannot_play_with_the_terminal(batchemo, tiny_bundle, voices, tmp_path):
    nasty = tmp_path / "a\x1b[2Jb.wav"
    nasty.write_bytes((voices / "anna" / "one.wav").read_bytes())
    out = batchemo("predict", nasty, "--model", tiny_bundle.path).out
    assert "\x1b[2J" not in out
    assert r"a\x1b[2Jb.wav" in out


@pytest.mark.parametrize(
    ("option", "seconds", "told"),
    [
        ("--window", 99, "0.5 to 30 s"),
        ("--window", 0, "longer than 0"),
        ("--hop", 0, "longer than 0"),
        ("--hop", 4, "to the length of a window"),
    ],
)
def test_windows_that_make_no_sense_are_wrong_usage(
    batchemo, tiny_bundle, voices, option, seconds, told
):
    path = voices / "anna" / "one.wav"
    ran = batchemo("predict", path, "--model", tiny_bundle.path, option, seconds)
    assert ran.code == 2
    assert told in ran.err


READ = ["--min-confidence", 0.5, "--speaker", "regex:^(o)?", "--dimensions"]


@pytest.fixture
def unsure(make_bundle) -> list[object]:
    """The words for a model that is sure of nothing."""
    mild = {"method": "temperature", "temperature": 200.0}
    return ["--model", make_bundle(name="unsure", seed=1, calibration=mild).path]


@pytest.mark.parametrize("several", [False, True])
def test_probabilities_are_read_as_a_scan_reads_them(
    batchemo, unsure, pair, voices, tmp_path, several
):
    models = [*pair, *unsure] if several else unsure
    scanned, windows = tmp_path / "r.parquet", tmp_path / "w.parquet"
    folder = voices / "anna"
    options = [*models, *READ]
    batchemo("scan", folder, "-o", scanned, "--segments", windows, *options, "-j", 1)
    rows = pq.read_table(scanned).to_pylist()

    ran = batchemo("predict", folder / "one.wav", folder / "two.wav", "--json", *options)

    assert "1 recording has no speaker by --speaker regex:^(o)?" in ran.err
    found = json.loads(ran.out)
    told = ["emotion", "confidence", "margin", "valence_est", "arousal_est", "dominance_est"]
    for row, object in zip(rows, found, strict=True):
        assert {name: object[name] for name in told} == {name: row[name] for name in told}
        for label, probability in object["probabilities"].items():
            assert probability == row[f"p_{label}"]
        for name, theirs in object.get("models", {}).items():
            assert theirs["emotion"] == row[f"emotion_{name}"]
            assert theirs["confidence"] == row[f"confidence_{name}"]
    over_time = pq.read_table(windows).to_pylist()
    keys = ("start", "end", "emotion", "confidence", "valence_est")
    assert [[window[key] for key in keys] for object in found for window in object["windows"]] == [
        [window[key] for key in keys] for window in over_time
    ]
    assert "uncertain" in {row["emotion"] for row in [*rows, *over_time]}


def test_a_person_sees_what_is_uncertain_and_the_estimates(batchemo, unsure, call):
    words = ("--hop", 3, "--min-confidence", 1, "--dimensions")
    lines = batchemo("predict", call, *unsure, *words).out.splitlines()
    assert lines[1].startswith("  uncertain, confidence 0.")
    assert lines[3].split()[:2] == ["estimated:", "valence"]
    windows = [line for line in lines if " – " in line]
    assert ["uncertain" in line for line in windows] == [True, True, False, False]


def test_speakers_of_single_recordings_are_in_no_manifest(batchemo, tiny_bundle, voices):
    path = voices / "anna" / "one.wav"
    ran = batchemo("predict", path, "--model", tiny_bundle.path, "--speaker", "age")
    assert ran.code == 2
    assert "folder, part:N, root or regex:PATTERN" in ran.err


@pytest.fixture
def pair(make_bundle) -> list[object]:
    """The words for two models, with windows and an order of labels of their own."""
    one = make_bundle(name="one", window=2.0, hop=2.0)
    other = make_bundle(name="other", seed=3, labels=["angry", "sad", "happy", "neutral"])
    return ["--model", one.path, "--model", other.path]


def test_several_models_are_told_together_and_each_as_a_scan_tells_them(
    batchemo, pair, voices, tmp_path
):
    scanned, windows = tmp_path / "r.parquet", tmp_path / "w.parquet"
    batchemo("scan", voices, "-o", scanned, "--segments", windows, *pair, "-j", 1)
    rows = pq.read_table(scanned).to_pylist()
    files = [Path(row["root"], row["file"]) for row in rows]
    found = json.loads(batchemo("predict", *files, "--json", *pair).out)
    for row, object in zip(rows, found, strict=True):
        assert object["model"] == row["model"]
        assert object["agreement"] == row["agreement"]
        for name in ("one", "other"):
            theirs = object["models"][name] if row["status"] == "ok" else {}
            assert theirs.get("emotion") == row[f"emotion_{name}"]
            assert theirs.get("margin") == row[f"margin_{name}"]
            assert all(
                row[f"p_{k}_{name}"] == p for k, p in theirs.get("probabilities", {}).items()
            )
    told = [
        (window["model"], window["start"], window["emotion"], window["confidence"])
        for object in found
        for window in object["windows"] or []
    ]
    over_time = pq.read_table(windows).to_pylist()
    assert told == [(w["model"], w["start"], w["emotion"], w["confidence"]) for w in over_time]


def test_a_person_sees_the_verdict_of_all_models_and_of_each(batchemo, pair, voices):
    lines = batchemo("predict", voices / "bert" / "two.wav", *pair).out.splitlines()
    assert "confidence" in lines[1]
    assert lines[1].endswith(("the label of 1 of 2 models", "the label of 2 of 2 models"))
    votes = [line.split()[0] for line in lines if line.startswith(("  one ", "  other "))]
    assert votes == ["one", "other"]
    headings = [place for place, line in enumerate(lines) if line in ("  one", "  other")]
    assert all(" – " in lines[place + 1] for place in headings)
    assert len(headings) == 2
