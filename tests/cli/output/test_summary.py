"""The summary in a terminal: emotions with intervals, how far to trust them, why some failed."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from batchemo.audio import REASONS
from batchemo.bundles import Bundle
from batchemo.cli.output.format import NARROW
from batchemo.cli.output.summary import show_summary
from batchemo.tables.summary import Count, Summary


def printed(summary: Summary, *bundles: Bundle) -> str:
    stream = io.StringIO()
    show_summary(summary, bundles, stream)
    return stream.getvalue()


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_it_fits_the_terminal_and_breaks_no_word(
    columns: int, monkeypatch: pytest.MonkeyPatch, tiny_bundle: Bundle
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    outcomes = {("a", "failed", reason): Count(1_234_567) for reason in REASONS}
    emotion = Count(1_234_567, familiarity=1.0, known=1_234_567, unfamiliar=1_234_567)
    counts = {("a", "ok", "surprised"): emotion, **outcomes}
    text = printed(Summary("folder", counts), tiny_bundle)
    assert max(map(len, text.splitlines())) <= columns
    words = set(text.split())
    for sentence in REASONS.values() if columns >= NARROW else ():
        assert set(sentence.split()) <= words


def test_shares_have_their_intervals() -> None:
    counts = {("all", "ok", "sad"): Count(81), ("all", "ok", "calm"): Count(182)}
    [sad] = [line for line in printed(Summary(counts=counts)).splitlines() if "sad" in line]
    assert sad.split()[1:6] == ["81", "30.8%", "26%", "to", "37%"]


def test_rows_that_are_turns_are_called_turns() -> None:
    most = Count(3, known=3, unfamiliar=3)
    counts = {("a", "ok", "sad"): most, ("a", "failed", "overlap"): Count(1)}
    text = printed(Summary("folder", counts, noun="turn"))
    assert "a: 4 turns" in text
    assert "3 of 3 turns are unlike" in text
    assert text.count("turns") == 4
    assert "recordings " not in text.replace("training recordings", "")


def test_trust_stands_between_the_emotions_and_the_failures(tiny_bundle: Bundle) -> None:
    figures = {"speaker": {"uar": {"mean": 0.72}}, "corpus": {"uar": {"mean": 0.4}}}
    bundle = replace(tiny_bundle, info={**tiny_bundle.info, "figures": figures})
    counts = {("all", "ok", "sad"): Count(1), ("all", "failed", "silent"): Count(1)}
    text = " ".join(printed(Summary(counts=counts), bundle).split())
    places = [text.index(part) for part in ("emotion", "recall of 0.72 for", "of 0.40", "failed")]
    assert places == sorted(places)
    assert "not what a person feels" in text
    assert "has no figures" in printed(Summary(counts=counts), tiny_bundle)


def test_of_a_model_without_labels_nothing_is_said_of_labels(tiny_bundle: Bundle) -> None:
    assert "label says" not in printed(Summary(counts={("all", "ok", ""): Count(1)}), tiny_bundle)


def test_the_mean_familiarity_is_printed_where_it_is_known() -> None:
    known = {("a", "ok", "sad"): Count(2, familiarity=0.5, known=2)}
    unknown = {("b", "ok", "sad"): Count(2), ("b", "failed", "silent"): Count(1)}
    with_it, without, both = (
        printed(Summary("folder", counts)) for counts in (known, unknown, known | unknown)
    )
    assert "a: 2 recordings, mean familiarity 0.25" in with_it
    assert "Mean familiarity 0.25 (1: like the training" in with_it
    assert "familiarity" not in without
    assert "b: 3 recordings, 1 failed\n" in both
