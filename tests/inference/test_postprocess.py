"""Labels, dimensions and speaker adaptation: chosen by every run, without analysing again."""

from __future__ import annotations

import shutil
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
ALL = {
    "min_confidence": 0.6,
    "dimensions": True,
    "speaker": "part:1",
    "class_shares": {"neutral": 0.5, "sad": 0.3, "angry": 0.2},
}
"""All settings, for `batchemo.scan`."""
ALL_OPTIONS = ["--min-confidence", "0.6", "--dimensions", "--speaker", "part:1"]
ALL_OPTIONS += ["--class-shares", "neutral=0.5,sad=0.3,angry=0.2"]
"""The same for the command."""

ScanTable = Callable[..., pa.Table]


@pytest.fixture
def scan_table(tiny_bundle: Bundle, corpus: Path, inline_workers: None) -> ScanTable:
    """Scan the corpus in this process, with other sources and options where they are given."""

    def run(*sources: Path, **options: Any) -> pa.Table:
        options = {"model": tiny_bundle.path, **options}
        if "manifest" not in options:
            sources = sources or (corpus,)
        return batchemo.scan(*sources, jobs=1, progress=False, **options)

    return run


def values(table: pa.Table, prefix: str = "p", suffix: str = "") -> np.ndarray:
    return np.stack([table[f"{prefix}_{label}{suffix}"].to_numpy() for label in LABELS], axis=1)


def adapted_by_speaker(unadapted: np.ndarray, speakers: list[Any]) -> np.ndarray:
    """Adapt the probabilities of recordings, one speaker at a time."""
    adapted = unadapted.copy()
    for speaker in {speaker for speaker in speakers if speaker is not None}:
        rows = np.array([each == speaker for each in speakers])
        adapted[rows] = adapt(log_probabilities(unadapted[rows])).astype(np.float32)
    return adapted


def test_labels_below_the_lowest_confidence_are_uncertain_in_every_table(
    scan_table: ScanTable, corpus: Path, tmp_path: Path
) -> None:
    plain = scan_table(segments=tmp_path / "a.parquet", output=tmp_path / "plain.parquet")
    threshold = float(np.median(plain["confidence"].to_numpy()))
    paths = {name: tmp_path / f"{name}.parquet" for name in ("output", "segments", "summary")}
    table = scan_table(min_confidence=threshold, **paths)
    for name in plain.column_names:
        if name != "emotion":
            assert table[name].equals(plain[name]), name
    labels = [each.as_py() for each in plain["emotion"]]
    expected = [
        label if confidence >= np.float32(threshold) else "uncertain"
        for label, confidence in zip(labels, plain["confidence"].to_pylist(), strict=True)
    ]
    assert table["emotion"].to_pylist() == expected
    assert 0 < expected.count("uncertain") < len(expected)
    windows = pq.read_table(paths["segments"]).to_pylist()
    uncertain = [row for row in windows if row["emotion"] == "uncertain"]
    assert uncertain
    assert all((row["confidence"] < np.float32(threshold)) == (row in uncertain) for row in windows)
    counts = {row["emotion"]: row["files"] for row in pq.read_table(paths["summary"]).to_pylist()}
    assert counts["uncertain"] == expected.count("uncertain")
    assert open_table(paths["output"]).run["options"]["min_confidence"] == threshold


def test_dimensions_are_the_mean_of_the_coordinates_of_recordings_and_of_windows(
    scan_table: ScanTable, corpus: Path, tmp_path: Path
) -> None:
    (corpus / "empty.wav").touch()
    scan_table(dimensions=True, output=tmp_path / "r.parquet", segments=tmp_path / "s.parquet")
    for name in ("r", "s"):
        table = pq.read_table(tmp_path / f"{name}.parquet")
        if name == "r":
            assert table["valence_est"].to_pylist()[-1] is None, "it failed"
            table = table.slice(0, 12)
        expected = values(table) @ np.array([COORDINATES[label] for label in LABELS])
        for index, dimension in enumerate(("valence_est", "arousal_est", "dominance_est")):
            assert table.schema.field(dimension).type == pa.float32()
            np.testing.assert_allclose(table[dimension], expected[:, index], atol=1e-6)


