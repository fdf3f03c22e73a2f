"""The file of answers: nothing that was confirmed is lost, and the last answer counts."""

from __future__ import annotations

import csv
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchemo.errors import UsageError
from batchemo.tables.labels import COLUMNS, Answer, LabelsFile, key_of, majority, read_labels

NAMES = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
NAMES |= st.text("\\x05acd\r\n'=", max_size=12)
TIMES = st.none() | st.floats(0, 1e6).map(lambda value: round(value, 3))


def answer(file: str, label: str, reviewer: str = "anna") -> Answer:
    return Answer("/data", file, None, None, label, reviewer, "", "2026-01-31T12:00:00.000Z")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "labels.csv"


def write(path: Path, *answers: Answer) -> None:
    for each in answers:
        LabelsFile(path).append(each)


def test_an_answer_is_one_line_below_the_header(path: Path) -> None:
    write(path, Answer("/data", "a.wav", 1.5, 4.5, "happy", "anna", "sad", "2026-01-31T12:00:00Z"))
    assert path.read_text() == (
        "root,file,start,end,label,reviewer,shown,time\n"
        "/data,a.wav,1.5,4.5,happy,anna,sad,2026-01-31T12:00:00Z\n"
    )


@given(st.lists(st.builds(Answer, NAMES, NAMES, TIMES, TIMES, NAMES, NAMES, NAMES, NAMES)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_hostile_names_are_read_back_equal_each_from_a_line_of_its_own(
    path: Path, answers: list[Answer]
) -> None:
    path.unlink(missing_ok=True)
    path.touch()
    write(path, *answers)
    labels = read_labels(path)
    assert labels.answers == answers
    assert labels.problems == []
    assert path.read_bytes().count(b"\n") == len(answers) + bool(answers)


def test_no_cell_is_a_formula_and_other_readers_of_csv_see_the_same_columns(path: Path) -> None:
    write(path, answer('=cmd("x"),.wav', "+sad", "@anna"))
    with path.open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row["file"] == '\'=cmd("x"),.wav'
    assert (row["label"], row["reviewer"]) == ("'+sad", "'@anna")


def test_the_last_answer_of_each_reviewer_counts(path: Path) -> None:
    write(path, answer("a", "happy"), answer("a", "sad", "ben"), answer("a", "angry"))
    assert read_labels(path).current() == {key_of("/data", "a"): {"ben": "sad", "anna": "angry"}}


def test_an_answer_without_a_label_takes_back_that_reviewers_answer(path: Path) -> None:
    write(path, answer("a", "happy"), answer("b", "sad"), answer("a", ""), answer("b", "", "ben"))
    assert read_labels(path).current() == {key_of("/data", "b"): {"anna": "sad"}}


def test_one_label_of_several_reviewers_is_that_of_most(path: Path) -> None:
    for file, labels in {"a": ("x", "y", "x"), "b": ("x", "y"), "c": ("unsure",)}.items():
        write(path, *(answer(file, label, f"r{i}") for i, label in enumerate(labels)))
    assert read_labels(path).agreed() == {key_of("/data", "a"): "x"}
    assert majority([]) is None


def test_many_who_write_at_once_lose_nothing_and_write_one_header(path: Path) -> None:
    def review(reviewer: int) -> None:
        for number in range(25):
            LabelsFile(path).append(answer(f"{number}.wav", "sad", f"r{reviewer}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(review, range(8)))
    labels = read_labels(path)
    assert labels.problems == []
    assert {(a.file, a.reviewer) for a in labels.answers} == {
        (f"{number}.wav", f"r{reviewer}") for number in range(25) for reviewer in range(8)
    }


def test_an_answer_is_synced_before_it_is_confirmed(path: Path, monkeypatch) -> None:
    synced: list[bytes] = []
    monkeypatch.setattr(
        "batchemo.tables.labels.sync", lambda descriptor: synced.append(path.read_bytes())
    )
    write(path, answer("a", "happy"))
    assert synced == [path.read_bytes()]


@pytest.mark.parametrize("kept", range(1, 45))
def test_a_last_line_that_was_cut_off_spoils_no_other(path: Path, kept: int) -> None:
    write(path, answer("a", "happy"))
    whole = path.read_bytes()
    write(path, answer('b,"', "angry"))
    os.truncate(path, len(whole) + kept)

    cut = read_labels(path)
    write(path, answer("c", "sad"))
    after = read_labels(path)
    for labels in (cut, after):
        found = {(a.file, a.label) for a in labels.answers} - {("c", "sad")}
        assert found in ({("a", "happy")}, {("a", "happy"), ('b,"', "angry")})
        # It counts, or it is named.
        assert len(labels.problems) == (len(found) == 1)
    assert after.answers[-1] == answer("c", "sad")


@pytest.mark.parametrize("kept", [0, 5, len(",".join(COLUMNS))])
def test_a_header_that_was_cut_off_is_completed(path: Path, kept: int) -> None:
    path.write_text(",".join(COLUMNS)[:kept])
    assert read_labels(path).answers == []
    write(path, answer("a", "happy"))
    assert read_labels(path).answers == [answer("a", "happy")]


def test_lines_that_are_no_answers_are_named_and_passed_over(path: Path) -> None:
    write(path, answer("a", "happy"))
    with path.open("ab") as stream:
        stream.write(b'x,y\n\n"open\n\xff,b,,,sad,,,\n/d,b,one,2,sad,,,\n/d,b,nan,2,sad,,,\n')
    write(path, answer("c", "sad"))
    labels = read_labels(path)
    assert [a.file for a in labels.answers] == ["a", "c"]
    assert [problem.split()[1] for problem in labels.problems] == ["3", "5", "6", "7", "8"]


def test_a_file_made_by_hand_needs_only_three_columns(path: Path) -> None:
    path.write_bytes("﻿label,file,root,note\r\nhappy,a.wav,/data,x\r\nsad,b.wav,/data,".encode())
    labels = read_labels(path)
    assert {key.file: label for key, label in labels.agreed().items()} == {
        "a.wav": "happy",
        "b.wav": "sad",
    }
    with pytest.raises(UsageError, match=r"lacks the column start, .* --labels"):
        write(path, answer("c", "sad"))


def test_columns_of_others_are_kept_in_their_order(path: Path) -> None:
    path.write_text("time,note," + ",".join(COLUMNS[:-1]) + "\n")
    write(path, answer("a", "happy"))
    assert read_labels(path).answers == [answer("a", "happy")]


@pytest.mark.parametrize("content", ["a,b,c\n1,2,3\n", "PK\3\4"])
def test_another_file_is_refused(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(UsageError, match="no file of labels: its first line lacks root"):
        read_labels(path)
    with pytest.raises(UsageError, match="nothing can be added"):
        write(path, answer("a", "happy"))
    assert path.read_text() == content


def test_whether_answers_can_be_added_is_known_before_the_first(path: Path) -> None:
    LabelsFile(path).check()
    assert path.read_bytes() == b""
    write(path, answer("a", "happy"))
    LabelsFile(path).check()
    path.write_text("root,file,label\n")
    with pytest.raises(UsageError, match="lacks the column start"):
        LabelsFile(path).check()
    with pytest.raises(OSError, match="No such file"):
        LabelsFile(path.parent / "none" / "labels.csv").check()


def test_a_missing_file_is_an_error_only_for_who_reads_it(path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file of labels"):
        read_labels(path)
    LabelsFile(path).update()


def test_what_others_append_is_read_without_reading_all_again(path: Path) -> None:
    file = LabelsFile(path)
    file.append(answer("a", "happy"))
    file.update()
    first = file.labels.answers[0]
    write(path, answer("b", "sad", "ben"))
    file.update()
    assert [a.file for a in file.labels.answers] == ["a", "b"]
    assert file.labels.answers[0] is first


def test_a_last_line_is_read_again_when_more_of_it_is_there(path: Path) -> None:
    write(path, answer("a", "happy"))
    file = LabelsFile(path)
    with path.open("a") as stream:
        for part in ("/data,b,,,sa", "d,ben,,2026-01", "-31T12:00:00Z", "\n"):
            stream.write(part)
            stream.flush()
            file.update()
    assert [(a.file, a.label) for a in file.labels.answers] == [("a", "happy"), ("b", "sad")]
    assert file.labels.problems == []
    path.write_text(",".join(COLUMNS) + "\n")
    file.update()
    assert file.labels.answers == []
