import os
from dataclasses import replace

import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
from app_server import upload_of, wav_bytes
from tiny_bundle import LABELS

from batchemo import predict
from batchemo.app.results import (
    RecordingView,
    analyse_upload,
    describe_failure,
    model_prediction,
    model_titles,
    recordings_table,
    table_bytes,
)
from batchemo.audio import REASONS
from batchemo.errors import BatchemoError
from batchemo.features import get_feature_set
from batchemo.inference.model_set import ModelSet, load_model_set
from batchemo.inference.settings import ModelSettings, PostprocessSettings
from batchemo.inference.single import open_predictor
from batchemo.tables.rows import RecordingResult
from batchemo.tables.schema import recordings_schema

FEATURE_SETS = ("stats162", "mfcc40", "logmel128", "frames62", "stats162")
FLAT_CALIBRATION = {"method": "temperature", "temperature": 400.0}
"""Brings the probabilities of a model with random weights close to each other."""
HOSTILE_NAMES = [
    "</script><script>alert(1)</script>.wav",
    "[x](javascript:alert(1)).wav",
    "**bold**.wav",
    ":red[x].wav",
    "$latex$",
    "../../etc/passwd",
    "a\x1b[2Jb\nc.wav",
    "=cmd().wav",
    "",
]


def model_set_of(bundle) -> ModelSet:
    return ModelSet((bundle,), (ModelSettings(),))


def analyse_one(content, bundle, pool, options) -> RecordingResult:
    return analyse_upload(upload_of(content), [bundle], pool, options).rows[bundle.digest]


@pytest.mark.process
def test_the_numbers_are_those_of_predict_bit_for_bit(tiny_bundle, process_pool, options, tmp_path):
    content = wav_bytes(7, silence=5)
    path = tmp_path / "voice.wav"
    path.write_bytes(content)
    (expected,) = open_predictor([path], ModelSettings(model=str(tiny_bundle.path))).rows()

    row = analyse_one(content, tiny_bundle, process_pool, options)

    assert row.probabilities.tobytes() == expected.probabilities.tobytes()
    assert row.windows.probabilities.tobytes() == expected.windows.probabilities.tobytes()
    for column in ("duration", "rms_db", "silence"):
        assert getattr(row, column) == getattr(expected, column)


def test_several_models_are_run_in_one_job(make_bundle, pool, options):
    bundles = [make_bundle(seed=seed, name=f"tiny{seed}") for seed in range(3)]
    view = analyse_upload(upload_of(wav_bytes()), bundles, pool, options)
    assert len({view.rows[b.digest].probabilities.tobytes() for b in bundles}) == 3


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_file_name_is_kept_in_the_table_and_used_nowhere_else(
    name, tiny_bundle, pool, options, temporary_folder
):
    view = analyse_upload(upload_of(wav_bytes(), name), [tiny_bundle], pool, options)
    table = recordings_table([view], model_set_of(tiny_bundle))
    assert table["file"].to_pylist() == [name]
    assert list(temporary_folder.iterdir()) == []


def test_the_view_has_the_waveform_from_end_to_end(tiny_bundle, pool, options):
    upload = upload_of(wav_bytes(7, silence=5))
    waveform = analyse_upload(upload, [tiny_bundle], pool, options).waveform
    count = len(waveform.minima)
    assert 400 < count <= 1001
    assert count * waveform.bin_seconds == pytest.approx(12, abs=2 * waveform.bin_seconds)
    loud = (waveform.maxima - waveform.minima) > 0.05
    assert loud[: count * 7 // 12].mean() > 0.5
    assert not loud[count * 7 // 12 + 1 :].any()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"<html><script>alert(1)</script>", "not_audio"),
        (wav_bytes()[:44], "zero_frames"),
        (wav_bytes()[:20000], "truncated"),
        (wav_bytes(0.1), "too_short"),
        (wav_bytes(0, silence=2), "silent"),
    ],
)
def test_a_failure_is_described_in_a_sentence(content, reason, tiny_bundle, pool, options):
    row = analyse_one(content, tiny_bundle, pool, options)
    assert row.reason == reason
    assert describe_failure(row).startswith(REASONS[reason])
    assert model_prediction(row, tiny_bundle) is None


def test_every_reason_has_a_sentence():
    for reason, sentence in REASONS.items():
        assert describe_failure(RecordingResult("upload", "a", reason=reason)) == sentence


def test_control_characters_in_a_detail_are_escaped():
    row = RecordingResult("upload", "a", reason="not_audio", detail="x\u202egnp\x1b[2J")
    assert describe_failure(row).endswith(r"(x\u202egnp\x1b[2J)")


def test_a_recording_longer_than_the_limit_fails(tiny_bundle, pool, options):
    row = analyse_one(wav_bytes(3), tiny_bundle, pool, replace(options, max_duration=2.0))
    assert row.reason == "too_large"
    assert "the limit is 2 s" in row.detail


def test_tables_do_not_contain_paths_of_the_server(tiny_bundle, options, pool, temporary_folder):
    upload = upload_of(wav_bytes()[:20000])
    view = analyse_upload(upload, [tiny_bundle], pool, options)
    table = recordings_table([view], model_set_of(tiny_bundle))
    for content in (table_bytes(table, ".csv"), table_bytes(table, ".parquet")):
        assert os.fsencode(temporary_folder) not in content
    assert table["root"].to_pylist() == ["upload"]
    assert table["mtime"].null_count == 1