def test_probabilities_are_adapted_to_each_speaker_and_the_unadapted_ones_are_kept(
    scan_table: ScanTable, tmp_path: Path
) -> None:
    plain = scan_table()
    table = scan_table(speaker="part:1", output=tmp_path / "r.parquet")
    assert np.array_equal(values(table, "unadapted"), values(plain))
    names = [file.split("/")[0] for file in table["file"].to_pylist()]
    expected = adapted_by_speaker(values(plain), names)
    assert np.array_equal(values(table), expected)
    assert not np.array_equal(expected, values(plain))
    assert table["confidence"].to_pylist() == values(table).max(axis=1).tolist()
    best = [LABELS[index] for index in values(table).argmax(axis=1)]
    assert [str(label) for label in table["emotion"].to_pylist()] == best
    assert open_table(tmp_path / "r.parquet").run["options"]["speaker"] == "part:1"


def test_a_speaker_is_named_by_a_part_a_folder_or_a_pattern(scan_table: ScanTable) -> None:
    first, *others = [scan_table(speaker=by) for by in ("part:1", "folder", "regex:^([a-z]+)/take")]
    assert all(other.equals(first) for other in others)


def test_a_recording_without_speaker_is_not_adapted_and_counted_in_a_warning(
    scan_table: ScanTable, corpus: Path
) -> None:
    manifest = corpus / "list.csv"
    lines = [f"anna/take {i:02d}.wav,{'' if i == 2 else 'a' if i % 2 else 'b'}" for i in range(6)]
    manifest.write_text("\n".join(["file,who", *lines, "gone.wav,"]))
    with pytest.warns(UserWarning, match="^1 recording has no speaker by --speaker who"):
        table = scan_table(manifest=manifest, speaker="who")
    unadapted, adapted = values(table.slice(0, 6), "unadapted"), values(table.slice(0, 6))
    assert np.array_equal(unadapted[2], adapted[2])
    assert np.array_equal(adapted, adapted_by_speaker(unadapted, table["who"].to_pylist()[:6]))


