"""A row for each turn: what it holds, what goes wrong with it, and what an update keeps."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from command_line import RunCommand
from scan_commands import Scan
from voices import voice, write_voice

from batchemo.audio import decode, pieces
from batchemo.bundles import Bundle
from batchemo.inference import predict
from batchemo.tables.columns import TURNS

RATE = 16_000
SECONDS = 20

Make = Callable[..., Bundle]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An interview of twenty seconds, and a short recording."""
    signal = np.concatenate([voice(5.0, RATE, seed=seed) for seed in range(SECONDS // 5)])
    (tmp_path / "talks" / "day 1").mkdir(parents=True)
    path = tmp_path / "talks" / "day 1" / "interview.wav"
    soundfile.write(path, np.stack([signal, 0.3 * signal], axis=1), RATE)
    write_voice(tmp_path / "talks" / "short.wav")
    return tmp_path / "talks"


def rttm(path: Path, *turns: tuple[str, float, float, str]) -> Path:
    """Write turns as (recording, start, end, speaker)."""
    path.write_text(
        "".join(
            f"SPEAKER {name} 1 {start} {end - start:.6f} <NA> <NA> {who} <NA> <NA>\n"
            for name, start, end, who in turns
        )
    )
    return path


def rows_of(table: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(table).to_pylist()
    return rows


INTERVIEW = (
    ("interview", 0.5, 4.5, "anna"),
    ("interview", 4.0, 9.0, "ben"),
    ("interview", 6.0, 6.8, "anna"),
    ("interview", 9.5, 9.6, "ben"),
    ("interview", 10.0, 19.0, "anna"),
    ("interview", 19.5, 25.0, "ben"),
)


def test_each_turn_is_a_row_and_each_problem_a_reason(
    folder: Path, tmp_path: Path, scan_inline: Scan
) -> None:
    turns = rttm(tmp_path / "who.rttm", *INTERVIEW)
    out, windows = tmp_path / "r.parquet", tmp_path / "s.parquet"
    ended = scan_inline(folder, "--turns", turns, "-o", out, "--segments", windows, code=3)
    table = pq.read_table(out)
    given = ["start", "end", "speaker", "channel", "overlap"]
    assert table.column_names[: 3 + len(given)] == ["root", "file", *given, "status"]
    rows = table.to_pylist()
    assert [(row["start"], row["end"], row["speaker"]) for row in rows[:-1]] == [
        turn[1:] for turn in INTERVIEW
    ]
    assert [row["reason"] for row in rows] == [
        *(None, None, "overlap", "too_short", None, "outside_recording"),
        "no_turns",
    ]
    assert rows[0]["overlap"] == pytest.approx(0.125)
    assert rows[4]["duration"] == 9.0
    assert "interview.wav 19.5-25 s: outside_recording: from 19.5 to 25 s" in ended.stderr
    segments = rows_of(windows)
    assert len(segments) == sum(row["windows"] or 0 for row in rows)
    for row in rows:
        if row["status"] == "ok":
            own = [one for one in segments if row["start"] <= one["start"] < row["end"]]
            assert {one["speaker"] for one in own} >= {row["speaker"]}
            assert max(one["end"] for one in own if one["speaker"] == row["speaker"]) == row["end"]


def test_a_turn_is_predicted_like_a_recording_of_it_alone(
    folder: Path, tmp_path: Path, scan_inline: Scan
) -> None:
    spans = [(0.5, 4.5), (10.0, 19.0), (19.2, 19.6)]
    turns = rttm(tmp_path / "who.rttm", *(("interview", *span, "anna") for span in spans))
    scan_inline(folder / "day 1", "--turns", turns, "-o", tmp_path / "r.parquet")
    samples, _ = soundfile.read(folder / "day 1" / "interview.wav", dtype="int16")
    alone = tmp_path / "alone"
    alone.mkdir()
    for number, (start, end) in enumerate(spans):
        part = samples[round(start * RATE) : round(end * RATE)]
        soundfile.write(alone / f"{number}.wav", part, RATE)
    scan_inline(alone, "-o", tmp_path / "alone.parquet")
    found, expected = rows_of(tmp_path / "r.parquet"), rows_of(tmp_path / "alone.parquet")
    same = [name for name in expected[0] if name not in ("root", "file", "size", "mtime")]
    assert [{n: row[n] for n in same} for row in found] == [
        {n: row[n] for n in same} for row in expected
    ]


ABLE = {"waveform": True, "outputs": {"embedding": {"name": "hidden", "size": 5}}}


@pytest.mark.parametrize("jobs", [1, 3])
def test_the_tables_do_not_depend_on_whether_turns_lie_in_pieces(
    folder: Path,
    tmp_path: Path,
    batchemo: RunCommand,
    inline_workers: None,
    make_bundle: Make,
    monkeypatch: pytest.MonkeyPatch,
    jobs: int,
) -> None:
    monkeypatch.setattr(pieces, "PIECE_SECONDS", 4)
    turns = rttm(tmp_path / "who.rttm", *INTERVIEW, ("interview", 1.0, 18.0, "anna"))
    tables = ("-o", "r.parquet"), ("--segments", "s.parquet"), ("--embeddings", "e.parquet")
    model = make_bundle(**ABLE).path
    found = []
    for most in (100, 2):
        monkeypatch.setattr(predict, "MOST_PIECES", most)
        target = tmp_path / str(most)
        target.mkdir()
        named = [word for option, name in tables for word in (option, target / name)]
        ran = batchemo("scan", folder, "--turns", turns, "-m", model, "-j", jobs, *named)
        assert ran.code == 3, ran.err
        found.append({path.name: path.read_bytes() for path in target.iterdir()})
    assert len(found[0]) == len(tables)
    assert found[0] == found[1]


def test_a_recording_is_decoded_once_for_all_of_its_turns(
    folder: Path, tmp_path: Path, scan_inline: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    open_decoder = decode.open_decoder

    def counting(file: Any, **more: Any) -> Any:
        opened.append("opened")
        return open_decoder(file, **more)

    monkeypatch.setattr("batchemo.audio.reader.open_decoder", counting)
    many = [("interview", n / 10, n / 10 + 0.5, "anna") for n in range(190)]
    turns = rttm(tmp_path / "who.rttm", *many)
    scan_inline(folder / "day 1", "--turns", turns, "-o", tmp_path / "r.parquet", code=3)
    assert len(rows_of(tmp_path / "r.parquet")) == len(many)
    assert len(opened) == 1


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_an_update_analyses_recordings_whose_turns_have_changed(
    folder: Path, tmp_path: Path, scan_inline: Scan, ending: str
) -> None:
    out, windows = tmp_path / f"r.{ending}", tmp_path / f"s.{ending}"
    tables = ("-o", out, "--segments", windows)
    turns = tmp_path / "who.rttm"
    ours = ("short", 0.0, 1.2345, "anna")
    rttm(turns, *INTERVIEW, ours)
    scan_inline(folder, "--turns", turns, *tables, code=3)
    before = out.read_bytes(), windows.read_bytes()
    unchanged = scan_inline(folder, "--turns", turns, *tables, "--update", code=3)
    assert "2 unchanged" in unchanged.stdout
    assert (out.read_bytes(), windows.read_bytes()) == before
    rttm(turns, *INTERVIEW[:2], ours)
    changed = scan_inline(folder, "--turns", turns, *tables, "--update")
    assert "1 unchanged" in changed.stdout
    updated = out.read_bytes(), windows.read_bytes()
    scan_inline(folder, "--turns", turns, *tables, "--overwrite")
    assert (out.read_bytes(), windows.read_bytes()) == updated
    rttm(turns, *INTERVIEW[:2], ("short", 0.0, 1.2345, "ben"))
    renamed = scan_inline(folder, "--turns", turns, *tables, "--update")
    assert "1 unchanged" in renamed.stdout


def test_rows_of_recordings_and_of_turns_are_never_in_one_table(
    folder: Path, tmp_path: Path, scan_inline: Scan
) -> None:
    turns, out = rttm(tmp_path / "who.rttm", *INTERVIEW[:1]), tmp_path / "r.parquet"
    scan_inline(folder, "-o", out)
    refused = scan_inline(folder, "--turns", turns, "-o", out, "--update", code=2)
    assert "this table has a row for each recording" in refused.stderr
    scan_inline(folder, "--turns", turns, "-o", out, "--overwrite", code=3)
    refused = scan_inline(folder, "-o", out, "--update", code=2)
    assert "this table has a row for each turn (with the columns start, end" in refused.stderr


def test_a_table_whose_turns_were_parted_is_refused(
    folder: Path, tmp_path: Path, scan_inline: Scan
) -> None:
    turns, out = rttm(tmp_path / "who.rttm", *INTERVIEW), tmp_path / "r.parquet"
    scan_inline(folder, "--turns", turns, "-o", out, code=3)
    table = pq.read_table(out)
    pq.write_table(table.take([0, 6, 1, 2, 3, 4, 5]), out)
    refused = scan_inline(folder, "--turns", turns, "-o", out, "--update", code=1)
    assert "the rows of day 1/interview.wav do not stand together" in refused.stderr


def test_a_manifest_gives_turns_with_columns_of_their_own(
    folder: Path, tmp_path: Path, scan_inline: Scan
) -> None:
    manifest, out = folder / "turns.csv", tmp_path / "r.parquet"
    manifest.write_text(
        "file,start,end,speaker,channel,topic\n"
        "day 1/interview.wav,1,3,anna,0,weather\n"
        "short.wav,,,,,all of it\n"
        "day 1/interview.wav,3,6,ben,1,work\n"
    )
    scan_inline("--manifest", manifest, folder, "-o", out)
    columns = ("file", "start", "end", "speaker", "channel", "topic", "duration")
    assert [tuple(row[name] for name in columns) for row in rows_of(out)] == [
        ("day 1/interview.wav", 1, 3, "anna", 0, "weather", 2.0),
        ("day 1/interview.wav", 3, 6, "ben", 1, "work", 3.0),
        ("short.wav", None, None, None, None, "all of it", 1.5),
    ]
    manifest.write_text(manifest.read_text().replace("weather", "rain"))
    kept = scan_inline("--manifest", manifest, folder, "-o", out, "--update")
    assert "2 unchanged" in kept.stdout
    assert [row["topic"] for row in rows_of(out)] == ["rain", "work", "all of it"]


def test_a_folder_has_a_file_for_each_recording(
    folder: Path, tmp_path: Path, scan_inline: Scan
) -> None:
    labels, out = tmp_path / "labels", tmp_path / "r.parquet"
    (labels / "day 1").mkdir(parents=True)
    (labels / "day 1" / "interview.txt").write_text("1.0\t4.0\tanna\n")
    (labels / "short.rttm").write_text("SPEAKER short 1 nan 1 <NA> <NA> anna <NA> <NA>\n")
    scan_inline(folder, "--turns", labels, "-o", out, code=3)
    good, bad = rows_of(out)
    assert (good["start"], good["speaker"], good["status"]) == (1.0, "anna", "ok")
    assert bad["reason"] == "bad_turns"
    assert bad["detail"].endswith("short.rttm: line 1: 'nan' is no time in seconds")
    assert bad["size"] == (folder / "short.wav").stat().st_size
    # Mended, it is analysed by the next update.
    (labels / "short.rttm").write_text("SPEAKER short 1 0 1 <NA> <NA> anna <NA> <NA>\n")
    scan_inline(folder, "--turns", labels, "-o", out, "--update")
    (labels / "short.txt").write_text("0\t1\tanna\n")
    scan_inline(folder, "--turns", labels, "-o", out, "--update", code=3)
    assert rows_of(out)[1]["detail"].endswith(
        "short.rttm and short.txt both give its turns: leave one of them"
    )


def test_names_that_no_recording_has_are_told(
    folder: Path, tmp_path: Path, scan_inline: Scan
) -> None:
    turns = rttm(tmp_path / "who.rttm", ("gone", 0, 1, "anna"), ("short", 0, 1, "anna"))
    ended = scan_inline(folder / "short.wav", "--turns", turns, "-o", tmp_path / "r.csv", code=3)
    assert f"'gone' in {turns}: no recording is called so" in ended.stderr


def test_a_name_of_two_recordings_gives_neither_the_turns_of_the_other(
    folder: Path, tmp_path: Path, scan_inline: Scan
) -> None:
    write_voice(folder / "day 2" / "short.wav")
    out = tmp_path / "r.parquet"
    turns = rttm(tmp_path / "who.rttm", ("short", 0, 1, "anna"))
    scan_inline(folder, "--turns", turns, "-o", out, code=3)
    assert [row["reason"] for row in rows_of(out)] == ["no_turns", None, "bad_turns"]


def test_the_turns_of_a_file_that_is_missing_all_have_that_reason(
    folder: Path, tmp_path: Path, scan_inline: Scan
) -> None:
    manifest, out = folder / "turns.csv", tmp_path / "r.parquet"
    manifest.write_text("file,start,end\ngone.wav,0,1\ngone.wav,1,2\n")
    scan_inline("--manifest", manifest, "-o", out, code=3)
    assert [(row["start"], row["reason"]) for row in rows_of(out)] == [
        (0.0, "missing"),
        (1.0, "missing"),
    ]


def test_shards_of_turns_merge_to_the_table_of_one_scan(
    folder: Path, tmp_path: Path, scan_inline: Scan, batchemo: RunCommand
) -> None:
    turns = rttm(tmp_path / "who.rttm", *INTERVIEW, ("short", 0, 1, "anna"))
    plan, shards = tmp_path / "plan.parquet", tmp_path / "shards"
    assert batchemo("plan", folder, "-o", plan).code == 0
    for shard in ("1/2", "2/2"):
        code = 3 if shard == "1/2" else 0
        words = ("--plan", plan, "--turns", turns, "--shard", shard)
        scan_inline(*words, "-o", shards, code=code)
    assert batchemo("merge", shards, "-o", tmp_path / "merged.parquet").code == 0
    scan_inline(folder, "--turns", turns, "-o", tmp_path / "one.parquet", code=3)
    assert (tmp_path / "merged.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()


def test_embeddings_say_of_which_turn_they_are(
    folder: Path, tmp_path: Path, batchemo: RunCommand, inline_workers: None, make_bundle: Make
) -> None:
    turns = rttm(tmp_path / "who.rttm", *INTERVIEW[:3])
    out, embeddings = tmp_path / "r.parquet", tmp_path / "e.parquet"
    words = ("scan", folder / "day 1", "--turns", turns, "-m", make_bundle(**ABLE).path)
    words = (*words, "-o", out, "--embeddings", embeddings)
    assert batchemo(*words).code == 3
    before = out.read_bytes(), embeddings.read_bytes()
    found = rows_of(embeddings)
    assert [(row["start"], row["end"]) for row in found] == [turn[1:3] for turn in INTERVIEW[:3]]
    assert [row["embedding"] is None for row in found] == [False, False, True]
    assert batchemo(*words, "--update").code == 3
    assert (out.read_bytes(), embeddings.read_bytes()) == before


def test_the_speaker_of_a_turn_is_somebody_else_in_another_recording(
    folder: Path, tmp_path: Path, scan_inline: Scan
) -> None:
    turns = rttm(tmp_path / "who.rttm", *INTERVIEW[:2], INTERVIEW[4], ("short", 0, 1, "anna"))
    found = []
    for sources in (folder, folder / "day 1"):
        out = tmp_path / f"{sources.name}.parquet"
        words = (sources, "--turns", turns, "--speaker", "speaker", "-o", out)
        scan_inline(*words, code=0 if sources == folder else 3)
        found.append([row for row in rows_of(out) if row["file"].endswith("interview.wav")])
    labels = [name for name in found[0][0] if name.startswith(("p_", "unadapted_"))]
    first, second = ([[row[label] for label in labels] for row in rows] for rows in found)
    assert first == second
    adapted = [[row[f"p_{name[10:]}"] for name in labels if name[:2] == "un"] for row in found[0]]
    assert adapted != [[row[name] for name in labels if name[:2] == "un"] for row in found[0]]


@pytest.mark.parametrize("command", ["features", "plan"])
def test_commands_for_whole_recordings_refuse_a_manifest_of_turns(
    folder: Path, tmp_path: Path, batchemo: RunCommand, command: str
) -> None:
    manifest = folder / "turns.csv"
    manifest.write_text("file,start,end\nshort.wav,0,1\n")
    more = ("--feature-set", "mfcc40") if command == "features" else ()
    ran = batchemo(command, "--manifest", manifest, *more, "-o", tmp_path / "o.parquet")
    assert ran.code == 2
    assert "the manifest has columns start and end" in ran.err


def test_each_channel_is_a_row_like_that_of_the_channel_alone(
    folder: Path, tmp_path: Path, scan_inline: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE_SECONDS", 4)
    monkeypatch.setattr(predict, "MOST_PIECES", 2)
    out = tmp_path / "each.parquet"
    scan_inline(folder, "--channel", "each", "-o", out)
    found = rows_of(out)
    assert [(row["file"], row["channel"]) for row in found] == [
        ("day 1/interview.wav", 0),
        ("day 1/interview.wav", 1),
        ("short.wav", 0),
    ]
    for channel in (0, 1):
        alone = tmp_path / f"{channel}.parquet"
        scan_inline(folder / "day 1", "--channel", channel, "-o", alone)
        (expected,) = rows_of(alone)
        changed = {"root", "file", "model"}
        assert {n: v for n, v in expected.items() if n not in changed}.items() <= found[
            channel
        ].items()
    unchanged = scan_inline(folder, "--channel", "each", "-o", out, "--update")
    assert "2 unchanged" in unchanged.stdout


def test_csv_has_the_columns_of_turns(folder: Path, tmp_path: Path, scan_inline: Scan) -> None:
    turns = rttm(tmp_path / "who.rttm", ("short", 0, 1, "=anna"))
    scan_inline(folder / "short.wav", "--turns", turns, "-o", tmp_path / "r.csv")
    with (tmp_path / "r.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row["speaker"] == "'=anna"
    assert set(row) >= TURNS.keys() - {"speech_share"}
