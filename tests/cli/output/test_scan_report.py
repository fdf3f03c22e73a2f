"""The report, the final line and the warnings of a scan."""

from __future__ import annotations

import io

import pytest

from batchemo.batch.events import Report
from batchemo.cli.output.scan_report import final_line, remarks, show_report, warnings
from batchemo.tables.summary import Count, Summary


def report(**values: object) -> Report:
    defaults = {
        **{"output": None, "model": "m", "summary": Summary(), "problems": (), "empty": ()},
        **dict.fromkeys(("analysed", "kept", "new_failures", "orphans", "pruned", "young"), 0),
        **dict.fromkeys(("duplicates", "hidden", "links", "predicted_again"), 0),
        **{"sound": 1.0, "elapsed": 1.0, "stages": {}, "other_recordings": {}},
    }
    return Report(**{**defaults, **values})


def test_final_line_accounts_for_every_row() -> None:
    line = final_line(report(analysed=1, kept=4, pruned=3, orphans=2, limited=True))
    for part in (
        "1 recording analysed",
        "4 unchanged",
        "3 rows of deleted recordings dropped",
        "2 rows kept of recordings that are not in the sources",
        "stopped at --limit",
    ):
        assert part in line


def test_scan_of_new_recordings_only_has_no_remarks() -> None:
    assert remarks(report(analysed=1)) == []


def test_unreachable_recordings_and_empty_roots_are_warnings() -> None:
    messages = warnings(report(unreachable=2, empty_roots=("/mnt/a\n",)))
    assert messages == [
        "/mnt/a\\x0a is missing or empty: its rows are kept; --overwrite drops them",
        "2 recordings could not be reached; their earlier rows are kept",
    ]


def test_missing_recordings_count_neither_as_analysed_nor_as_failed() -> None:
    counts = {("", "failed", "missing"): Count(2), ("", "failed", "silent"): Count(1)}
    line = final_line(report(analysed=4, missing=2, new_failures=3, summary=Summary(counts=counts)))
    assert line.startswith("batchemo: 4 recordings analysed, 2 missing, 1 failed in")
    line = final_line(report(analysed=4, missing=2, new_failures=1, summary=Summary(counts=counts)))
    assert "2 missing, 1 failed (1 new) in" in line


def test_turns_that_failed_are_counted_as_turns() -> None:
    counts = {("", "ok", "sad"): Count(8), ("", "failed", "overlap"): Count(2)}
    summary = Summary(counts=counts, noun="turn")
    line = final_line(report(analysed=1, new_failures=2, summary=summary))
    assert line.startswith("batchemo: 1 recording analysed, 2 of 10 turns failed in")


@pytest.mark.parametrize(("unfamiliar", "warned"), [(2, False), (3, True)])
def test_labels_are_not_to_be_trusted_where_the_median_recording_is_unfamiliar(
    unfamiliar: int, warned: bool
) -> None:
    counts = {
        ("all", "ok", "sad"): Count(5, familiarity=1.0, known=4, unfamiliar=unfamiliar),
        ("all", "failed", "silent"): Count(9),
    }
    messages = warnings(report(summary=Summary(counts=counts)))
    assert [message[:19] for message in messages] == ["3 of 4 recordings a"] * warned


def shown(of: Report, html: str | None = None) -> str:
    stream = io.StringIO()
    show_report(of, [], stream, html)
    return stream.getvalue()


def test_the_report_says_first_how_many_and_last_what_to_do() -> None:
    counts = {("all", "ok", "sad"): Count(2), ("all", "failed", "worker_died"): Count(1)}
    lines = shown(
        report(output="my results.csv", summary=Summary(counts=counts), kept=2)
    ).splitlines()
    assert lines[0] == "2 recordings analysed, 1 failed"
    assert "- 2 unchanged" in lines
    assert "→ my results.csv" in lines
    assert [line.partition("#")[0].strip() for line in lines[lines.index("Next:") + 1 :]] == [
        "batchemo review 'my results.csv'",
        "",
        "batchemo report 'my results.csv' -o 'my results.html'",
        "",
        "The same command with --update tries 1 failed recording again",
    ]


def test_what_was_done_or_cannot_be_done_is_no_next_step() -> None:
    done = Summary(counts={("all", "ok", "sad"): Count(1)})
    assert "batchemo report" not in shown(report(output="r.csv", summary=done), "r.html")
    assert "Next:" not in shown(report(output="s3://bucket/r.csv", summary=done))
    assert "Next:" not in shown(report(output="r.csv"))
