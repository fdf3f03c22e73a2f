"""`batchemo review --list`: the next recordings of a queue as CSV."""

from __future__ import annotations

import csv
import io
import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import RunCommand
from made_review import made_candidates, write_embeddings, write_results

from batchemo.review.queues import open_queue
from batchemo.tables.labels import Answer, LabelsFile, key_of

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
    queue = open_queue("informative", CANDIDATES, embedding=(POINTS, np.ones(50, bool)))
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


def test_what_labels_say_is_printed_as_json_and_written(
    batchemo: RunCommand, results: str, tmp_path: Path
) -> None:
    file = LabelsFile("labels.csv")
    rows = open_queue("random", CANDIDATES).next(30, {}).tolist()
    for row in rows:
        file.append(Answer(*CANDIDATES.keys[row], CANDIDATES.prediction(row), "anna"))
    file.append(Answer(*CANDIDATES.keys[rows[0]], "sad", "ben"))

    run = batchemo("summary", results, "--labels", "labels.csv", "--precision", ".9")
    assert run.code == 0, run.err
    for words in ("random sample of 30", "Precision", "precision of 90.0 %", "Cohen's κ"):
        assert words in run.out, run.out
    values = json.loads(batchemo("summary", results, "--labels", "labels.csv", "--json").out)
    assert values["accuracy"]["share"] == 1.0
    assert batchemo("summary", results, "--labels", "labels.csv", "-o", "l.csv").code == 0
    written = rows_of(Path("l.csv").read_text())
    assert {row["file"] for row in written} == {CANDIDATES.keys[row].file for row in rows}
    assert sum(float(row["weight"]) for row in written) == pytest.approx(50)


def test_reviewers_are_compared_without_a_table(batchemo: RunCommand, results: str) -> None:
    file = LabelsFile("labels.csv")
    for row, reviewer in itertools.product(range(4), ("anna", "ben")):
        file.append(Answer(*CANDIDATES.keys[row], "sad" if row else "happy", reviewer))
    with Path("labels.csv").open("a") as stream:
        stream.write("cut o")
    run = batchemo("summary", "--labels", "labels.csv")
    assert (run.code, "anna" in run.out, "1.00" in run.out) == (0, True, True)
    assert "line 10 is cut off" in run.err
    values = json.loads(batchemo("summary", "--labels", "labels.csv", "--json").out)
    assert values["labels"] == {"sad": 3, "happy": 1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name the table of a scan"),
        (("results.parquet", "--labels", "no.csv"), "no such file of labels"),
        (("results.parquet", "--labels", "x.csv", "--group-by", "folder"), "--group-by"),
    ],
)
def test_mistakes_of_a_summary_say_what_to_do(
    batchemo: RunCommand, results: str, arguments: tuple[str, ...], message: str
) -> None:
    run = batchemo("summary", *arguments)
    assert run.code == 2
    assert message in run.err
