"""Two tables are compared by recording, and chance is told from change."""

from __future__ import annotations

import numpy as np
import pytest
from made_tables import analysed, failed

from batchemo.report.compare import compare_tables


def drawn(count: int, calm: float, seed: int, name: str = "") -> list[dict]:
    random = np.random.default_rng(seed)
    labels = np.where(random.random(count) < calm, "calm", "angry")
    confidence = random.uniform(0.3, 1.0, count)
    return [
        analysed(f"{name}{n}.wav", str(label), float(value))
        for n, (label, value) in enumerate(zip(labels, confidence, strict=True))
    ]


def test_recordings_are_new_gone_or_have_another_label(write_table) -> None:
    before = write_table(analysed("a"), analysed("b"), analysed("gone"), name="before.csv")
    now = write_table(analysed("a"), analysed("b", "angry"), analysed("c"), failed("d", "silent"))

    found = compare_tables(now, before)

    assert (found.gone, found.same) == (1, 1)
    assert found.changed == {("calm", "angry"): 1}
    assert found.new == {"calm": 1, "": 1}
    assert found.shares["angry"] == pytest.approx((0.0, 1 / 3))


@pytest.mark.parametrize("seed", range(5))
def test_other_recordings_of_the_same_kind_are_no_drift(seed: int, write_table) -> None:
    before = write_table(*drawn(300, 0.6, seed), name="before.csv")
    now = write_table(*drawn(300, 0.6, seed + 100, "new-"))

    assert not compare_tables(now, before).has_drifted


def test_other_shares_are_drift(write_table) -> None:
    before = write_table(*drawn(300, 0.6, 1), name="before.csv")

    found = compare_tables(write_table(*drawn(300, 0.3, 2)), before)

    assert found.p_shares is not None
    assert found.p_shares < 1e-6
    assert found.has_drifted


def test_another_confidence_is_drift_though_shares_are_the_same(write_table) -> None:
    rows = drawn(300, 0.6, 1)
    before = write_table(*rows, name="before.csv")
    now = write_table(*(row | {"confidence": row["confidence"] * 0.8} for row in rows))

    found = compare_tables(now, before)

    assert found.p_shares == pytest.approx(1.0)
    assert found.has_drifted


def test_of_a_handful_of_recordings_nothing_is_said(write_table) -> None:
    before = write_table(analysed("a"), analysed("b", "angry"), name="before.csv")

    found = compare_tables(write_table(analysed("a"), failed("b", "silent")), before)

    assert (found.p_shares, found.p_confidence, found.has_drifted) == (None, None, False)
