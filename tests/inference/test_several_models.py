"""Several models in one pass: each says what it says alone, and the table tells what all say."""

from __future__ import annotations

import json
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
from scan_commands import COMMAND, Scan, environment, wait_until
from voices import voice, write_voice

from batchemo.audio import WindowConfig
from batchemo.bundles import Bundle
from batchemo.features import get_feature_set
from batchemo.inference.loaded import load_model, shared_windows
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
class ModelSet:
    """Runs scans with some of the models."""

    bundles: dict[str, Bundle]

    def words(self, *names: str) -> list[str]:
        return [word for name in names for word in ("-m", str(self.bundles[name].path))]

    def scan(self, names: str, *words: object, code: int = 0) -> str:
        """Scan with the models whose names are given with spaces between them."""
        command = [*COMMAND, "scan", *self.words(*names.split()), *map(str, words)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert ended.returncode == code, ended.stderr
        return ended.stdout + ended.stderr


@pytest.fixture
def model_set(make_bundle: Callable[..., Bundle]) -> ModelSet:
    bundles = {}
    for seed, (name, told) in enumerate(MODELS.items()):
        recipe = get_feature_set("logmel64" if name == "speech" else name)
        # The sums of what was never normalised are large: a mild net says more than 0 and 1.
        mild = {"method": "temperature", "temperature": 1.0 if name == "speech" else 400.0}
        bundles[name] = make_bundle(
            seed=seed, name=name, recipe=recipe.to_dict(), calibration=mild, **told
        )
    return ModelSet(bundles)


ALL = " ".join(MODELS)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "r.parquet"


def probabilities(table: pa.Table, suffix: str = "") -> np.ndarray:
    return np.stack([table[f"p_{label}{suffix}"].to_numpy() for label in LABELS], axis=1)


def test_each_model_says_what_it_says_alone_bit_for_bit_whatever_the_number_of_workers(
    corpus: Path, model_set: ModelSet, tmp_path: Path
) -> None:
    write_voice(corpus / "long.wav", seconds=11.3, rate=44_100, seed=90)
    together, windows = tmp_path / "r.parquet", tmp_path / "s.parquet"
    model_set.scan(ALL, corpus, "-o", together, "--segments", windows, "-j", "2")
    model_set.scan(ALL, corpus, "-o", tmp_path / "one.parquet", "-j", "1")
    assert together.read_bytes() == (tmp_path / "one.parquet").read_bytes()
    table, over_time = pq.read_table(together), pq.read_table(windows)
    for name in MODELS:
        alone, alone_windows = tmp_path / f"{name}.parquet", tmp_path / f"{name}-s.parquet"
        model_set.scan(name, corpus, "-o", alone, "--segments", alone_windows, "-j", "1")
        expected = pq.read_table(alone)
        same = {
            "emotion": f"emotion_{name}",
            "confidence": f"confidence_{name}",
            "margin": f"margin_{name}",
            **{f"p_{label}": f"p_{label}_{name}" for label in LABELS},
        }
        for plain, voted in same.items():
            assert table[voted].to_pylist() == expected[plain].to_pylist()
        theirs = over_time.filter(pa.compute.equal(over_time["model"], name))
        columns = ["root", "file", "start", "end", "emotion", *(f"p_{label}" for label in LABELS)]
        expected_windows = pq.read_table(alone_windows)
        assert theirs.select(columns).to_pylist() == expected_windows.select(columns).to_pylist()


def test_the_plain_columns_are_the_mean_of_the_models_and_agreement_counts_them(
    corpus: Path, model_set: ModelSet, out: Path
) -> None:
    names = ("speech", "frames62", "stats162")
    model_set.scan(" ".join(names), corpus, "-o", out)
    table = pq.read_table(out)
    mean = np.mean([probabilities(table, f"_{name}").astype(float) for name in names], axis=0)
    assert np.array_equal(probabilities(table), mean.astype(np.float32))
    for row in table.to_pylist():
        assert row["confidence"] == max(row[f"p_{label}"] for label in LABELS)
        assert row["confidence"] == row[f"p_{row['emotion']}"]
        votes = [row[f"emotion_{name}"] for name in names]
        assert row["agreement"] == np.float32(votes.count(row["emotion"]) / len(names))
    assert len(set(table["agreement"].to_pylist())) > 1


def test_the_columns_stand_in_the_documented_order(
    corpus: Path, model_set: ModelSet, out: Path
) -> None:
    model_set.scan("stats162 speech", corpus, "-o", out, "--limit", "1")
    (row,) = pq.read_table(out).to_pylist()
    p = [f"p_{label}" for label in LABELS[::-1]]
    assert list(row)[5:] == [
        *("emotion", "confidence", "margin", *p, "agreement"),
        *("emotion_stats162", "confidence_stats162", "margin_stats162"),
        *(f"{name}_stats162" for name in p),
        *("emotion_speech", "confidence_speech", "margin_speech"),
        *(f"{name}_speech" for name in p),
        *("windows", "duration", "sample_rate", "channels", "rms_db", "clipped", "silence"),
        *("size", "mtime", "model"),
    ]
    first, second = (model_set.bundles[name].digest[:12] for name in ("stats162", "speech"))
    assert row["model"] == f"stats162@{first} + speech@{second}"


def test_windows_count_the_rows_of_the_segments_table(
    corpus: Path, model_set: ModelSet, tmp_path: Path, out: Path
) -> None:
    windows = tmp_path / "s.csv"
    model_set.scan(ALL, corpus, "-o", out, "--segments", windows)
    (rows,) = [pa.Table.from_batches(open_table(windows).batches())]
    assert rows.num_rows == sum(pq.read_table(out)["windows"].to_pylist())
    assert rows.column_names[:5] == ["root", "file", "model", "start", "end"]
    assert set(rows["model"].to_pylist()) == set(MODELS)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_an_update_ends_in_the_bytes_of_a_fresh_run(
    corpus: Path, model_set: ModelSet, tmp_path: Path, ending: str
) -> None:
    out, fresh = tmp_path / f"r.{ending}", tmp_path / f"fresh.{ending}"
    windows, fresh_windows = tmp_path / f"s.{ending}", tmp_path / f"fresh-s.{ending}"
    model_set.scan(ALL, corpus, "-o", out, "--segments", windows, "-j", "1")
    write_voice(corpus / "anna" / "take 05 b.wav", seed=50)
    told = model_set.scan(ALL, corpus, "-o", out, "--segments", windows, "--update", "-j", "2")
    assert "1 recording analysed, 12 kept" in told
    model_set.scan(ALL, corpus, "-o", fresh, "--segments", fresh_windows, "-j", "2")
    assert out.read_bytes() == fresh.read_bytes()
    assert windows.read_bytes() == fresh_windows.read_bytes()


def test_a_killed_run_goes_on_to_the_same_bytes(
    corpus: Path, model_set: ModelSet, tmp_path: Path, out: Path
) -> None:
    for index in range(30):
        write_voice(corpus / f"more {index}.wav", seconds=4.0, seed=index)
    command = [*COMMAND, "scan", *model_set.words(*MODELS), str(corpus), "-o", str(out), "-j", "1"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_until(lambda: bool(list(tmp_path.glob("r.parquet.parts/*.part.arrow"))))
    process.send_signal(signal.SIGTERM)
    process.wait()
    assert not out.exists()
    assert "kept from earlier runs" in model_set.scan(ALL, corpus, "-o", out)
    model_set.scan(ALL, corpus, "-o", tmp_path / "fresh.parquet")
    assert out.read_bytes() == (tmp_path / "fresh.parquet").read_bytes()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("speech", "speech frames62"),
        ("speech frames62", "speech"),
        ("speech frames62", "frames62 speech"),
    ],
)
def test_an_update_with_other_models_computes_all_again(
    corpus: Path, model_set: ModelSet, tmp_path: Path, out: Path, before: str, after: str
) -> None:
    windows, fresh_windows = tmp_path / "s.parquet", tmp_path / "fresh-s.parquet"
    model_set.scan(before, corpus, "-o", out, "--segments", windows)
    told = model_set.scan(after, corpus, "-o", out, "--segments", windows, "--update")
    assert "12 recordings analysed" in told
    fresh = tmp_path / "fresh.parquet"
    model_set.scan(after, corpus, "-o", fresh, "--segments", fresh_windows)
    assert out.read_bytes() == fresh.read_bytes()
    assert windows.read_bytes() == fresh_windows.read_bytes()


