"""How probabilities are read is asked for anew by every run, and costs no second hearing."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scan_commands import COMMAND, Scan, wait_until
from voices import write_voice

import batchemo
from batchemo.bundles import Bundle
from batchemo.bundles.speaker_adaptation import adapt, log_probabilities
from batchemo.errors import UsageError
from batchemo.tables.derived import COORDINATES
from batchemo.tables.read import UnreadableTableError, open_table

LABELS = ["neutral", "happy", "sad", "angry"]
ALL = {"min_confidence": 0.6, "dimensions": True, "speaker": "part:1"}

Listen = Callable[..., pa.Table]


@pytest.fixture
def read_windows(tiny_bundle: Bundle, corpus: Path) -> Listen:
    """Scan the corpus in this process, with other options where asked."""

    def run(*sources: Path, jobs: int = 1, **options: Any) -> pa.Table:
        options = {"model": tiny_bundle.path, **options}
        if "manifest" not in options:
            sources = sources or (corpus,)
        return batchemo.scan(*sources, jobs=jobs, progress=False, **options)

    return run


def values(table: pa.Table, prefix: str = "p", suffix: str = "") -> np.ndarray:
    return np.stack([table[f"{prefix}_{label}{suffix}"].to_numpy() for label in LABELS], axis=1)


def adapted_by_hand(raw: np.ndarray, names: list[Any]) -> np.ndarray:
    """The probabilities of recordings, each speaker's by itself."""
    found = raw.copy()
    for name in {name for name in names if name is not None}:
        theirs = np.array([each == name for each in names])
        found[theirs] = adapt(log_probabilities(raw[theirs])).astype(np.float32)
    return found


def test_what_is_not_confident_is_uncertain_in_every_table(
    read_windows: Listen, corpus: Path, tmp_path: Path
) -> None:
    plain = read_windows(segments=tmp_path / "a.parquet", output=tmp_path / "plain.parquet")
    bar = float(np.median(plain["confidence"].to_numpy()))
    words = {name: tmp_path / f"{name}.parquet" for name in ("output", "segments", "summary")}
    table = read_windows(min_confidence=bar, **words)
    for name in plain.column_names:
        if name != "emotion":
            assert table[name].equals(plain[name]), name
    likeliest = [each.as_py() for each in plain["emotion"]]
    expected = [
        label if confidence >= np.float32(bar) else "uncertain"
        for label, confidence in zip(likeliest, plain["confidence"].to_pylist(), strict=True)
    ]
    assert table["emotion"].to_pylist() == expected
    assert 0 < expected.count("uncertain") < len(expected)
    windows = pq.read_table(words["segments"]).to_pylist()
    unsure = [row for row in windows if row["emotion"] == "uncertain"]
    assert unsure
    assert all((row["confidence"] < np.float32(bar)) == (row in unsure) for row in windows)
    counts = {row["emotion"]: row["files"] for row in pq.read_table(words["summary"]).to_pylist()}
    assert counts["uncertain"] == expected.count("uncertain")
    assert open_table(words["output"]).run["options"]["min_confidence"] == bar


def test_dimensions_are_the_mean_of_the_coordinates_of_recordings_and_of_windows(
    read_windows: Listen, corpus: Path, tmp_path: Path
) -> None:
    (corpus / "empty.wav").touch()
    read_windows(dimensions=True, output=tmp_path / "r.parquet", segments=tmp_path / "s.parquet")
    for name in ("r", "s"):
        table = pq.read_table(tmp_path / f"{name}.parquet")
        if name == "r":
            assert table["valence_est"].to_pylist()[-1] is None, "it has failed"
            table = table.slice(0, 12)
        expected = values(table) @ np.array([COORDINATES[label] for label in LABELS])
        for place, dimension in enumerate(("valence_est", "arousal_est", "dominance_est")):
            assert table.schema.field(dimension).type == pa.float32()
            np.testing.assert_allclose(table[dimension], expected[:, place], atol=1e-6)


