"""The tables of a report hold the figures of an evaluation, whoever renders them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_predictions import LABELS, make_evaluation, make_info, make_prediction, random_predictions

from batchemo.evaluation import Evaluation, evaluate
from batchemo.evaluation.report_table import (
    Column,
    Kind,
    Value,
    format_value,
)
from batchemo.evaluation.report_tables import (
    adaptation_table,
    conditions_table,
    confusion_grid,
    confusion_table,
    figures_table,
    frequent_confusions,
    groups_table,
    report_tables,
)
from batchemo.evaluation.results import Figure


def everything() -> Evaluation:
    """An evaluation with adapted figures and a condition."""
    predictions = random_predictions(takes=6)
    telephone = [replace(one, variant="telephone") for one in predictions]
    return evaluate([*predictions, *telephone], LABELS, info=make_info())


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (None, "share", "—"),
        ("sad", "text", "sad"),
        ("uar", "text", "UAR"),
        (1234, "count", "1,234"),
        (12.5, "count", "12"),
        (0.12345, "share", "0.123"),
        (0.8, "percent", "80%"),
        (0.0512, "points", "+5.1"),
        ((0.25, 0.5), "interval", "0.250–0.500"),
        (Figure(0.5, None, None, None), "figure", "0.500"),
        (Figure(0.5, 0.25, None, None), "figure", "0.500 ± 0.250"),
    ],
)
def test_values_are_written_by_their_kind(value: Value, kind: Kind, expected: str) -> None:
    column = Column("name", "title", kind, wording={"uar": "UAR"})

    assert format_value(value, column) == expected


def test_a_figure_without_spreads_is_its_mean() -> None:
    figure = Figure(0.5, 0.25, None, (0.1, 0.9))

    assert format_value(figure, Column("uar", "UAR", "figure"), spreads=False) == "0.500"


def test_rows_have_a_value_for_each_column_and_names_are_different() -> None:
    tables = report_tables(everything())

    assert len({table.name for table in tables}) == len(tables)
    for table in tables:
        assert {len(row) for row in table.rows} == {len(table.columns)}, table.name
        assert len({column.name for column in table.columns}) == len(table.columns), table.name


def test_figures_are_there_with_and_without_adaptation() -> None:
    found = everything()
    assert found.speaker_adapted

    table = figures_table(found)

    plain = table.where("adaptation", "none").select("figure", "mean").rows
    adapted = table.where("adaptation", "by speaker").select("figure", "mean").rows
    assert plain == tuple((name, figure.mean) for name, figure in found.figures.items())
    assert dict(adapted)["uar"] == found.speaker_adapted.figures["uar"].mean
    assert [row[0] for row in adaptation_table(found).rows] == [
        "not adapted",
        found.speaker_adapted.title,
    ]
    assert adaptation_table(make_evaluation("random")).rows == ()


def test_the_confusion_grid_is_the_confusion_table_laid_out_across() -> None:
    found = make_evaluation()

    grid, table = confusion_grid(found), confusion_table(found)

    assert [column.title for column in grid.columns] == ["", *LABELS]
    assert len(table.rows) == len(LABELS) ** 2
    for label, *shares in grid.rows:
        percent = [100 * share for share in table.where("label", label).values("share")]
        assert shares == percent
    numbered = confusion_grid(found, numbered=True)
    assert [column.title for column in numbered.columns] == ["", "1", "2", "3"]
    assert numbered.values("label") == ["1 sad", "2 happy", "3 angry"]


def test_frequent_confusions_are_off_the_diagonal_and_the_greatest_first() -> None:
    predictions = [
        make_prediction("sad", "sad", name="1"),
        make_prediction("sad", "happy", name="2"),
        make_prediction("happy", "angry", name="3"),
    ]

    table = frequent_confusions(evaluate(predictions, LABELS, info=make_info()), 8)

    assert table.rows == (("happy", "angry", 1.0), ("sad", "happy", 0.5))


def test_groups_can_be_taken_by_property() -> None:
    table = groups_table(make_evaluation()).where("grouping", "gender")

    assert table.values("name") == ["female", "male"]


def test_the_unchanged_recordings_precede_the_conditions_where_they_are_wanted() -> None:
    found = everything()

    table = conditions_table(found, unchanged=True)

    assert table.values("condition") == ["", "telephone"]
    assert table.values("description")[0] == "unchanged"
    assert table.values("uar")[0] == found.figures["uar"]
    assert table.rows[1:] == conditions_table(found).rows