def test_downloads_have_the_columns_of_a_scan(tiny_bundle, pool, options, tmp_path):
    contents = {"=good().wav": wav_bytes(), "bad.wav": b"no"}
    views = [
        analyse_upload(upload_of(content, name), [tiny_bundle], pool, options)
        for name, content in contents.items()
    ]
    table = recordings_table(views, model_set_of(tiny_bundle))
    (tmp_path / "t.parquet").write_bytes(table_bytes(table, ".parquet"))
    (tmp_path / "t.csv").write_bytes(table_bytes(table, ".csv"))

    parquet = pq.read_table(tmp_path / "t.parquet")
    assert parquet.schema.equals(recordings_schema(tiny_bundle.labels))
    assert parquet["status"].to_pylist() == ["ok", "failed"]
    assert b"batchemo" in parquet.schema.metadata
    plain = csv.read_csv(tmp_path / "t.csv")
    assert plain.column_names == parquet.column_names
    assert plain["file"].to_pylist() == ["'=good().wav", "bad.wav"], "no spreadsheet runs a name"


def test_downloads_and_page_agree_on_what_is_uncertain(make_bundle, pool, options):
    bundle = make_bundle(name="unsure", calibration=FLAT_CALIBRATION)
    view = analyse_upload(upload_of(wav_bytes()), [bundle], pool, options)
    row = view.rows[bundle.digest]
    confidence = model_prediction(row, bundle).confidence
    for threshold in (confidence - 0.01, confidence + 0.01):
        postprocess = PostprocessSettings(threshold)
        label = model_prediction(row, bundle, postprocess).label
        assert (label == "uncertain") == (threshold > confidence)
        table = recordings_table([view], model_set_of(bundle), postprocess)
        assert table["emotion"].to_pylist() == [label]


@pytest.fixture
def six_models(make_bundle) -> ModelSet:
    """Six models with the windows and features of shipped ones, and random weights."""
    bundles = [make_bundle(name="default")]
    for seed, name in enumerate(FEATURE_SETS):
        feature_set = get_feature_set(name)
        bundles.append(
            make_bundle(
                name=f"{name}-{seed}",
                seed=seed,
                labels=LABELS[::-1] if seed else LABELS,
                calibration=FLAT_CALIBRATION,
                features=feature_set.to_dict(),
                window=feature_set.window,
                hop=feature_set.window / 2,
            )
        )
    return load_model_set([ModelSettings(str(bundle.path)) for bundle in bundles])


@pytest.mark.process
def test_the_table_of_six_models_is_that_of_a_scan_with_all_of_them(
    six_models, process_pool, options, tmp_path
):
    contents = {
        "a.wav": wav_bytes(7, silence=5),
        "b.wav": wav_bytes(2, seed=1),
        "bad.wav": wav_bytes()[:20000],
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    models = [bundle.path for bundle in six_models.bundles]
    expected = predict([tmp_path / name for name in contents], model=models)

    views = [
        analyse_upload(upload_of(content, name), six_models.bundles, process_pool, options)
        for name, content in contents.items()
    ]
    table = recordings_table(views, six_models)

    differing = ("root", "mtime", "detail")
    assert table.drop_columns(differing).equals(expected.drop_columns(differing))
    assert table.schema.equals(expected.schema)
    assert len(table.column_names) == len(set(table.column_names)) > 6 * len(LABELS)


def test_a_recording_that_fails_for_one_model_fails_in_the_common_table(six_models, pool, options):
    view = analyse_upload(upload_of(wav_bytes()), six_models.bundles, pool, options)
    last = six_models.bundles[-1].digest
    failed = replace(view.rows[last], reason="no_speech", probabilities=None, windows=None)
    (row,) = recordings_table([RecordingView({**view.rows, last: failed})], six_models).to_pylist()
    assert (row["status"], row["reason"]) == ("failed", "no_speech")
    assert row["emotion"] is row["agreement"] is row["emotion_default"] is row["windows"] is None


def test_a_model_that_was_changed_is_refused(make_bundle, pool, options):
    bundle = make_bundle(seed=1)
    make_bundle(seed=2, folder=bundle.path)
    with pytest.raises(BatchemoError, match="start the page again"):
        analyse_upload(upload_of(wav_bytes()), [bundle], pool, options)


def test_a_full_disk_is_an_error_in_plain_words(
    tiny_bundle, pool, options, temporary_folder, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(temporary_folder / "nowhere"))
    with pytest.raises(BatchemoError, match="could not take the recording"):
        analyse_upload(upload_of(wav_bytes()), [tiny_bundle], pool, options)


def test_models_with_the_same_name_are_distinguished_by_their_digests(make_bundle, tmp_path):
    one, other = (make_bundle(seed=s, folder=tmp_path / str(s)) for s in range(2))
    assert model_titles([one, make_bundle(name="third"), other]) == [
        f"tiny {one.digest[:6]}",
        "third",
        f"tiny {other.digest[:6]}",
    ]
