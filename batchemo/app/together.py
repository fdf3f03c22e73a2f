"""Joins what several models said of one recording, each on its own, to the row of a scan with all.

The page asks models one by one, as visitors choose them; its table must not tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from batchemo.bundles import Bundle
from batchemo.tables.rows import Row, Windows
from batchemo.tables.verdicts import mean_of


def together(rows: Sequence[Row], bundles: Sequence[Bundle]) -> Row:
    """Give the row of all models, labels in the first one's order; it fails where one does."""
    if len(rows) == 1:
        return rows[0]
    opinions, windows = [], []
    for row, bundle in zip(rows, bundles, strict=True):
        if row.probabilities is None or row.windows is None:
            why, found = row.reason, row.detail
            return replace(rows[0], reason=why, detail=found, probabilities=None, windows=None)
        order = [bundle.labels.index(label) for label in bundles[0].labels]
        opinions.append(row.probabilities[order])
        windows.append(replace(row.windows, probabilities=row.windows.probabilities[:, order]))
    stacked = np.stack(opinions)
    mean, joined = mean_of(stacked), _end_to_end(windows)
    return replace(rows[0], probabilities=mean, opinions=stacked, windows=joined)


def _end_to_end(windows: Sequence[Windows]) -> Windows:
    return Windows(
        np.concatenate([each.starts for each in windows]),
        np.concatenate([each.ends for each in windows]),
        np.concatenate([each.probabilities for each in windows]),
        np.repeat(np.arange(len(windows), dtype=np.int32), [len(w.starts) for w in windows]),
    )