def test_probabilities_are_adapted_to_each_speaker_and_kept_as_they_were(
    read_windows: Listen, tmp_path: Path
) -> None:
    plain = read_windows()
    table = read_windows(speaker="part:1", output=tmp_path / "r.parquet")
    assert np.array_equal(values(table, "unadapted"), values(plain))
    names = [file.split("/")[0] for file in table["file"].to_pylist()]
    expected = adapted_by_hand(values(plain), names)
    assert np.array_equal(values(table), expected)
    assert not np.array_equal(expected, values(plain))
    assert table["confidence"].to_pylist() == values(table).max(axis=1).tolist()
    best = [LABELS[place] for place in values(table).argmax(axis=1)]
    assert [str(label) for label in table["emotion"].to_pylist()] == best
    assert open_table(tmp_path / "r.parquet").run["options"]["speaker"] == "part:1"


def test_a_speaker_is_named_by_a_part_a_folder_or_a_pattern(read_windows: Listen) -> None:
    one, *others = [read_windows(speaker=by) for by in ("part:1", "folder", "regex:^([a-z]+)/take")]
    assert all(other.equals(one) for other in others)


def test_a_recording_that_no_speaker_is_named_for_stays_as_it_is_and_is_told(
    read_windows: Listen, corpus: Path
) -> None:
    manifest = corpus / "list.csv"
    lines = [f"anna/take {i:02d}.wav,{'' if i == 2 else 'a' if i % 2 else 'b'}" for i in range(6)]
    manifest.write_text("\n".join(["file,who", *lines, "gone.wav,"]))
    with pytest.warns(UserWarning, match="^1 recording has no speaker by --speaker who"):
        table = read_windows(manifest=manifest, speaker="who")
    raw, told = values(table.slice(0, 6), "unadapted"), values(table.slice(0, 6))
    assert np.array_equal(raw[2], told[2])
    assert np.array_equal(told, adapted_by_hand(raw, table["who"].to_pylist()[:6]))


def test_speakers_of_one_name_below_two_roots_are_two(read_windows: Listen, corpus: Path) -> None:
    for folder in ("anna", "ben"):
        (corpus / folder).rename(corpus / "same")
        (corpus / folder).mkdir()
        (corpus / "same").rename(corpus / folder / "same")
    sources = (corpus / "anna", corpus / "ben")
    by_part = read_windows(*sources, speaker="part:1")
    assert np.array_equal(values(by_part), values(read_windows(*sources, speaker="root")))
    names = by_part["root"].to_pylist()
    assert np.array_equal(values(by_part), adapted_by_hand(values(by_part, "unadapted"), names))


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_asking_otherwise_hears_nothing_again_and_ends_in_the_bytes_of_a_fresh_scan(
    read_windows: Listen, scan: Scan, corpus: Path, tmp_path: Path, ending: str
) -> None:
    def paths(name: str) -> dict[str, Path]:
        folder = tmp_path / name
        folder.mkdir()
        return {
            "output": folder / f"r.{ending}",
            "segments": folder / f"s.{ending}",
            "summary": folder / f"n.{ending}",
        }

    def content(of: dict[str, Path]) -> list[bytes]:
        return [path.read_bytes() for path in of.values()]

    plain, read, kept = paths("plain"), paths("read"), paths("kept")
    read_windows(**plain)
    read_windows(**read, **ALL)
    read_windows(**kept)
    assert content(kept) == content(plain)
    words = [corpus, "-o", kept["output"], "--segments", kept["segments"]]
    words += ["--summary", kept["summary"], "--update"]
    asked = ["--min-confidence", "0.6", "--dimensions", "--speaker", "part:1"]
    assert "0 recordings analysed, 12 kept" in scan(*words, *asked).stdout
    assert content(kept) == content(read)
    assert "0 recordings analysed, 12 kept" in scan(*words).stdout
    assert content(kept) == content(plain)