def test_rows_that_other_models_left_keep_their_verdict_and_their_windows(
    corpus: Path, model_set: ModelSet, tmp_path: Path, out: Path
) -> None:
    windows = tmp_path / "s.parquet"
    model_set.scan("speech", corpus, "-o", out, "--segments", windows)
    before = {row["file"]: row for row in pq.read_table(out).to_pylist()}
    words = (corpus / "anna", "-o", out, "--segments", windows, "--update")
    model_set.scan("speech frames62", *words)
    left = [row for row in pq.read_table(out).to_pylist() if row["root"] == str(corpus)]
    assert [row["file"] for row in left] == sorted(before)
    for row in left:
        assert {name: row[name] for name in before[row["file"]]} == before[row["file"]]
        assert row["agreement"] is row["emotion_speech"] is row["p_sad_frames62"] is None
    over_time = pq.read_table(windows).to_pylist()
    assert len(over_time) == sum(pq.read_table(out)["windows"].to_pylist())
    assert {row["model"] for row in over_time if row["root"] == str(corpus)} == {None}
    assert "6 kept" in model_set.scan("speech frames62", *words), "their windows can be found again"


def test_a_recording_that_one_model_cannot_use_has_failed(
    corpus: Path, model_set: ModelSet, make_bundle: Callable[..., Bundle], out: Path
) -> None:
    short = make_bundle(name="short", window=0.2, hop=0.2, window_range=[0.2, 9.0], labels=LABELS)
    sound = np.concatenate([voice(0.6), np.zeros(40 * 16_000)])
    soundfile.write(corpus / "barely.wav", sound, 16_000)
    model_set.scan("speech", corpus / "barely.wav", "-o", out)
    told = model_set.scan(
        "speech", corpus, "-m", short.path, "-o", out, "--overwrite", "--limit", "13", code=3
    )
    assert "barely.wav: no_speech" in told
    row = next(row for row in pq.read_table(out).to_pylist() if row["status"] == "failed")
    assert row["emotion"] is row["agreement"] is row["emotion_speech"] is row["windows"] is None


