"""Figures and tables as Markdown, in which no label or name is taken for markup."""

from __future__ import annotations

import re
from collections.abc import Sequence

from batchemo.common.text import for_display
from batchemo.evaluation.evaluation import Figure

NOTHING = "—"

_MARKUP = re.compile(r"([\\`*_\[\]<>|#$~&!])")


def plain(text: str) -> str:
    r"""Escape what Markdown would take for markup.

    >>> print(plain("a|b <i>"))
    a\|b \<i\>
    """
    return _MARKUP.sub(r"\\\1", for_display(text))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table whose first column holds names.

    >>> print(table(["a", "b"], [["x", "1"]]))
    | a | b |
    | --- | ---: |
    | x | 1 |
    """
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def share(value: float | None) -> str:
    """Write a share to three digits.

    >>> share(0.5), share(None)
    ('0.500', '—')
    """
    return NOTHING if value is None else f"{value:.3f}"


def figure(value: Figure, *, interval: bool = True) -> str:
    """Write a mean, its spread over seeds, and where known its interval over speakers.

    >>> figure(Figure(0.5, 0.01, None, (0.4, 0.6)))
    '0.500 ± 0.010 (0.40 to 0.60)'
    """
    spread = value.spread_over_seeds
    told = share(value.mean) + ("" if spread is None else f" ± {spread:.3f}")
    if interval and value.interval_over_speakers is not None:
        low, high = value.interval_over_speakers
        told += f" ({low:.2f} to {high:.2f})"
    return told
