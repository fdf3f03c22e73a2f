import os
import threading
from dataclasses import replace
from pathlib import Path

import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
from app_server import sent, wait_until, wav
from tiny_bundle import LABELS

from batchemo import predict
from batchemo.app import results
from batchemo.app.results import (
    RecordingView,
    analyse_upload,
    describe_failure,
    files_table,
    judgement,
    titles,
    written,
)
from batchemo.app.worker_pool import WorkerPool
from batchemo.audio import REASONS
from batchemo.errors import BatchemoError
from batchemo.features import get_feature_set
from batchemo.inference.model_set import ModelSet, load_model_set
from batchemo.inference.settings import ModelSettings, PostprocessSettings
from batchemo.inference.single import open_predictor
from batchemo.tables.rows import RecordingResult
from batchemo.tables.schema import recordings_schema

CLASSIC = ("stats162", "mfcc40", "logmel128", "frames62")
POISON = Path(__file__).parents[1] / "helpers" / "poison"
NAMES = [
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


def alone(bundle) -> ModelSet:
    return ModelSet((bundle,), (ModelSettings(),))


@pytest.fixture
def scratch(tmp_path, monkeypatch) -> Path:
    """Where temporary files are made meanwhile."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def poisoned(monkeypatch):
    """Makes the decoder of new workers do the harm that is named."""
    monkeypatch.syspath_prepend(str(POISON))
    opened = []

    def poison(harm: str, jobs: int = 1) -> WorkerPool:
        monkeypatch.setattr(results, "FILE", harm)
        opened.append(WorkerPool(jobs))
        return opened[-1]

    yield poison
    for pool in opened:
        pool.close()


def test_the_numbers_are_those_of_predict_bit_for_bit(tiny_bundle, pool, options, tmp_path):
    content = wav(7, silence=5)
    path = tmp_path / "voice.wav"
    path.write_bytes(content)
    (expected,) = open_predictor([path], ModelSettings(model=str(tiny_bundle.path))).rows()

    row = analyse_upload(sent(content), [tiny_bundle], pool, options).rows[tiny_bundle.digest]

    assert row.probabilities.tobytes() == expected.probabilities.tobytes()
    assert row.windows.probabilities.tobytes() == expected.windows.probabilities.tobytes()
    assert (row.duration, row.rms_db, row.silence) == (
        expected.duration,
        expected.rms_db,
        expected.silence,
    )


def test_all_models_are_asked_at_once(make_bundle, pool, options):
    bundles = [make_bundle(seed=seed, name=f"tiny{seed}") for seed in range(3)]
    look = analyse_upload(sent(wav()), bundles, pool, options)
    assert len({look.rows[b.digest].probabilities.tobytes() for b in bundles}) == 3


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_carried_as_it_is_and_goes_nowhere_else(
    name, tiny_bundle, pool, options, scratch
):
    look = analyse_upload(sent(wav(), name), [tiny_bundle], pool, options)
    table = files_table([look], alone(tiny_bundle))
    assert table["file"].to_pylist() == [name]
    assert list(scratch.iterdir()) == []


def test_the_waveform_is_outlined_from_end_to_end(tiny_bundle, pool, options):
    waveform = analyse_upload(sent(wav(7, silence=5)), [tiny_bundle], pool, options).waveform
    count = len(waveform.lows)
    assert 400 < count <= 1001
    assert count * waveform.seconds == pytest.approx(12, abs=2 * waveform.seconds)
    loud = (waveform.highs - waveform.lows) > 0.05
    assert loud[: count * 7 // 12].mean() > 0.5
    assert not loud[count * 7 // 12 + 1 :].any()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"<html><script>alert(1)</script>", "not_audio"),
        (wav()[:44], "zero_frames"),
        (wav()[:20000], "truncated"),
        (wav(0.1), "too_short"),
        (wav(0, silence=2), "silent"),
    ],
)
def test_a_bad_recording_is_told_in_a_sentence(content, reason, tiny_bundle, pool, options):
    row = analyse_upload(sent(content), [tiny_bundle], pool, options).rows[tiny_bundle.digest]
    assert row.reason == reason
    assert describe_failure(row).startswith(REASONS[reason])
    assert judgement(row, tiny_bundle) is None


def test_every_reason_has_words():
    for reason, sentence in REASONS.items():
        assert describe_failure(RecordingResult("upload", "a", reason=reason)) == sentence


def test_words_about_a_recording_cannot_hide_or_reverse():
    row = RecordingResult("upload", "a", reason="not_audio", detail="x\u202egnp\x1b[2J")
    assert describe_failure(row).endswith(r"(x\u202egnp\x1b[2J)")


def test_a_recording_beyond_the_limit_is_refused(tiny_bundle, pool, options):
    limited = replace(options, max_duration=2.0)
    row = analyse_upload(sent(wav(3)), [tiny_bundle], pool, limited).rows[tiny_bundle.digest]
    assert row.reason == "too_large"
    assert "the limit is 2 s" in row.detail


@pytest.mark.parametrize("harm", ["kill", "segfault", "hang"])
def test_a_decoder_that_does_harm_costs_its_own_recording_only(
    harm, poisoned, tiny_bundle, options, scratch, monkeypatch
):
    pool = poisoned(harm)
    row = analyse_upload(sent(wav()), [tiny_bundle], pool, replace(options, timeout=1.0)).rows[
        tiny_bundle.digest
    ]
    assert row.reason == ("timeout" if harm == "hang" else "worker_died")

    monkeypatch.setattr(results, "FILE", "recording")
    again = analyse_upload(sent(wav()), [tiny_bundle], pool, options).rows[tiny_bundle.digest]
    assert again.reason is None
    assert [path.name.startswith("batchemo-app-worker-") for path in scratch.iterdir()] == [True]


def test_one_visitors_endless_recording_does_not_hold_up_another(
    poisoned, tiny_bundle, options, monkeypatch
):
    pool = poisoned("hang", jobs=2)
    slow = replace(options, timeout=30.0)
    ended = []

    def wait_for_ever():
        with pytest.raises(BatchemoError) as error:
            analyse_upload(sent(wav()), [tiny_bundle], pool, slow)
        ended.append(str(error.value))

    visitor = threading.Thread(target=wait_for_ever)
    visitor.start()
    wait_until(lambda: pool.free == 1, 10)
    monkeypatch.setattr(results, "FILE", "recording")
    row = analyse_upload(sent(wav()), [tiny_bundle], pool, options).rows[tiny_bundle.digest]
    assert row.reason is None
    pool.close()
    visitor.join(10)
    assert ended == ["the page is being closed"]


def test_no_path_of_the_server_is_told(tiny_bundle, options, pool, scratch):
    look = analyse_upload(sent(wav()[:20000]), [tiny_bundle], pool, options)
    table = files_table([look], alone(tiny_bundle))
    for content in (written(table, ".csv"), written(table, ".parquet")):
        assert os.fsencode(scratch) not in content
    assert table["root"].to_pylist() == ["upload"]
    assert table["mtime"].null_count == 1


def test_the_downloads_have_the_columns_of_a_scan(tiny_bundle, pool, options, tmp_path):
    contents = {"=good().wav": wav(), "bad.wav": b"no"}
    views = [analyse_upload(sent(c, n), [tiny_bundle], pool, options) for n, c in contents.items()]
    table = files_table(views, alone(tiny_bundle))
    (tmp_path / "t.parquet").write_bytes(written(table, ".parquet"))
    (tmp_path / "t.csv").write_bytes(written(table, ".csv"))

    parquet = pq.read_table(tmp_path / "t.parquet")
    assert parquet.schema.equals(recordings_schema(tiny_bundle.labels))
    assert parquet["status"].to_pylist() == ["ok", "failed"]
    assert b"batchemo" in parquet.schema.metadata
    plain = csv.read_csv(tmp_path / "t.csv")
    assert plain.column_names == parquet.column_names
    assert plain["file"].to_pylist() == ["'=good().wav", "bad.wav"], "no spreadsheet runs a name"


def test_the_downloads_tell_what_is_uncertain_as_the_page_does(make_bundle, pool, options):
    mild = {"method": "temperature", "temperature": 200.0}
    bundle = make_bundle(name="unsure", calibration=mild)
    look = analyse_upload(sent(wav()), [bundle], pool, options)
    confidence = judgement(look.rows[bundle.digest], bundle).confidence
    for bar in (confidence - 0.01, confidence + 0.01):
        how = PostprocessSettings(bar)
        said = judgement(look.rows[bundle.digest], bundle, how).label
        assert (said == "uncertain") == (bar > confidence)
        assert files_table([look], alone(bundle), how)["emotion"].to_pylist() == [said]


@pytest.fixture
def six(make_bundle) -> ModelSet:
    """The five systems and the default one, as far as their features and windows go."""
    mild = {"method": "temperature", "temperature": 400.0}
    bundles = [make_bundle(name="default")]
    for seed, name in enumerate((*CLASSIC, "stats162")):
        recipe = get_feature_set(name)
        told = {"recipe": recipe.to_dict(), "window": recipe.window, "hop": recipe.window / 2}
        bundles.append(
            make_bundle(
                name=f"{name}-{seed}",
                seed=seed,
                labels=LABELS[::-1] if seed else LABELS,
                calibration=mild,
                **told,
            )
        )
    return load_model_set([ModelSettings(str(bundle.path)) for bundle in bundles])


def test_the_table_of_six_models_is_that_of_a_scan_with_all_of_them(six, pool, options, tmp_path):
    contents = {"a.wav": wav(7, silence=5), "b.wav": wav(2, seed=1), "bad.wav": wav()[:20000]}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    models = [bundle.path for bundle in six.bundles]
    expected = predict([tmp_path / name for name in contents], model=models)

    views = [analyse_upload(sent(c, n), six.bundles, pool, options) for n, c in contents.items()]
    table = files_table(views, six)

    here = ("root", "mtime", "detail")
    assert table.drop_columns(here).to_pylist() == expected.drop_columns(here).to_pylist()
    assert table.schema.equals(expected.schema)
    assert len(table.column_names) == len(set(table.column_names)) > 6 * len(LABELS)


def test_a_recording_that_one_model_cannot_use_has_failed_for_all(six, pool, options):
    look = analyse_upload(sent(wav()), six.bundles, pool, options)
    last = six.bundles[-1].digest
    silent = replace(look.rows[last], reason="no_speech", probabilities=None, windows=None)
    (row,) = files_table([RecordingView({**look.rows, last: silent})], six).to_pylist()
    assert (row["status"], row["reason"]) == ("failed", "no_speech")
    assert row["emotion"] is row["agreement"] is row["emotion_default"] is row["windows"] is None


def test_a_model_that_was_changed_is_refused(make_bundle, pool, options):
    bundle = make_bundle(seed=1)
    make_bundle(seed=2, folder=bundle.path)
    with pytest.raises(BatchemoError, match="start the page again"):
        analyse_upload(sent(wav()), [bundle], pool, options)


def test_a_full_disk_is_told_in_words(tiny_bundle, pool, options, scratch, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(scratch / "nowhere"))
    with pytest.raises(BatchemoError, match="could not take the recording"):
        analyse_upload(sent(wav()), [tiny_bundle], pool, options)


def test_models_of_one_name_are_told_apart(make_bundle, tmp_path):
    one, other = (make_bundle(seed=s, folder=tmp_path / str(s)) for s in range(2))
    assert titles([one, make_bundle(name="third"), other]) == [
        f"tiny {one.digest[:6]}",
        "third",
        f"tiny {other.digest[:6]}",
    ]