def test_one_recording_that_hangs_or_crashes_costs_only_itself(
    corpus: Path, model_set: ModelSet, out: Path
) -> None:
    write_voice(corpus / "anna" / "hang.wav")
    write_voice(corpus / "ben" / "segfault.wav")
    ended = subprocess.run(
        [
            *COMMAND,
            "scan",
            *model_set.words(*MODELS),
            str(corpus),
            "-o",
            str(out),
            "--timeout",
            "2s",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment(poison=True),
    )
    assert ended.returncode == 3, ended.stderr
    failed = [row for row in pq.read_table(out).to_pylist() if row["status"] == "failed"]
    assert {row["file"]: row["reason"] for row in failed} == {
        "anna/hang.wav": "timeout",
        "ben/segfault.wav": "worker_died",
    }


def test_a_manifests_columns_give_way_to_the_models(
    corpus: Path, model_set: ModelSet, tmp_path: Path, out: Path
) -> None:
    manifest = corpus / "list.csv"
    manifest.write_text("file,agreement,emotion_speech,p_x\nben/take 06.wav,much,joy,1\n")
    model_set.scan("speech", "--manifest", manifest, "-o", out)
    assert pq.read_table(out)["emotion_speech"].to_pylist() == ["joy"]
    gone = "file\n" + "ben/take 07.wav\n"
    manifest.write_text(gone)
    model_set.scan("speech frames62", "--manifest", manifest, "-o", out, "--update")
    table = pq.read_table(out)
    assert models_of(table.column_names) == ["speech", "frames62"]
    new, kept = table.to_pylist()
    assert (new["emotion_speech"] in LABELS, new["manifest_agreement"]) == (True, None)
    assert (kept["agreement"], kept["manifest_agreement"]) == (None, "much")
    assert (kept["manifest_emotion_speech"], kept["p_x"]) == ("joy", 1)


def test_the_table_tells_how_each_model_heard(corpus: Path, model_set: ModelSet, out: Path) -> None:
    model_set.scan("frames62 stats162", corpus, "-o", out, "--hop", "1.5", "--limit", "2")
    provenance = open_table(out).run
    told = [(each["model"], each["window"], each["hop"]) for each in provenance["models"]]
    assert told == [("frames62", 3.5, 1.5), ("stats162", 3.0, 1.5)]
    assert provenance["labels"] == LABELS
    assert provenance["models"][1]["labels"] == LABELS[::-1]
    (model,) = set(pq.read_table(out)["model"].to_pylist())
    first, second = str(model).split(" + ")
    assert first.endswith("hop=1.5")
    assert "hop" not in second, "it is this model's own"


def test_summary_dry_run_and_csv_on_a_stream_know_several(
    corpus: Path, model_set: ModelSet, tmp_path: Path
) -> None:
    out, summary = tmp_path / "r.csv", tmp_path / "counts.csv"
    words = (corpus, "-o", out, "--summary", summary, "--group-by", "emotion_frames62")
    model_set.scan("speech frames62", *words)
    assert set(summary.read_text().splitlines()[1].split(",")[0].strip('"').split()) <= set(LABELS)
    dry = model_set.scan("speech frames62", corpus, "-o", out, "--update", "--dry-run")
    assert "unchanged 12 recordings" in dry
    command = [
        *COMMAND,
        "scan",
        *model_set.words("speech", "frames62"),
        str(corpus),
        "-o",
        "-",
        "-q",
    ]
    assert subprocess.run(command, capture_output=True, check=True).stdout == out.read_bytes()
    parquet = tmp_path / "r.parquet"
    model_set.scan("speech frames62", corpus, "-o", parquet)
    assert read_recordings_table(out).equals(read_recordings_table(parquet))


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("tiny", {}, "two models are called tiny"),
        ("other", {"labels": ["neutral", "happy", "sad", "bored"]}, "other has bored where tiny"),
        ("other", {"labels": LABELS[:3]}, "tiny has angry where other has not"),
    ],
)
def test_models_that_cannot_hear_together_are_refused_with_what_to_do(
    scan: Scan,
    make_bundle: Callable[..., Bundle],
    tmp_path: Path,
    name: str,
    changes: dict[str, object],
    said: str,
) -> None:
    other = make_bundle(seed=5, folder=tmp_path / "another", name=name, **changes)
    ended = scan("-m", other.path, tmp_path, "-o", tmp_path / "r.csv", code=2)
    assert said in ended.stderr
    assert not list(tmp_path.glob("r.csv*"))


