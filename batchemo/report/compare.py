"""What differs between two tables of the same corpus, and whether chance explains it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from batchemo.common.arrays import Float64
from batchemo.tables.read import open_table
from batchemo.tables.schema import STATUS_OK

SIGNIFICANT = 0.01
"""The probability below which chance is no explanation."""
_LEAST_EXPECTED = 5
"""Recordings of a label that are expected by chance, below which a test of shares means nothing."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A table compared with an earlier one."""

    path: Path
    new: Counter[str]
    """The recordings that only the new table has, by label; "" for those that failed."""
    gone: int
    """Those that only the earlier one has."""
    changed: Counter[tuple[str, str]]
    """Those that are in both with another label, by the earlier and the new one."""
    same: int
    shares: dict[str, tuple[float, float]]
    """The share of each label before and now."""
    confidence: tuple[float, float]
    """The mean before and now."""
    p_shares: float | None
    """How probable such different shares are by chance; None where there are too few."""
    p_confidence: float | None

    @property
    def has_drifted(self) -> bool:
        """Whether shares or confidence differ by more than chance explains."""
        return any(p is not None and p < SIGNIFICANT for p in (self.p_shares, self.p_confidence))


def compare_tables(new: str | Path, earlier: str | Path) -> Comparison:
    """Compare two recordings tables, by root and file.

    The tests take recordings as drawn by chance: where most are the same in both tables, little
    can differ, and where they come in groups (speakers, days), chance explains more than they say.
    """
    before, now = _labels(earlier), _labels(new)
    both = before.keys() & now.keys()
    changed = Counter(
        (before[key][0], now[key][0]) for key in both if before[key][0] != now[key][0]
    )
    counts = [Counter(label for label, _ in of.values() if label) for of in (before, now)]
    labels = sorted(counts[0] | counts[1])
    totals = [max(1, count.total()) for count in counts]
    confidence = [np.array([c for label, c in of.values() if label]) for of in (before, now)]
    return Comparison(
        Path(earlier),
        Counter(now[key][0] for key in now.keys() - before.keys()),
        len(before.keys() - now.keys()),
        changed,
        len(both) - changed.total(),
        {label: (counts[0][label] / totals[0], counts[1][label] / totals[1]) for label in labels},
        (_mean(confidence[0]), _mean(confidence[1])),
        _p_of_shares(np.array([[count[label] for label in labels] for count in counts], float)),
        _p_of_confidence(*confidence),
    )


def _labels(path: str | Path) -> dict[tuple[str, str], tuple[str, float]]:
    """Return the label and the confidence of each recording; "" and 0 of those that failed."""
    found: dict[tuple[str, str], tuple[str, float]] = {}
    for batch in open_table(path).batches(["root", "file", "status", "emotion", "confidence"]):
        columns = (batch.column(i).to_pylist() for i in range(batch.num_columns))
        for root, file, status, emotion, confidence in zip(*columns, strict=True):
            found[root, file] = (emotion, confidence) if status == STATUS_OK else ("", 0.0)
    return found


def _mean(values: Float64) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _p_of_shares(counts: Float64) -> float | None:
    """Return the p-value of a chi-square test; rare labels are counted as one.

    >>> _p_of_shares(np.array([[50.0, 50.0], [90.0, 10.0]])) < 0.001
    True
    >>> _p_of_shares(np.array([[5.0, 4.0], [3.0, 2.0]])) is None
    True
    """
    from scipy.stats import chi2_contingency

    if not counts.size or not counts.sum(axis=1).all():
        return None
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    rare = expected.min(axis=0) < _LEAST_EXPECTED
    joined = np.column_stack([counts[:, ~rare], counts[:, rare].sum(axis=1)])
    expected = joined.sum(axis=1, keepdims=True) * joined.sum(axis=0) / joined.sum()
    joined = joined[:, expected.min(axis=0) >= _LEAST_EXPECTED]
    return float(chi2_contingency(joined).pvalue) if joined.shape[1] > 1 else None


def _p_of_confidence(before: Float64, now: Float64) -> float | None:
    """Return the p-value of a Kolmogorov-Smirnov test of two samples."""
    from scipy.stats import ks_2samp

    if min(len(before), len(now)) < 2 * _LEAST_EXPECTED:
        return None
    return float(ks_2samp(before, now).pvalue)