def test_new_recordings_of_a_known_speaker_change_the_others_as_a_fresh_scan_would(
    read_windows: Listen, corpus: Path, tmp_path: Path
) -> None:
    out, fresh = tmp_path / "r.parquet", tmp_path / "fresh.parquet"
    before = read_windows(output=out, **ALL)
    write_voice(corpus / "anna" / "take 03 b.wav", seed=50)
    after = read_windows(output=out, update=True, **ALL)
    assert not np.array_equal(values(after.slice(0, 3)), values(before.slice(0, 3)))
    assert values(after)[7:].tolist() == values(before)[6:].tolist(), "ben is another"
    read_windows(output=fresh, jobs=2, **ALL)
    assert out.read_bytes() == fresh.read_bytes()


def test_the_bytes_depend_on_neither_workers_nor_the_stream(
    read_windows: Listen, scan: Scan, corpus: Path, tmp_path: Path
) -> None:
    for jobs in (1, 2):
        read_windows(output=tmp_path / f"{jobs}.csv", jobs=jobs, **ALL)
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
    asked = ["--min-confidence", "0.6", "--dimensions", "--speaker", "part:1"]
    streamed = scan(corpus, "-o", "-", *asked).stdout
    assert streamed == (tmp_path / "1.csv").read_text()


def test_the_same_command_once_more_finds_its_table_finished(
    scan: Scan, corpus: Path, tmp_path: Path
) -> None:
    words = [corpus, "-o", tmp_path / "r.parquet", "--speaker", "part:1"]
    scan(*words)
    assert "0 recordings analysed, 12 kept" in scan(*words).stdout
    assert "--overwrite" in scan(*words, "--min-confidence", "0.9", code=2).stderr


def test_a_killed_run_goes_on_to_the_same_bytes(
    read_windows: Listen, scan: Scan, tiny_bundle: Bundle, corpus: Path, tmp_path: Path
) -> None:
    for index in range(30):
        write_voice(corpus / "anna" / f"more {index}.wav", seconds=2.0, seed=index)
    words = [str(corpus), "-o", str(tmp_path / "r.parquet"), "-j", "1", "--speaker", "folder"]
    process = subprocess.Popen(
        [*COMMAND, "scan", "-m", str(tiny_bundle.path), *words], stderr=subprocess.DEVNULL
    )
    wait_until(lambda: bool(list(tmp_path.glob("r.parquet.parts/*.part.arrow"))))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "r.parquet").exists()
    assert "kept from earlier runs" in scan(*words).stdout
    read_windows(speaker="folder", output=tmp_path / "fresh.parquet", jobs=2)
    assert (tmp_path / "r.parquet").read_bytes() == (tmp_path / "fresh.parquet").read_bytes()


def test_rows_that_another_model_left_are_a_company_of_their_own(
    read_windows: Listen, tmp_path: Path
) -> None:
    out = tmp_path / "r.parquet"
    read_windows(output=out, window=2)
    table = read_windows(output=out, update=True, exclude="ben", speaker="root")
    raw, models = values(table, "unadapted"), table["model"].to_pylist()
    assert len(set(models)) == 2
    assert np.array_equal(values(table), adapted_by_hand(raw, models))