def test_a_model_is_named_once(scan: Scan, tiny_bundle: Bundle, tmp_path: Path) -> None:
    ended = scan("-m", tiny_bundle.path, tmp_path, "-o", tmp_path / "r.csv", code=2)
    assert "tiny: this model is named twice" in ended.stderr


def test_names_that_make_one_column_of_two_are_refused(
    make_bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    paths = [make_bundle(name=name, labels=["a", "a_b"]).path for name in ("b", "c")]
    models = [word for path in paths for word in ("-m", str(path))]
    ended = subprocess.run(
        [*COMMAND, "scan", *models, str(tmp_path), "-o", str(tmp_path / "r.csv")],
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2
    assert "two columns would be called p_a_b" in ended.stderr


def test_what_models_share_is_computed_once(
    model_set: ModelSet, make_bundle: Callable[..., Bundle]
) -> None:
    twin = make_bundle(name="twin", recipe=get_feature_set("stats162").to_dict(), labels=LABELS)
    bundles = [*model_set.bundles.values(), twin]
    wishes = shared_windows([load_model(ModelSettings(str(bundle.path))) for bundle in bundles])
    assert [wish.window_config for wish in wishes] == [
        WindowConfig(rate=16_000, window=3.0, hop=1.5),
        WindowConfig(rate=22_050, window=3.5, hop=1.75),
        WindowConfig(rate=22_050, window=3.0, hop=1.5),
    ]
    assert wishes[2].recipes == {
        get_feature_set("stats162"): [2, 4],
        get_feature_set("mfcc40"): [3],
    }


def test_the_log_names_all_models(corpus: Path, model_set: ModelSet, out: Path) -> None:
    log = out.with_name("log.jsonl")
    model_set.scan("speech frames62", corpus, "-o", out, "--log-json", log, "--limit", "2")
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert events[0]["model"].split("@")[0] == "speech"
    assert " + frames62@" in events[0]["model"]
    assert {"decode", "resample", "gate", "features", "model"} <= set(events[-1]["stages"])
