"""A report counts what stands in the table, in one pass."""

from __future__ import annotations

import pytest
from made_tables import analysed, failed

from batchemo.errors import UsageError
from batchemo.report.facts import collect_facts


def test_the_most_and_least_certain_are_found_in_all_batches(write_table, monkeypatch) -> None:
    rows = [analysed(f"{n:03}.wav", confidence=((n * 37) % 100) / 100) for n in range(100)]

    facts = collect_facts(write_table(*rows), examples=3)

    assert [one.confidence for one in facts.least_certain] == pytest.approx([0.0, 0.01, 0.02])
    assert [one.confidence for one in facts.most_certain] == pytest.approx([0.99, 0.98, 0.97])


def test_equal_confidences_stay_in_the_order_of_the_table(write_table) -> None:
    table = write_table(*(analysed(name) for name in ("b.wav", "a.wav", "c.wav")))

    facts = collect_facts(table, examples=2)

    assert [one.file for one in facts.least_certain] == ["b.wav", "a.wav"]
    assert [one.file for one in facts.most_certain] == ["b.wav", "a.wav"]


def test_failures_are_no_emotions(write_table) -> None:
    facts = collect_facts(write_table(analysed("a.wav"), failed("b.wav", "silent")))

    assert facts.labels == ("calm",)
    assert facts.summary.count_recordings() == 2
    assert {name: sum(bins) for name, bins in facts.confidence.items()} == {"calm": 1}


def test_quality_tells_how_certain_the_model_is_of_each_kind(write_table) -> None:
    table = write_table(
        analysed("quiet.wav", confidence=0.4, rms_db=-55.0),
        analysed("clipped.wav", confidence=0.5, clipped=0.2),
        analysed("silent.wav", confidence=0.6, silence=0.9),
        analysed("usual.wav", confidence=1.0),
    )

    quality = {one.name: one for one in collect_facts(table).quality}

    assert quality["level 1: below -50 dB"].confidence == pytest.approx(0.4)
    assert quality["level 4: -30 to -20 dB"].recordings == 3
    assert [one.recordings for name, one in quality.items() if "more than" in name] == [1, 1]


def test_an_empty_table_has_no_figures(write_table) -> None:
    facts = collect_facts(write_table())

    assert (facts.labels, facts.quality, facts.least_certain) == ((), (), ())


def test_another_table_is_refused(tmp_path) -> None:
    (tmp_path / "w.csv").write_text("root,file,start,end,emotion,confidence,p_calm\n")

    with pytest.raises(UsageError, match="is not a recordings table: it lacks status"):
        collect_facts(tmp_path / "w.csv")
