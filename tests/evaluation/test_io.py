"""Files are complete, equal for equal evaluations, and safe for spreadsheets."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from made_predictions import LABELS, make_evaluation, make_info, random_predictions

from batchemo.errors import UsageError
from batchemo.evaluation import evaluate, read_evaluation, write_evaluation

FILES = {
    "evaluation.json",
    "figures.csv",
    "classes.csv",
    "confusion.csv",
    "corpora.csv",
    "coverage.csv",
    "groups.csv",
    "conditions.csv",
    "confusion.png",
    "reliability.png",
    "coverage.png",
}
HOSTILE = ("=cmd()", '$\\frac{$ a,b\n"c"', "\x1b[2J\udcff日本")


@pytest.fixture
def without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of the tables: drawing takes much longer."""
    monkeypatch.setattr("batchemo.evaluation.io.PLOTS", {})


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_all_files_and_no_others_are_written_with_equal_bytes_for_equal_evaluations(
    tmp_path: Path,
) -> None:
    first = write_evaluation(tmp_path / "new" / "folder", make_evaluation())
    second = write_evaluation(tmp_path / "2", make_evaluation())

    assert {path.name for path in first} == FILES
    assert {path.name for path in (tmp_path / "new" / "folder").iterdir()} == FILES
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


@pytest.mark.usefixtures("without_plots")
def test_an_evaluation_is_read_back_equal(tmp_path: Path) -> None:
    write_evaluation(tmp_path, make_evaluation())

    assert read_evaluation(tmp_path) == make_evaluation()


@pytest.mark.usefixtures("without_plots")
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
        point.accuracy for point in found.coverage
    ]
    assert rows(tmp_path / "conditions.csv") == [], "none was asked for"


@pytest.mark.usefixtures("without_plots")
def test_tables_have_adapted_figures_and_conditions(tmp_path: Path) -> None:
    predictions = random_predictions(takes=6)
    telephone = [replace(one, variant="telephone") for one in predictions]
    found = evaluate([*predictions, *telephone], LABELS, info=make_info())
    write_evaluation(tmp_path, found)

    figures = rows(tmp_path / "figures.csv")
    assert {row["adaptation"] for row in figures} == {"none", "by speaker"}
    adapted = {
        row["figure"]: float(row["mean"]) for row in figures if row["adaptation"] == "by speaker"
    }
    assert found.speaker_adapted
    assert adapted == {name: figure.mean for name, figure in found.speaker_adapted.figures.items()}
    [condition] = rows(tmp_path / "conditions.csv")
    assert condition["condition"] == "telephone"
    assert "3400 Hz" in condition["description"]
    assert float(condition["uar"]) == found.conditions[0].uar.mean
    assert float(condition["uar_change"]) == 0


def test_hostile_labels_stay_in_their_cells_and_are_no_formulas(tmp_path: Path) -> None:
    found = evaluate(random_predictions(labels=HOSTILE), HOSTILE, info=make_info(subject="@sum"))

    write_evaluation(tmp_path, found)

    labels = [row["label"] for row in rows(tmp_path / "classes.csv")]
    assert labels == ["'=cmd()", HOSTILE[1], "\x1b[2J\\xff日本"]
    assert {row["subject"] for row in rows(tmp_path / "groups.csv")} == {"'@sum"}
    assert read_evaluation(tmp_path) == found


@pytest.mark.usefixtures("without_plots")
def test_an_earlier_evaluation_is_replaced(tmp_path: Path) -> None:
    write_evaluation(tmp_path, make_evaluation(random_seed=1))
    write_evaluation(tmp_path, make_evaluation())

    assert read_evaluation(tmp_path) == make_evaluation()


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), ("{", "is no JSON"), ("[]", "is no evaluation")],
)
def test_a_file_that_holds_no_evaluation_is_refused(
    tmp_path: Path, content: str | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "evaluation.json").write_text(content)

    with pytest.raises(UsageError, match=message):
        read_evaluation(tmp_path)