def test_speakers_of_one_name_below_two_roots_are_two(scan_table: ScanTable, corpus: Path) -> None:
    for folder in ("anna", "ben"):
        (corpus / folder).rename(corpus / "same")
        (corpus / folder).mkdir()
        (corpus / "same").rename(corpus / folder / "same")
    sources = (corpus / "anna", corpus / "ben")
    by_part = scan_table(*sources, speaker="part:1")
    assert np.array_equal(values(by_part), values(scan_table(*sources, speaker="root")))
    names = by_part["root"].to_pylist()
    assert np.array_equal(values(by_part), adapted_by_speaker(values(by_part, "unadapted"), names))


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_an_update_with_other_settings_analyses_nothing_and_ends_in_the_bytes_of_a_fresh_scan(
    scan_table: ScanTable, scan_inline: Scan, corpus: Path, tmp_path: Path, ending: str
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

    plain, with_all, updated = paths("plain"), paths("all"), paths("updated")
    scan_table(**plain)
    scan_table(**with_all, **ALL)
    scan_table(**updated)
    assert content(updated) == content(plain)
    words = [corpus, "-o", updated["output"], "--segments", updated["segments"]]
    words += ["--summary", updated["summary"], "--update"]
    assert "0 recordings analysed, 12 unchanged" in scan_inline(*words, *ALL_OPTIONS).stdout
    assert content(updated) == content(with_all)
    assert "0 recordings analysed, 12 unchanged" in scan_inline(*words).stdout
    assert content(updated) == content(plain)


def test_new_recordings_of_a_known_speaker_change_the_others_as_a_fresh_scan_would(
    scan_table: ScanTable, corpus: Path, tmp_path: Path
) -> None:
    out, fresh = tmp_path / "r.parquet", tmp_path / "fresh.parquet"
    settings = {**ALL, "class_shares": None}
    before = scan_table(output=out, **settings)
    write_voice(corpus / "anna" / "take 03 b.wav", seed=50)
    after = scan_table(output=out, update=True, **settings)
    assert not np.array_equal(values(after.slice(0, 3)), values(before.slice(0, 3)))
    assert values(after)[7:].tolist() == values(before)[6:].tolist(), "ben is another speaker"
    scan_table(output=fresh, **settings)
    assert out.read_bytes() == fresh.read_bytes()


def test_new_recordings_change_the_others_of_a_corpus_with_class_shares(
    scan_table: ScanTable, corpus: Path, tmp_path: Path
) -> None:
    out, fresh = tmp_path / "r.parquet", tmp_path / "fresh.parquet"
    before = scan_table(output=out, class_shares=["neutral", "sad"])
    assert set(before["emotion"].to_pylist()) <= {"neutral", "sad"}
    assert (values(before)[:, 1] == 0).all()
    write_voice(corpus / "anna" / "take 03 b.wav", seed=50)
    after = scan_table(output=out, update=True, class_shares="neutral,sad")
    assert not np.array_equal(values(after)[7:], values(before)[6:])
    scan_table(output=fresh, class_shares="neutral,sad")
    assert out.read_bytes() == fresh.read_bytes()
    assert open_table(out).run["options"]["class_shares"] == "neutral,sad"


@pytest.mark.process
def test_the_bytes_depend_on_neither_workers_nor_the_stream(
    scan_table: ScanTable, scan_inline: Scan, scan: Scan, corpus: Path, tmp_path: Path
) -> None:
    scan_table(output=tmp_path / "inline.csv", **ALL)
    expected = (tmp_path / "inline.csv").read_text()
    scan(corpus, "-o", tmp_path / "processes.csv", "-j", "2", *ALL_OPTIONS)
    assert (tmp_path / "processes.csv").read_text() == expected
    assert scan_inline(corpus, "-o", "-", *ALL_OPTIONS).stdout == expected


def test_the_same_command_again_finds_its_table_finished(
    scan_inline: Scan, corpus: Path, tmp_path: Path
) -> None:
    words = [corpus, "-o", tmp_path / "r.parquet", "--speaker", "part:1"]
    scan_inline(*words)
    assert "0 recordings analysed, 12 unchanged" in scan_inline(*words).stdout
    assert "--overwrite" in scan_inline(*words, "--min-confidence", "0.9", code=2).stderr


@pytest.mark.process
def test_a_run_that_was_killed_resumes_to_the_same_bytes(
    scan_table: ScanTable, scan: Scan, tiny_bundle: Bundle, corpus: Path, tmp_path: Path
) -> None:
    recording = write_voice(corpus / "anna" / "more.wav", seconds=2.0, seed=20)
    for index in range(30):
        shutil.copy(recording, corpus / "anna" / f"more {index}.wav")
    words = [str(corpus), "-o", str(tmp_path / "r.parquet"), "-j", "1"]
    words += ["--speaker", "folder", "--class-shares", "even"]
    command = [*COMMAND, "scan", "-m", str(tiny_bundle.path), *words]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_until(lambda: bool(list(tmp_path.glob("r.parquet.chunks/*.chunk.arrow"))))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "r.parquet").exists()
    assert " unchanged" in scan(*words).stdout
    scan_table(speaker="folder", class_shares="even", output=tmp_path / "fresh.parquet")
    assert (tmp_path / "r.parquet").read_bytes() == (tmp_path / "fresh.parquet").read_bytes()


def test_rows_of_another_model_are_adapted_separately(
    scan_table: ScanTable, tmp_path: Path
) -> None:
    out = tmp_path / "r.parquet"
    scan_table(output=out, window=2)
    table = scan_table(output=out, update=True, exclude="ben", speaker="root")
    unadapted, models = values(table, "unadapted"), table["model"].to_pylist()
    assert len(set(models)) == 2
    assert np.array_equal(values(table), adapted_by_speaker(unadapted, models))


