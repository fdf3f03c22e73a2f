"""A summary counts emotions and failures, in groups."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from batchemo.errors import UsageError
from batchemo.tables.derived import with_derived_columns
from batchemo.tables.rows import RecordingResult, to_batch
from batchemo.tables.summary import UNFAMILIAR, Summary, check_group_by, summarise

LABELS = ("happy", "sad")


def predicted(
    file: str,
    happy: float,
    *,
    seconds: float = 60.0,
    mtime_ns: int = 0,
    familiarity: float | None = None,
) -> RecordingResult:
    probabilities = np.array([happy, 1 - happy], np.float32)
    return RecordingResult(
        "/data",
        file,
        probabilities=probabilities,
        duration=seconds,
        mtime_ns=mtime_ns,
        familiarity=familiarity,
    )


def failed(file: str, reason: str) -> RecordingResult:
    return RecordingResult("/data", file, reason=reason, detail="")


def table(*rows: RecordingResult) -> pa.Table:
    batch = to_batch(rows, labels=LABELS, model="m", segments=False)
    return with_derived_columns(pa.Table.from_batches([batch]), LABELS)


TABLE = table(
    predicted("anna/1.wav", 0.75),
    predicted("anna/2.wav", 0.25),
    predicted("ben/x/1.wav", 0.875, mtime_ns=1_700_000_000 * 10**9),
    failed("ben/2.wav", "silent"),
    failed("top.wav", "silent"),
)


def counts(summary: Summary) -> list[tuple[str, str, int]]:
    return [
        (row["group"], row["emotion"] or row["reason"], row["files"])
        for row in summary.table().to_pylist()
    ]


def test_without_grouping_there_is_one_group() -> None:
    rows = summarise([TABLE]).table().to_pylist()
    assert [(r["emotion"], r["reason"], r["files"]) for r in rows] == [
        ("happy", None, 2),
        ("sad", None, 1),
        (None, "silent", 2),
    ]
    assert rows[0]["share"] == pytest.approx(2 / 3)
    assert rows[0]["minutes"] == 2.0
    assert rows[0]["mean_confidence"] == pytest.approx((0.75 + 0.875) / 2)
    assert rows[2]["mean_confidence"] is None
    assert rows[2]["share"] == 1.0


def test_familiarity_is_averaged_over_the_recordings_for_which_it_is_known() -> None:
    files = {"a/1.wav": 0.25, "a/2.wav": UNFAMILIAR, "b/1.wav": None, "b/2.wav": 1.0}
    rows = [predicted(file, 0.75, familiarity=value) for file, value in files.items()]

    summary = summarise([table(*rows, failed("b/3.wav", "silent"))], "folder")

    means = [row["mean_familiarity"] for row in summary.table().to_pylist()]
    assert means == [pytest.approx((0.25 + 0.3) / 2), 1.0, None]
    total = summary.total()
    assert (total.recordings, total.known) == (5, 3)
    assert total.unfamiliar == 1, "the limit itself is not below it"


def test_a_table_of_an_earlier_version_has_no_familiarity() -> None:
    summary = summarise([TABLE.drop_columns("familiarity")])

    assert summary.total().mean_familiarity is None
    assert summary.total().recordings == 5


def test_groups_by_a_part_of_the_path() -> None:
    assert counts(summarise([TABLE], "part:1")) == [
        ("(none)", "silent", 1),
        ("anna", "happy", 1),
        ("anna", "sad", 1),
        ("ben", "happy", 1),
        ("ben", "silent", 1),
    ]


def test_groups_by_the_folder_and_by_the_date() -> None:
    assert ("ben/x", "happy", 1) in counts(summarise([TABLE], "folder"))
    assert ("2023-11", "happy", 1) in counts(summarise([TABLE], "month"))


def test_groups_by_a_pattern_in_the_path() -> None:
    whole = counts(summarise([TABLE], "regex:^[a-z]+(?=/)"))
    assert whole == counts(summarise([TABLE], "part:1"))
    assert counts(summarise([TABLE], r"regex:([0-9])\.wav")) == [
        ("(none)", "silent", 1),
        ("1", "happy", 2),
        ("2", "sad", 1),
        ("2", "silent", 1),
    ]


def test_an_invalid_pattern_is_refused_with_a_reason() -> None:
    with pytest.raises(UsageError, match=r"regex:\(: this is no regular expression: missing \)"):
        check_group_by("regex:(", [])


def test_groups_by_a_column_of_the_manifest() -> None:
    grouped = TABLE.append_column("speaker", pa.array([1, 1, 2, 2, None]))
    assert counts(summarise([grouped], "speaker"))[0] == ("(none)", "silent", 1)
    assert ("2", "happy", 1) in counts(summarise([grouped], "speaker"))


def test_parts_of_a_table_add_up() -> None:
    assert counts(summarise([TABLE.slice(0, 2), TABLE.slice(2)])) == counts(summarise([TABLE]))


@pytest.mark.parametrize("group_by", ["speaker", "part:0", "part:x", "weekday"])
def test_an_unknown_grouping_is_refused_with_those_that_exist(group_by: str) -> None:
    with pytest.raises(UsageError, match="part:N, regex:PATTERN, date, month or year"):
        check_group_by(group_by, ["root", "file"])
