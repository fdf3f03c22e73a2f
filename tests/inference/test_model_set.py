"""Several models in one pass: each predicts as it does alone, and the table has their mean."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from command_line import COMMAND, RunCommand
from scan_commands import Scan, environment, wait_until
from voices import voice, write_voice

from batchemo.bundles import Bundle
from batchemo.errors import UsageError
from batchemo.features import get_feature_set
from batchemo.inference.model_set import load_model_set
from batchemo.inference.settings import ModelSettings
from batchemo.tables.columns import models_of
from batchemo.tables.read import open_table, read_recordings_table

LABELS = ["neutral", "happy", "sad", "angry"]
MODELS = {
    "speech": {"labels": LABELS},
    "frames62": {"labels": LABELS, "window": 3.5, "hop": 1.75},
    "stats162": {"labels": LABELS[::-1]},
    "mfcc40": {"labels": LABELS},
}
"""Two rates, two windows, two orders of the labels; the last two share their windows."""


@dataclass(frozen=True)
class Models:
    """Several bundles, and the command in this process."""

    bundles: dict[str, Bundle]
    command: RunCommand

    def options(self, names: str) -> list[str]:
        """The options of models whose names are given with spaces between them."""
        paths = [str(self.bundles[name].path) for name in names.split()]
        return [word for path in paths for word in ("-m", path)]

    def scan(self, names: str, *words: object, code: int = 0) -> str:
        """Scan with some of the models; return all output."""
        completed = self.command("scan", *self.options(names), *words)
        assert completed.code == code, completed.err
        return completed.out + completed.err


@pytest.fixture
def models(
    make_bundle: Callable[..., Bundle], batchemo: RunCommand, inline_workers: None
) -> Models:
    bundles = {}
    for seed, (name, settings) in enumerate(MODELS.items()):
        feature_set = get_feature_set("logmel64" if name == "speech" else name)
        # Sums of features that are not normalised are large: without a high temperature, all
        # probabilities were 0 or 1.
        temperature = 1.0 if name == "speech" else 400.0
        bundles[name] = make_bundle(
            seed=seed,
            name=name,
            features=feature_set.to_dict(),
            calibration={"method": "temperature", "temperature": temperature},
            **settings,
        )
    return Models(bundles, batchemo)


ALL = " ".join(MODELS)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "r.parquet"


def probabilities(table: pa.Table, suffix: str = "") -> np.ndarray:
    return np.stack([table[f"p_{label}{suffix}"].to_numpy() for label in LABELS], axis=1)


def test_each_model_predicts_what_it_predicts_alone_bit_for_bit(
    corpus: Path, models: Models, tmp_path: Path
) -> None:
    write_voice(corpus / "long.wav", seconds=7.3, rate=24_000, seed=90)
    together, windows = tmp_path / "r.parquet", tmp_path / "s.parquet"
    models.scan(ALL, corpus, "-o", together, "--segments", windows)
    table, over_time = pq.read_table(together), pq.read_table(windows)
    for name in MODELS:
        alone, alone_windows = tmp_path / f"{name}.parquet", tmp_path / f"{name}-s.parquet"
        models.scan(name, corpus, "-o", alone, "--segments", alone_windows)
        expected = pq.read_table(alone)
        same = {
            "emotion": f"emotion_{name}",
            "confidence": f"confidence_{name}",
            "margin": f"margin_{name}",
            **{f"p_{label}": f"p_{label}_{name}" for label in LABELS},
        }
        for single, several in same.items():
            assert table[several].to_pylist() == expected[single].to_pylist()
        own_windows = over_time.filter(pa.compute.equal(over_time["model"], name))
        columns = ["root", "file", "start", "end", "emotion", *(f"p_{label}" for label in LABELS)]
        expected_windows = pq.read_table(alone_windows)
        assert (
            own_windows.select(columns).to_pylist() == expected_windows.select(columns).to_pylist()
        )


def test_the_joint_columns_are_the_mean_of_the_models_and_agreement_is_their_share(
    corpus: Path, models: Models, out: Path
) -> None:
    names = ("speech", "frames62", "stats162")
    models.scan(" ".join(names), corpus, "-o", out)
    table = pq.read_table(out)
    mean = np.mean([probabilities(table, f"_{name}").astype(float) for name in names], axis=0)
    assert np.array_equal(probabilities(table), mean.astype(np.float32))
    for row in table.to_pylist():
        assert row["confidence"] == max(row[f"p_{label}"] for label in LABELS)
        assert row["confidence"] == row[f"p_{row['emotion']}"]
        votes = [row[f"emotion_{name}"] for name in names]
        assert row["agreement"] == np.float32(votes.count(row["emotion"]) / len(names))
    assert len(set(table["agreement"].to_pylist())) > 1


def test_the_columns_are_in_the_documented_order(corpus: Path, models: Models, out: Path) -> None:
    models.scan("stats162 speech", corpus, "-o", out, "--limit", "1")
    (row,) = pq.read_table(out).to_pylist()
    p = [f"p_{label}" for label in LABELS[::-1]]
    assert list(row)[5:] == [
        *("emotion", "confidence", "margin", *p, "agreement"),
        *("emotion_stats162", "confidence_stats162", "margin_stats162"),
        *(f"{name}_stats162" for name in p),
        *("emotion_speech", "confidence_speech", "margin_speech"),
        *(f"{name}_speech" for name in p),
        *("familiarity", "windows", "duration", "sample_rate", "channels", "rms_db"),
        *("clipped", "silence", "size", "mtime", "etag", "model"),
    ]
    first, second = (models.bundles[name].digest[:12] for name in ("stats162", "speech"))
    assert row["model"] == f"stats162@{first} + speech@{second}"


def test_windows_count_the_rows_of_the_segments_table(
    corpus: Path, models: Models, tmp_path: Path, out: Path
) -> None:
    windows = tmp_path / "s.csv"
    models.scan(ALL, corpus, "-o", out, "--segments", windows)
    (rows,) = [pa.Table.from_batches(open_table(windows).batches())]
    assert rows.num_rows == sum(pq.read_table(out)["windows"].to_pylist())
    assert rows.column_names[:5] == ["root", "file", "model", "start", "end"]
    assert set(rows["model"].to_pylist()) == set(MODELS)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_an_update_ends_in_the_bytes_of_a_fresh_run(
    corpus: Path, models: Models, tmp_path: Path, ending: str
) -> None:
    out, fresh = tmp_path / f"r.{ending}", tmp_path / f"fresh.{ending}"
    windows, fresh_windows = tmp_path / f"s.{ending}", tmp_path / f"fresh-s.{ending}"
    models.scan(ALL, corpus, "-o", out, "--segments", windows)
    write_voice(corpus / "anna" / "take 05 b.wav", seed=50)
    output = models.scan(ALL, corpus, "-o", out, "--segments", windows, "--update")
    assert "1 recording analysed, 12 unchanged" in output
    models.scan(ALL, corpus, "-o", fresh, "--segments", fresh_windows)
    assert out.read_bytes() == fresh.read_bytes()
    assert windows.read_bytes() == fresh_windows.read_bytes()


@pytest.mark.process
def test_a_run_that_was_stopped_resumes_to_the_same_bytes_with_any_number_of_workers(
    corpus: Path, models: Models, tmp_path: Path, out: Path
) -> None:
    recording = write_voice(corpus / "more.wav", seconds=4.0, seed=20)
    for index in range(30):
        shutil.copy(recording, corpus / f"more {index}.wav")
    command = [*COMMAND, "scan", *models.options(ALL), str(corpus), "-o", str(out), "-j"]
    process = subprocess.Popen([*command, "1"], stderr=subprocess.DEVNULL)
    wait_until(lambda: bool(list(tmp_path.glob("r.parquet.chunks/*.chunk.arrow"))))
    process.send_signal(signal.SIGTERM)
    process.wait()
    assert not out.exists()
    resumed = subprocess.run([*command, "2"], capture_output=True, text=True, timeout=120)
    assert " unchanged" in resumed.stdout
    models.scan(ALL, corpus, "-o", tmp_path / "fresh.parquet")
    assert out.read_bytes() == (tmp_path / "fresh.parquet").read_bytes()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("speech", "speech frames62"),
        ("speech frames62", "speech"),
        ("speech frames62", "frames62 speech"),
    ],
)
def test_an_update_with_other_models_analyses_everything_again(
    corpus: Path, models: Models, tmp_path: Path, out: Path, before: str, after: str
) -> None:
    windows, fresh_windows = tmp_path / "s.parquet", tmp_path / "fresh-s.parquet"
    models.scan(before, corpus, "-o", out, "--segments", windows)
    output = models.scan(after, corpus, "-o", out, "--segments", windows, "--update")
    assert "12 recordings analysed" in output
    fresh = tmp_path / "fresh.parquet"
    models.scan(after, corpus, "-o", fresh, "--segments", fresh_windows)
    assert out.read_bytes() == fresh.read_bytes()
    assert windows.read_bytes() == fresh_windows.read_bytes()


def test_rows_of_other_models_keep_their_columns_and_their_windows(
    corpus: Path, models: Models, tmp_path: Path, out: Path
) -> None:
    windows = tmp_path / "s.parquet"
    models.scan("speech", corpus, "-o", out, "--segments", windows)
    before = {row["file"]: row for row in pq.read_table(out).to_pylist()}
    words = (corpus / "anna", "-o", out, "--segments", windows, "--update")
    models.scan("speech frames62", *words)
    orphans = [row for row in pq.read_table(out).to_pylist() if row["root"] == str(corpus)]
    assert [row["file"] for row in orphans] == sorted(before)
    for row in orphans:
        assert {name: row[name] for name in before[row["file"]]} == before[row["file"]]
        assert row["agreement"] is row["emotion_speech"] is row["p_sad_frames62"] is None
    over_time = pq.read_table(windows).to_pylist()
    assert len(over_time) == sum(pq.read_table(out)["windows"].to_pylist())
    assert {row["model"] for row in over_time if row["root"] == str(corpus)} == {None}
    assert "6 unchanged" in models.scan("speech frames62", *words), (
        "their windows are found in the segments table"
    )


def test_a_recording_without_speech_for_one_model_is_a_failure(
    corpus: Path, models: Models, make_bundle: Callable[..., Bundle], out: Path
) -> None:
    short = make_bundle(name="short", window=0.2, hop=0.2, window_range=[0.2, 9.0], labels=LABELS)
    signal = np.concatenate([voice(0.6), np.zeros(40 * 16_000)])
    soundfile.write(corpus / "barely.wav", signal, 16_000)
    models.scan("speech", corpus / "barely.wav", "-o", out)
    output = models.scan(
        "speech", corpus, "-m", short.path, "-o", out, "--overwrite", "--limit", "13", code=3
    )
    assert "barely.wav: no_speech" in output
    row = next(row for row in pq.read_table(out).to_pylist() if row["status"] == "failed")
    assert row["emotion"] is row["agreement"] is row["emotion_speech"] is row["windows"] is None


@pytest.mark.process
def test_a_recording_that_hangs_or_crashes_costs_only_itself(
    corpus: Path, models: Models, out: Path
) -> None:
    write_voice(corpus / "anna" / "hang.wav")
    write_voice(corpus / "ben" / "segfault.wav")
    words = [str(corpus), "-o", str(out), "--timeout", "2s"]
    completed = subprocess.run(
        [*COMMAND, "scan", *models.options(ALL), *words],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment(poison=True),
    )
    assert completed.returncode == 3, completed.stderr
    failed = [row for row in pq.read_table(out).to_pylist() if row["status"] == "failed"]
    assert {row["file"]: row["reason"] for row in failed} == {
        "anna/hang.wav": "timeout",
        "ben/segfault.wav": "worker_died",
    }


def test_columns_of_the_manifest_are_renamed_when_the_models_have_their_names(
    corpus: Path, models: Models, tmp_path: Path, out: Path
) -> None:
    manifest = corpus / "list.csv"
    manifest.write_text("file,agreement,emotion_speech,p_x\nben/take 06.wav,much,joy,1\n")
    models.scan("speech", "--manifest", manifest, "-o", out)
    assert pq.read_table(out)["emotion_speech"].to_pylist() == ["joy"]
    manifest.write_text("file\nben/take 07.wav\n")
    models.scan("speech frames62", "--manifest", manifest, "-o", out, "--update")
    table = pq.read_table(out)
    assert models_of(table.column_names) == ["speech", "frames62"]
    new, kept = table.to_pylist()
    assert (new["emotion_speech"] in LABELS, new["manifest_agreement"]) == (True, None)
    assert (kept["agreement"], kept["manifest_agreement"]) == (None, "much")
    assert (kept["manifest_emotion_speech"], kept["p_x"]) == ("joy", 1)


def test_the_table_records_the_windows_of_each_model(
    corpus: Path, models: Models, out: Path
) -> None:
    models.scan("frames62 stats162", corpus, "-o", out, "--hop", "1.5", "--limit", "2")
    provenance = open_table(out).run
    windows = [(each["model"], each["window"], each["hop"]) for each in provenance["models"]]
    assert windows == [("frames62", 3.5, 1.5), ("stats162", 3.0, 1.5)]
    assert provenance["labels"] == LABELS
    assert provenance["models"][1]["labels"] == LABELS[::-1]
    (model,) = set(pq.read_table(out)["model"].to_pylist())
    first, second = str(model).split(" + ")
    assert first.endswith("hop=1.5")
    assert "hop" not in second, "it is this model's default"


def test_summary_dry_run_and_csv_on_a_stream_work_with_several_models(
    corpus: Path, models: Models, tmp_path: Path
) -> None:
    out, summary = tmp_path / "r.csv", tmp_path / "counts.csv"
    words = (corpus, "-o", out, "--summary", summary, "--group-by", "emotion_frames62")
    models.scan("speech frames62", *words)
    assert set(summary.read_text().splitlines()[1].split(",")[0].strip('"').split()) <= set(LABELS)
    dry = models.scan("speech frames62", corpus, "-o", out, "--update", "--dry-run")
    assert "unchanged 12 recordings" in dry
    assert models.scan("speech frames62", corpus, "-o", "-", "-q") == out.read_text()
    parquet = tmp_path / "r.parquet"
    models.scan("speech frames62", corpus, "-o", parquet)
    # Text has fewer digits of these.
    tables = [read_recordings_table(path) for path in (out, parquet)]
    first, second = (table.drop_columns(["rms_db", "clipped", "silence"]) for table in tables)
    assert first.equals(second)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("tiny", {}, "two models are called tiny"),
        ("other", {"labels": ["neutral", "happy", "sad", "bored"]}, "other has bored where tiny"),
        ("other", {"labels": LABELS[:3]}, "tiny has angry where other has not"),
    ],
)
def test_models_that_cannot_share_a_table_are_refused_with_what_to_do(
    scan_inline: Scan,
    make_bundle: Callable[..., Bundle],
    tmp_path: Path,
    name: str,
    changes: dict[str, object],
    message: str,
) -> None:
    other = make_bundle(seed=5, folder=tmp_path / "another", name=name, **changes)
    completed = scan_inline("-m", other.path, tmp_path, "-o", tmp_path / "r.csv", code=2)
    assert message in completed.stderr
    assert not list(tmp_path.glob("r.csv*"))


def test_a_model_that_is_named_twice_is_refused(
    scan_inline: Scan, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    words = ["-m", tiny_bundle.path, tmp_path, "-o", tmp_path / "r.csv"]
    assert "tiny: this model is named twice" in scan_inline(*words, code=2).stderr


def test_names_that_give_two_columns_one_name_are_refused(
    make_bundle: Callable[..., Bundle],
) -> None:
    paths = [str(make_bundle(name=name, labels=["a", "a_b"]).path) for name in ("b", "c")]
    with pytest.raises(UsageError, match="two columns would be called p_a_b"):
        load_model_set([ModelSettings(path) for path in paths])


def test_no_model_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="no model is named"):
        load_model_set([])


def test_the_log_names_all_models(corpus: Path, models: Models, out: Path) -> None:
    log = out.with_name("log.jsonl")
    models.scan("speech frames62", corpus, "-o", out, "--log-json", log, "--limit", "2")
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert events[0]["model"].split("@")[0] == "speech"
    assert " + frames62@" in events[0]["model"]
    assert {"decode", "resample", "vad", "features", "model"} <= set(events[-1]["stages"])
