"""Rows of an earlier table that no source asked for: kept, or pruned where their files are gone."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from batchemo.batch.plan import Plan
from batchemo.common.text import from_text


@dataclass(slots=True)
class Leftovers:
    """What became of such rows."""

    kept: int = 0
    pruned: int = 0
    empty_roots: set[str] = field(default_factory=set)
    """Roots that are not there or empty, as an unmounted disk is: their rows are kept."""


def keep_unasked(plan: Plan, *, prune: bool) -> Leftovers:
    """Put the rows after all others; with `prune`, not those whose files are gone for certain."""
    left = Leftovers()
    filled: dict[str, bool] = {}
    for place, root, file in plan.ledger.unasked():
        if prune and is_gone(root, file):
            if root not in filled:
                filled[root] = _holds_something(root)
            if filled[root]:
                left.pruned += 1
                continue
            left.empty_roots.add(root)
        plan.keep(place)
        left.kept += 1
    return left


def is_gone(root: str, file: str) -> bool:
    """Tell whether there is certainly no such file: one that may not be looked at may be there."""
    try:
        os.lstat(os.path.join(from_text(root), from_text(file)))
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _holds_something(root: str) -> bool:
    try:
        with os.scandir(from_text(root)) as entries:
            return next(entries, None) is not None
    except OSError:
        return False