def test_each_of_several_models_is_adapted_by_its_own_probabilities(
    scan_table: ScanTable, make_bundle: Callable[..., Bundle], tiny_bundle: Bundle, tmp_path: Path
) -> None:
    other = make_bundle(seed=5, name="other", labels=LABELS[::-1])
    models = [tiny_bundle.path, other.path]
    out = tmp_path / "r.csv"
    scan_table(output=out, model=models, **ALL)
    write_voice(tmp_path / "corpus" / "ben" / "take 11 b.wav", seed=77)
    together = scan_table(output=out, update=True, model=models, **ALL)
    for name, path in (("tiny", tiny_bundle.path), ("other", other.path)):
        alone = scan_table(model=path, **ALL)
        for label in LABELS:
            assert together[f"p_{label}_{name}"].equals(alone[f"p_{label}"])
            assert together[f"unadapted_{label}_{name}"].equals(alone[f"unadapted_{label}"])
        assert together[f"emotion_{name}"].to_pylist() == alone["emotion"].to_pylist()
    for prefix in ("p", "unadapted"):
        each = [values(together, prefix, f"_{name}").astype(float) for name in ("tiny", "other")]
        assert np.array_equal(values(together, prefix), np.mean(each, axis=0).astype(np.float32))
    best = [values(together, "p", f"_{name}").argmax(axis=1) for name in ("tiny", "other")]
    joint = values(together).argmax(axis=1)
    expected = [np.mean([labels[i] == joint[i] for labels in best]) for i in range(13)]
    assert together["agreement"].to_pylist() == expected


def test_a_table_without_its_unadapted_columns_is_refused_and_not_adapted_twice(
    scan_table: ScanTable, tmp_path: Path
) -> None:
    out = tmp_path / "r.parquet"
    scan_table(output=out, speaker="folder")
    table = pq.read_table(out)
    pq.write_table(table.drop_columns([f"unadapted_{label}" for label in LABELS]), out)
    with pytest.raises(UnreadableTableError, match=r"unadapted_angry, .* are missing"):
        scan_table(output=out, speaker="folder", update=True)


def test_a_column_of_the_manifest_is_renamed_when_a_dimension_has_its_name(
    scan_table: ScanTable, corpus: Path, tmp_path: Path
) -> None:
    manifest, out = corpus / "list.csv", tmp_path / "r.parquet"
    manifest.write_text("file,valence_est\nanna/take 00.wav,rated by hand\n")
    plain = scan_table(manifest=manifest, output=out)
    assert plain["valence_est"].to_pylist() == ["rated by hand"]
    table = scan_table(manifest=manifest, output=out, update=True, dimensions=True)
    assert table["manifest_valence_est"].to_pylist() == ["rated by hand"]
    assert table.schema.field("valence_est").type == pa.float32()


@pytest.mark.parametrize("settings", [{"speaker": "tags"}, {"group_by": "tags"}])
def test_a_column_of_lists_names_no_speaker_and_no_group(
    scan_table: ScanTable, tmp_path: Path, settings: dict[str, Any]
) -> None:
    out = tmp_path / "r.parquet"
    table = scan_table(output=out, limit=1)
    pq.write_table(table.append_column("tags", pa.array([["a", "b"]])), out)
    with pytest.raises(UsageError, match="tags: the column holds list"):
        scan_table(output=out, update=True, **settings)


@pytest.mark.parametrize(
    ("settings", "labels", "message"),
    [
        ({"class_shares": "happy=x"}, LABELS, "--class-shares happy=x: give even, or labels"),
        ({"class_shares": {"happy": -1}}, LABELS, "labels with shares above 0, such as"),
        ({"class_shares": ["happy", "smug"]}, LABELS, "has no label smug; it has neutral, happy"),
        ({"speaker": "nobody"}, LABELS, "--speaker nobody: this is no column of the manifest"),
        ({"speaker": "emotion"}, LABELS, "folder, part:N, root or regex:PATTERN"),
        ({"speaker": "regex:(a"}, LABELS, "this is no regular expression"),
        ({"min_confidence": 1.5}, LABELS, "between 0 and 1"),
        ({"min_confidence": float("nan")}, LABELS, "between 0 and 1"),
        ({"min_confidence": 0.5}, ["happy", "uncertain"], "label of its own called uncertain"),
        ({"dimensions": True}, ["happy", "smug"], "no coordinates for smug, which the model tiny"),
    ],
)
def test_impossible_settings_are_refused_with_what_to_do(
    scan_table: ScanTable,
    make_bundle: Callable[..., Bundle],
    tmp_path: Path,
    settings: dict[str, Any],
    labels: list[str],
    message: str,
) -> None:
    bundle = make_bundle(labels=labels, folder=tmp_path / "other")
    with pytest.raises(UsageError, match=message):
        scan_table(model=bundle.path, output=tmp_path / "r.csv", **settings)
    assert not list(tmp_path.glob("r.csv*"))
