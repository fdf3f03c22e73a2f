"""Files are whole, the same for the same evaluation, and harm no spreadsheet and no picture."""

from __future__ import annotations

import csv
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from made_predictions import LABELS, make_evaluation, make_info, random_predictions

from batchemo.errors import UsageError
from batchemo.evaluation import evaluate, read_evaluation, write_evaluation

RECORDINGS = {
    "evaluation.json",
    "figures.csv",
    "classes.csv",
    "confusion.csv",
    "coverage.csv",
    "groups.csv",
    "conditions.csv",
    "confusion.png",
    "reliability.png",
    "coverage.png",
}
HOSTILE = ("=cmd()", '$\\frac{$ a,b\n"c"', "\x1b[2J\udcff日本")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_all_files_are_there_and_nothing_else(tmp_path: Path) -> None:
    written = write_evaluation(tmp_path / "new" / "folder", make_evaluation())

    assert {path.name for path in written} == RECORDINGS
    assert {path.name for path in (tmp_path / "new" / "folder").iterdir()} == RECORDINGS


def test_equal_evaluations_give_equal_bytes(tmp_path: Path) -> None:
    first = write_evaluation(tmp_path / "1", make_evaluation())
    second = write_evaluation(tmp_path / "2", make_evaluation())

    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_an_evaluation_is_read_back_equal(tmp_path: Path) -> None:
    write_evaluation(tmp_path, make_evaluation())

    assert read_evaluation(tmp_path) == make_evaluation()


def test_tables_hold_the_figures_and_the_protocol(tmp_path: Path) -> None:
    found = make_evaluation("leaky")
    write_evaluation(tmp_path, found)

    for name in ("figures", "classes", "confusion", "coverage", "groups"):
        assert {row["protocol"] for row in rows(tmp_path / f"{name}.csv")} == {"leaky"}
    uar, *_ = rows(tmp_path / "figures.csv")
    assert float(uar["mean"]) == found.figures["uar"].mean
    low, high = found.figures["uar"].interval_over_speakers or (0, 0)
    assert (float(uar["interval_low"]), float(uar["interval_high"])) == (low, high)
    classes = rows(tmp_path / "classes.csv")
    assert [float(row["recall"]) for row in classes] == [of.recall for of in found.classes]
    assert len(rows(tmp_path / "confusion.csv")) == len(LABELS) ** 2
    assert [float(row["accuracy"]) for row in rows(tmp_path / "coverage.csv")] == [
        kept.accuracy for kept in found.coverage
    ]
    assert rows(tmp_path / "conditions.csv") == [], "none was tried"


def test_tables_tell_what_was_judged_by_speaker_and_under_conditions(tmp_path: Path) -> None:
    every = random_predictions(takes=6)
    found = evaluate(
        [*every, *(replace(one, variant="telephone") for one in every)], LABELS, info=make_info()
    )
    write_evaluation(tmp_path, found)

    figures = rows(tmp_path / "figures.csv")
    grouped = {row["figure"]: float(row["mean"]) for row in figures if row["judged"] != "alone"}
    assert found.speaker_adapted
    assert grouped == {name: figure.mean for name, figure in found.speaker_adapted.figures.items()}
    [telephone] = rows(tmp_path / "conditions.csv")
    assert telephone["condition"] == "telephone"
    assert "3400 Hz" in telephone["told"]
    assert float(telephone["uar_change"]) == 0


@pytest.mark.parametrize("name", ["confusion.png", "reliability.png", "coverage.png"])
def test_pictures_are_png_of_a_size_to_look_at(tmp_path: Path, name: str) -> None:
    write_evaluation(tmp_path, make_evaluation())
    content = (tmp_path / name).read_bytes()

    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    assert 500 < width < 2500
    assert 400 < height < 2500


def test_the_protocol_is_drawn_into_the_pictures(tmp_path: Path) -> None:
    write_evaluation(tmp_path / "1", make_evaluation("speaker"))
    write_evaluation(tmp_path / "2", make_evaluation("random"))

    for name in ("confusion.png", "reliability.png", "coverage.png"):
        assert (tmp_path / "1" / name).read_bytes() != (tmp_path / "2" / name).read_bytes()


def test_hostile_labels_are_kept_apart_and_never_run(tmp_path: Path) -> None:
    found = evaluate(random_predictions(labels=HOSTILE), HOSTILE, info=make_info(subject="@sum"))

    write_evaluation(tmp_path, found)

    labels = [row["label"] for row in rows(tmp_path / "classes.csv")]
    assert labels == ["'=cmd()", HOSTILE[1], "\x1b[2J\\xff日本"]
    assert {row["subject"] for row in rows(tmp_path / "groups.csv")} == {"'@sum"}
    assert read_evaluation(tmp_path) == found


def test_an_older_evaluation_is_replaced(tmp_path: Path) -> None:
    write_evaluation(tmp_path, make_evaluation(luck=1))
    write_evaluation(tmp_path, make_evaluation())

    assert read_evaluation(tmp_path) == make_evaluation()


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "cannot be read"), ("{", "is no JSON"), ("[]", "is no evaluation")],
)
def test_what_is_no_evaluation_is_refused(tmp_path: Path, content: str | None, told: str) -> None:
    if content is not None:
        (tmp_path / "evaluation.json").write_text(content)

    with pytest.raises(UsageError, match=told):
        read_evaluation(tmp_path)
