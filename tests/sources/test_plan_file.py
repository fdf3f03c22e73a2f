"""A plan lists recordings once; its shards are disjoint parts that cover it in order."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.errors import UsageError
from batchemo.sources import Recording, SourceOptions, open_sources
from batchemo.sources.plan_file import Shard, open_plan, write_plan
from batchemo.sources.recording import stat_recording

SOURCES = {"paths": ["/rec"]}


def make_recordings(folder: Path, count: int) -> list[Recording]:
    for number in range(count):
        (folder / f"{number:03}.wav").write_bytes(b"x" * number)
    found = [stat_recording(str(folder), f"{number:03}.wav", number) for number in range(count)]
    return [recording for recording in found if recording]


def planned(plan: Path, shard: Shard | None = None) -> list[str]:
    return [one.file for one in open_sources(SourceOptions(plan=str(plan), shard=shard))]


@given(st.integers(1, 2000), st.integers(1, 50))
def test_shards_cover_all_rows_once_and_in_order(total: int, count: int) -> None:
    rows = [row for n in range(1, count + 1) for row in Shard(n, count).rows(total)]
    lengths = [len(Shard(n, count).rows(total)) for n in range(1, count + 1)]

    assert rows == list(range(total))
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "-1/3", "1/3/4", "", "1/0", "²/3"])
def test_what_is_no_shard_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="--shard"):
        Shard.parse(text)


def test_the_recordings_of_all_shards_are_those_of_the_plan(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("batchemo.sources.plan_file._ROWS_PER_GROUP", 4)
    write_plan(make_recordings(tmp_path, 10), tmp_path / "plan.parquet", SOURCES)

    parts = [planned(tmp_path / "plan.parquet", Shard(n, 3)) for n in (1, 2, 3)]

    assert [file for part in parts for file in part] == [f"{n:03}.wav" for n in range(10)]
    assert planned(tmp_path / "plan.parquet") == [f"{n:03}.wav" for n in range(10)]


def test_a_recording_that_is_gone_since_is_still_named(tmp_path: Path) -> None:
    write_plan(make_recordings(tmp_path, 2), tmp_path / "plan.parquet", SOURCES)
    (tmp_path / "000.wav").unlink()

    found = list(open_sources(SourceOptions(plan=str(tmp_path / "plan.parquet"))))

    assert [(one.file, one.size) for one in found] == [("000.wav", None), ("001.wav", 1)]


def test_names_of_any_bytes_come_back(tmp_path: Path) -> None:
    name = "\udcff\\xff\n.wav"
    write_plan([Recording(str(tmp_path), name, 1, 2)], tmp_path / "plan.parquet", SOURCES)

    assert planned(tmp_path / "plan.parquet") == [name]


def test_columns_of_a_manifest_go_along(tmp_path: Path) -> None:
    extras = pa.table({"speaker": [f"s{n}" for n in range(5)]})
    write_plan(make_recordings(tmp_path, 5), tmp_path / "plan.parquet", SOURCES, extras)

    sources = open_sources(
        SourceOptions(plan=str(tmp_path / "plan.parquet"), shard=Shard(2, 2)),
        frozenset({"speaker"}),
    )

    found = list(sources)
    assert sources.extras is not None
    speakers = sources.extras["manifest_speaker"].to_pylist()
    assert [(one.file, speakers[one.row or 0]) for one in found] == [
        ("002.wav", "s2"),
        ("003.wav", "s3"),
        ("004.wav", "s4"),
    ]


def test_more_shards_than_recordings_are_refused(tmp_path: Path) -> None:
    write_plan(make_recordings(tmp_path, 2), tmp_path / "plan.parquet", SOURCES)

    with pytest.raises(UsageError, match="lists 2 recordings"):
        planned(tmp_path / "plan.parquet", Shard(1, 3))


def test_other_sources_beside_a_plan_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leave out other sources"):
        open_sources(SourceOptions((str(tmp_path),), plan="plan.parquet"))
    with pytest.raises(UsageError, match="--shard is a part of a plan"):
        open_sources(SourceOptions((str(tmp_path),), shard=Shard(1, 2)))


@pytest.mark.parametrize("content", [b"", b"no parquet", None])
def test_a_file_that_is_no_plan_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "plan.parquet"
    if content is None:
        pq.write_table(pa.table({"file": ["a.wav"]}), path)
    else:
        path.write_bytes(content)

    with pytest.raises(UsageError, match="is no plan"):
        open_plan(str(path))


def test_a_plan_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such plan"):
        open_plan(str(tmp_path / "plan.parquet"))


@pytest.mark.parametrize("count", [1, 4, 5])
def test_plans_that_differ_in_their_last_row_have_other_digests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr("batchemo.sources.plan_file._ROWS_PER_GROUP", 4)
    recordings = [Recording("/r", f"{number}.wav", 1, 0) for number in range(count)]
    digests = []
    for number, last in enumerate((*"aab", "b longer")):
        plan = tmp_path / f"{number}.parquet"
        write_plan([*recordings[:-1], Recording("/r", last, 1, 0)], plan, SOURCES)
        digests.append(open_plan(str(plan)).digest)
    write_plan(recordings, tmp_path / "other.parquet", {"paths": ["/other"]})
    write_plan(recordings, tmp_path / "sources.parquet", SOURCES)
    others = [open_plan(str(tmp_path / f"{name}.parquet")).digest for name in ("other", "sources")]

    assert digests[0] == digests[1]
    assert len({*digests, *others}) == 5
