"""`batchemo review --list`: the next recordings of a queue as CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import RunCommand
from made_review import made_candidates, write_embeddings, write_results

from batchemo.review.labels import Answer, LabelsFile, key_of
from batchemo.review.queues import open_queue

CANDIDATES = made_candidates(50)
POINTS = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    write_embeddings(tmp_path / "e.parquet", CANDIDATES, POINTS)
    return str(write_results(tmp_path / "results.parquet", CANDIDATES))


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_next_of_the_queue_are_printed(batchemo: RunCommand, results: str) -> None:
    run = batchemo("review", results, "--embeddings", "e.parquet", "--queue", "20", "--list")
    assert run.code == 0, run.err
    half = POINTS.astype(np.float16).astype(np.float32)
    queue = open_queue("informative", CANDIDATES, embedding=(half, np.ones(50, bool)))
    expected = queue.next(20, {})
    rows = rows_of(run.out)
    assert [row["file"] for row in rows] == [CANDIDATES.keys[row].file for row in expected]
    assert rows[0]["root"] == "/data"
    assert rows[0]["emotion"] == CANDIDATES.prediction(expected[0])
    assert float(rows[0]["confidence"]) == pytest.approx(
        CANDIDATES.confidence[expected[0]], abs=1e-4
    )


def test_what_is_answered_is_not_listed(batchemo: RunCommand, results: str) -> None:
    options = ("review", results, "--by", "uncertain", "--list")
    first, second = rows_of(batchemo(*options, "--queue", "2").out)
    LabelsFile("labels.csv").append(Answer(first["root"], first["file"], None, None, "sad", "anna"))
    assert rows_of(batchemo(*options, "--queue", "1").out) == [second]
    others = batchemo(*options, "--queue", "1", "--labels", "other.csv")
    assert rows_of(others.out) == [first]
    assert not Path("other.csv").exists()
    again = batchemo(*options, "--queue", "1", "--answers", "2", "--reviewer", "ben")
    assert rows_of(again.out) == [first]


def test_a_random_sample_has_weights_that_sum_to_all(batchemo: RunCommand, results: str) -> None:
    run = batchemo("review", results, "--by", "random", "--queue", "20", "--list")
    assert sum(float(row["weight"]) for row in rows_of(run.out)) == pytest.approx(50, abs=0.01)
    other = batchemo("review", results, "--by", "random", "--queue", "20", "--list", "--seed", "1")
    assert rows_of(other.out) != rows_of(run.out)


def test_windows_have_their_times_and_hostile_names_run_nothing(
    batchemo: RunCommand, tmp_path: Path
) -> None:
    keys = [key_of("/data", '=cmd("a")\n.wav', 1.5, 4.5)]
    windows = replace(CANDIDATES, keys=keys, probabilities=CANDIDATES.probabilities[:1])
    results = str(write_results(tmp_path / "segments.parquet", windows))
    run = batchemo("review", results, "--by", "uncertain", "--queue", "9", "--list")
    (row,) = rows_of(run.out)
    assert (row["file"], row["start"], row["end"]) == ('\'=cmd("a")\n.wav', "1.5", "4.5")
    assert "has only 1 recordings left" in run.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--list",), "give --queue N"),
        (("--list", "--queue", "3", "--by", "best"), "there is no queue 'best'"),
        (("--list", "--queue", "3", "--by", "disagreement"), "-m MODEL -m OTHER"),
        (("--list", "--queue", "3", "--embeddings", "none.parquet"), "no such table"),
    ],
)
def test_mistakes_end_with_2_and_say_what_to_do(
    batchemo: RunCommand, results: str, options: tuple[str, ...], message: str
) -> None:
    run = batchemo("review", results, *options)
    assert run.code == 2
    assert message in run.err