def test_several_models_are_each_adapted_by_what_they_say_themselves(
    read_windows: Listen, make_bundle: Callable[..., Bundle], tiny_bundle: Bundle, tmp_path: Path
) -> None:
    other = make_bundle(seed=5, name="other", labels=LABELS[::-1])
    models = [tiny_bundle.path, other.path]
    out = tmp_path / "r.csv"
    read_windows(output=out, model=models, **ALL)
    write_voice(tmp_path / "corpus" / "ben" / "take 11 b.wav", seed=77)
    together = read_windows(output=out, update=True, model=models, **ALL)
    for name, path in (("tiny", tiny_bundle.path), ("other", other.path)):
        alone = read_windows(model=path, **ALL)
        for label in LABELS:
            assert together[f"p_{label}_{name}"].equals(alone[f"p_{label}"])
            assert together[f"unadapted_{label}_{name}"].equals(alone[f"unadapted_{label}"])
        assert together[f"emotion_{name}"].to_pylist() == alone["emotion"].to_pylist()
    for prefix in ("p", "unadapted"):
        each = [values(together, prefix, f"_{name}").astype(float) for name in ("tiny", "other")]
        assert np.array_equal(values(together, prefix), np.mean(each, axis=0).astype(np.float32))
    agreed = together["agreement"].to_pylist()
    each = [values(together, "p", f"_{name}").argmax(axis=1) for name in ("tiny", "other")]
    joint = values(together).argmax(axis=1)
    assert agreed == [np.mean([one[i] == joint[i] for one in each]) for i in range(13)]


def test_a_table_whose_unadapted_columns_were_dropped_is_not_adapted_twice(
    read_windows: Listen, tmp_path: Path
) -> None:
    out = tmp_path / "r.parquet"
    read_windows(output=out, speaker="folder")
    table = pq.read_table(out)
    pq.write_table(table.drop_columns([f"unadapted_{label}" for label in LABELS]), out)
    with pytest.raises(UnreadableTableError, match=r"unadapted_angry, .* are missing"):
        read_windows(output=out, speaker="folder", update=True)


def test_a_manifests_column_gives_way_to_an_estimate_of_its_name(
    read_windows: Listen, corpus: Path, tmp_path: Path
) -> None:
    manifest, out = corpus / "list.csv", tmp_path / "r.parquet"
    manifest.write_text("file,valence_est\nanna/take 00.wav,rated by hand\n")
    plain = read_windows(manifest=manifest, output=out)
    assert plain["valence_est"].to_pylist() == ["rated by hand"]
    table = read_windows(manifest=manifest, output=out, update=True, dimensions=True)
    assert table["manifest_valence_est"].to_pylist() == ["rated by hand"]
    assert table.schema.field("valence_est").type == pa.float32()


@pytest.mark.parametrize("asked", [{"speaker": "tags"}, {"group_by": "tags"}])
def test_a_column_of_lists_names_nobody(
    read_windows: Listen, tmp_path: Path, asked: dict[str, Any]
) -> None:
    out = tmp_path / "r.parquet"
    table = read_windows(output=out, limit=1)
    pq.write_table(table.append_column("tags", pa.array([["a", "b"]])), out)
    with pytest.raises(UsageError, match="tags: the column holds list"):
        read_windows(output=out, update=True, **asked)


@pytest.mark.parametrize(
    ("asked", "labels", "said"),
    [
        ({"speaker": "nobody"}, LABELS, "--speaker nobody: this is no column of the manifest"),
        ({"speaker": "emotion"}, LABELS, "folder, part:N, root or regex:PATTERN"),
        ({"speaker": "regex:(a"}, LABELS, "this is no regular expression"),
        ({"min_confidence": 1.5}, LABELS, "between 0 and 1"),
        ({"min_confidence": float("nan")}, LABELS, "between 0 and 1"),
        ({"min_confidence": 0.5}, ["happy", "uncertain"], "label of its own called uncertain"),
        ({"dimensions": True}, ["happy", "smug"], "no coordinates for smug, which the model tiny"),
    ],
)
def test_what_cannot_be_told_is_refused_with_what_to_do(
    read_windows: Listen,
    make_bundle: Callable[..., Bundle],
    tmp_path: Path,
    asked: dict[str, Any],
    labels: list[str],
    said: str,
) -> None:
    bundle = make_bundle(labels=labels, folder=tmp_path / "strange")
    with pytest.raises(UsageError, match=said):
        read_windows(model=bundle.path, output=tmp_path / "r.csv", **asked)
    assert not list(tmp_path.glob("r.csv*"))
