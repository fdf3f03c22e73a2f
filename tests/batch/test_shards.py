"""A scan in shards, merged, gives the bytes of one scan; what does not belong together is told."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from command_line import Completed, RunCommand
from scan_commands import PausedRecording, StartScan, finish
from voices import write_voice

from batchemo.bundles import Bundle

OUTPUTS = {"embedding": {"name": "hidden", "size": 5}, "familiarity": {"name": "familiarity"}}
KINDS = ("results", "windows", "embeddings")
COUNT = 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed in range(7):
        write_voice(tmp_path / "corpus" / f"{seed}.wav", seconds=1 + seed % 3, seed=seed)
    (tmp_path / "corpus" / "broken.wav").write_bytes(b"no sound")
    return tmp_path / "corpus"


@pytest.fixture
def able(make_bundle: Callable[..., Bundle]) -> Bundle:
    return make_bundle(name="able", waveform=True, outputs=OUTPUTS)


@pytest.fixture
def scan_shard(
    batchemo: RunCommand, inline_workers: None, folder: Path, able: Bundle, tmp_path: Path
) -> Callable[..., Completed]:
    """Return a function that scans a shard of the plan of the folder."""
    assert batchemo("plan", folder, "-o", tmp_path / "plan.parquet").code == 0

    def run(number: int, *words: object, model: Bundle = able) -> Completed:
        tables = [word for kind in KINDS for word in (option_of(kind), tmp_path / kind)]
        part = ("--plan", tmp_path / "plan.parquet", "--shard", f"{number}/{COUNT}")
        return batchemo("scan", *part, "-m", model.path, *tables, *words)

    return run


def option_of(kind: str) -> str:
    return {"results": "-o", "windows": "--segments", "embeddings": "--embeddings"}[kind]


@pytest.fixture
def shards(scan_shard: Callable[..., Completed]) -> None:
    for number in range(1, COUNT + 1):
        assert scan_shard(number).code in (0, 3)


@pytest.mark.usefixtures("shards")
def test_merged_shards_are_the_tables_of_one_scan(
    batchemo: RunCommand, folder: Path, able: Bundle, tmp_path: Path
) -> None:
    words = [word for kind in KINDS for word in (option_of(kind), tmp_path / f"{kind}.parquet")]
    batchemo("scan", folder, "-m", able.path, *words)

    for kind in KINDS:
        ran = batchemo("merge", tmp_path / kind, "-o", tmp_path / f"merged-{kind}.parquet")
        assert ran.code == 0, ran.err
        merged = (tmp_path / f"merged-{kind}.parquet").read_bytes()
        assert merged == (tmp_path / f"{kind}.parquet").read_bytes(), kind


@pytest.mark.usefixtures("shards")
def test_a_whole_plan_is_one_scan_too(
    batchemo: RunCommand, folder: Path, able: Bundle, tmp_path: Path
) -> None:
    batchemo("scan", folder, "-m", able.path, "-o", tmp_path / "one.parquet")
    plan = ("--plan", tmp_path / "plan.parquet")
    batchemo("scan", *plan, "-m", able.path, "-o", tmp_path / "planned.parquet")

    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "planned.parquet").read_bytes()


@pytest.mark.usefixtures("shards")
def test_a_finished_shard_that_runs_again_changes_nothing(
    scan_shard: Callable[..., Completed], tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in (tmp_path / "results").iterdir()}

    assert scan_shard(2).code in (0, 3)

    assert before == {path: path.read_bytes() for path in (tmp_path / "results").iterdir()}


@pytest.mark.usefixtures("shards")
def test_missing_shards_are_named(batchemo: RunCommand, tmp_path: Path) -> None:
    for number in (1, 3):
        (tmp_path / "results" / f"0000{number}-of-00003.parquet").unlink()

    ran = batchemo("merge", tmp_path / "results", "-o", tmp_path / "merged.parquet")

    assert ran.code == 1
    assert "2 shards of 3 missing: 1/3, 3/3" in ran.err
    assert not (tmp_path / "merged.parquet").exists()


@pytest.mark.usefixtures("shards")
def test_shards_of_two_models_are_refused(
    batchemo: RunCommand,
    scan_shard: Callable[..., Completed],
    make_bundle: Callable[..., Bundle],
    tmp_path: Path,
) -> None:
    other = make_bundle(name="other", waveform=True, outputs=OUTPUTS)

    assert scan_shard(2, "--overwrite", model=other).code in (0, 3)
    ran = batchemo("merge", tmp_path / "results", "-o", tmp_path / "merged.parquet")

    assert ran.code == 2
    assert "another model or options" in ran.err


@pytest.mark.usefixtures("shards")
def test_shards_of_two_plans_are_refused(
    batchemo: RunCommand, scan_shard: Callable[..., Completed], folder: Path, tmp_path: Path
) -> None:
    write_voice(folder / "new.wav")
    batchemo("plan", folder, "-o", tmp_path / "plan.parquet", "--overwrite")
    (tmp_path / "results" / "00002-of-00003.parquet").unlink()
    scan_shard(2, "--overwrite")

    ran = batchemo("merge", tmp_path / "results", "-o", tmp_path / "merged.parquet")
    assert (ran.code, "another plan" in ran.err) == (2, True)


@pytest.mark.usefixtures("shards")
def test_another_table_among_the_shards_is_told(batchemo: RunCommand, tmp_path: Path) -> None:
    table = pq.read_table(tmp_path / "results" / "00001-of-00003.parquet")
    pq.write_table(table.replace_schema_metadata({}), tmp_path / "results" / "extra.parquet")

    ran = batchemo("merge", tmp_path / "results", "-o", tmp_path / "merged.parquet")

    assert ran.code == 2
    assert "extra.parquet is no table of a shard" in ran.err


@pytest.mark.parametrize(
    "words",
    [
        ("--summary", "counts.csv"),
        ("--speaker", "folder"),
        ("--class-shares", "even"),
        ("--update",),
    ],
)
def test_what_takes_all_recordings_together_is_refused(
    scan_shard: Callable[..., Completed], words: tuple[str, ...]
) -> None:
    ran = scan_shard(1, *words)

    assert ran.code == 2
    assert f"{words[0]} takes all recordings together" in ran.err


def test_an_empty_folder_is_told_when_it_is_planned(batchemo: RunCommand, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    ran = batchemo("plan", tmp_path / "empty", "-o", tmp_path / "plan.parquet")

    assert ran.code == 3
    assert "no recordings were found" in ran.err


def test_a_plan_is_a_parquet_file_and_is_not_replaced_unasked(
    batchemo: RunCommand, folder: Path, tmp_path: Path
) -> None:
    assert batchemo("plan", folder, "-o", tmp_path / "plan.csv").code == 2
    assert batchemo("plan", folder, "-o", tmp_path / "plan.parquet").code == 0
    ran = batchemo("plan", folder, "-o", tmp_path / "plan.parquet")
    assert (ran.code, "--overwrite" in ran.err) == (2, True)


@pytest.mark.process
def test_shards_that_run_at_once_and_one_that_is_killed_make_the_table_of_one_scan(
    batchemo: RunCommand,
    start_scan: StartScan,
    inline_workers: None,
    corpus: Path,
    tiny_bundle: Bundle,
    tmp_path: Path,
) -> None:
    paused = PausedRecording.write(corpus, "z wait")
    plan, shards, merged = tmp_path / "plan.parquet", tmp_path / "shards", tmp_path / "m.parquet"
    assert batchemo("plan", corpus, "-o", plan).code == 0

    def start(number: int) -> subprocess.Popen[str]:
        part = ("--plan", plan, "--shard", f"{number}/2", "-o", shards, "-j", "1")
        return start_scan(*part, poison=True)

    first, killed = start(1), start(2)
    paused.wait()
    killed.kill()
    finish(first)
    assert batchemo("merge", shards, "-o", merged).code == 1
    paused.release()
    finish(start(2))
    assert batchemo("merge", shards, "-o", merged).code == 0

    batchemo("scan", corpus, "-m", tiny_bundle.path, "-o", tmp_path / "one.parquet")
    assert merged.read_bytes() == (tmp_path / "one.parquet").read_bytes()
