"""Who is asked about what, while several answer at the same time."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_review import made_candidates

from batchemo.errors import UsageError
from batchemo.review.queues import open_queue
from batchemo.review.session import LEASE, Session, check_label_names
from batchemo.tables.labels import LabelsFile, read_labels

CANDIDATES = made_candidates(30)


class Clock:
    time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "labels.csv"


def session_of(path: Path, clock: Clock | None = None, **options: int) -> Session:
    queue = open_queue("uncertain", CANDIDATES)
    return Session(CANDIDATES, queue, LabelsFile(path), clock=clock or Clock(), **options)


ORDER = open_queue("uncertain", CANDIDATES).next(30, {}).tolist()


def test_a_page_is_given_the_next_rows_of_the_queue(path: Path) -> None:
    session = session_of(path)
    assert session.next("anna", 3, page="a") == ORDER[:3]
    assert session.next("anna", 2, page="a", held=ORDER[:3]) == ORDER[3:5]


def test_two_pages_never_have_the_same_row(path: Path) -> None:
    session = session_of(path)
    assert session.next("anna", 3, page="a") == ORDER[:3]
    assert session.next("ben", 3, page="b") == ORDER[3:6]


def test_what_a_closed_page_had_is_given_to_the_next(path: Path, clock: Clock) -> None:
    session = session_of(path, clock)
    session.next("anna", 3, page="a")
    session.release("a")
    assert session.next("ben", 4, page="b") == ORDER[:4]
    clock.time = LEASE + 1  # Now without a word.
    assert session.next("anna", 4, page="c") == ORDER[:4]


def test_answers_are_kept_and_not_asked_again_by_a_later_session(path: Path) -> None:
    session = session_of(path)
    row, other = session.next("anna", 2)
    session.answer(row, "sad", "anna", shown="happy")
    (answer,) = read_labels(path).answers
    assert (answer.key, answer.label, answer.reviewer, answer.shown) == (
        CANDIDATES.keys[row],
        "sad",
        "anna",
        "happy",
    )
    assert session_of(path).next("ben", 2) == [other, ORDER[2]]
    assert session.counts("anna") == (1, 1)
    assert session.counts("ben") == (0, 1)
    assert session.answered() == [row]


def test_what_is_taken_back_is_asked_again(path: Path) -> None:
    session = session_of(path)
    (row,) = session.next("anna", 1)
    session.answer(row, "sad", "anna")
    assert session.counts("anna") == (1, 1)
    session.answer(row, "", "anna")
    assert session.counts("anna") == (0, 0)
    assert session.next("anna", 1) == [row]


def test_who_has_answered_a_row_has_seen_its_prediction(path: Path) -> None:
    session = session_of(path)
    (row,) = session.next("anna", 1)
    assert not session.was_shown(row, "anna")
    session.answer(row, "sad", "anna")
    session.answer(row, "", "anna")
    assert session.was_shown(row, "anna")
    assert not session.was_shown(row, "ben")


def test_what_cannot_be_played_is_passed_over_and_does_not_count(path: Path) -> None:
    session = session_of(path, limit=3)
    assert session.next("anna", 1) == ORDER[:1]
    session.skip(ORDER[0])
    assert session.next("anna", 9) == ORDER[1:4]
    session.release("")
    assert session.next("anna", 9) == ORDER[1:4]


def test_answers_that_others_write_to_the_file_are_seen(path: Path) -> None:
    session, elsewhere = session_of(path), session_of(path)
    for row in elsewhere.next("ben", 3):
        elsewhere.answer(row, "sad", "ben")
    assert session.next("anna", 1) == [ORDER[3]]


def test_a_file_that_is_replaced_is_read_anew(path: Path) -> None:
    session = session_of(path)
    for row in session.next("anna", 3):
        session.answer(row, "sad", "anna")
    session.counts("anna")
    path.unlink()
    session_of(path).answer(ORDER[0], "sad", "anna")
    assert session.counts("anna") == (1, 1)


def test_each_recording_is_asked_of_as_many_reviewers_as_wanted(path: Path) -> None:
    session = session_of(path, answers=2)
    for reviewer in ("anna", "ben", "cleo"):
        for row in session.next(reviewer, 4, page=reviewer):
            session.answer(row, "sad", reviewer)
        session.release(reviewer)
    said = read_labels(path).current()
    by_row = [set(said.get(CANDIDATES.keys[row], {})) for row in ORDER[:8]]
    assert by_row == [{"anna", "ben"}] * 4 + [{"cleo"}] * 4
    # Those that need one more come before new ones.
    assert session.next("anna", 5) == ORDER[4:9]


def test_the_end_of_the_queue_is_the_number_asked_for(path: Path) -> None:
    session = session_of(path, limit=5)
    first = session.next("anna", 3, page="a")
    assert first + session.next("ben", 9, page="b") == ORDER[:5]
    assert session.next("anna", 9, page="a", held=first) == []
    session.answer(ORDER[0], "sad", "anna")
    assert session.next("anna", 9, page="a", held=ORDER[1:3]) == []
    session.release("b")
    assert session.next("anna", 9, page="a", held=ORDER[1:3]) == ORDER[3:5]


def test_the_queue_ends_with_the_table(path: Path) -> None:
    assert session_of(path).next("anna", 1000) == ORDER


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "0 labels"),
        ([str(number) for number in range(10)], "10 labels"),
        (["a", "a"], "twice"),
        (["a\n"], "no name"),
        ([""], "no name"),
    ],
)
def test_names_that_no_key_can_choose_are_refused(names: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_label_names(names)
