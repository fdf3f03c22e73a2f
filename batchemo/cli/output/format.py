"""Numbers as people read them."""

from __future__ import annotations

BAR_WIDTH = 24
NARROW = 60
"""Columns of a terminal that has no room for bars."""


def counted(number: int, thing: str) -> str:
    """Count things in words.

    >>> counted(1, "recording"), counted(1200, "recording")
    ('1 recording', '1,200 recordings')
    """
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def clock(seconds: float) -> str:
    """Write a duration.

    >>> clock(4.25), clock(75), clock(3700)
    ('4.2 s', '1:15 min', '1:01 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes}:{int(seconds % 60):02d} min"
    return f"{minutes // 60}:{minutes % 60:02d} h"


def bar_width(columns: int, most: int = BAR_WIDTH) -> int:
    """Say how wide a bar may be beside words and numbers.

    >>> bar_width(80), bar_width(62), bar_width(40)
    (24, 8, 0)
    """
    return 0 if columns < NARROW else min(most, columns - NARROW + 6)


def bar(share: float, width: int = BAR_WIDTH) -> str:
    """Draw a share as a bar of blocks.

    >>> bar(0.5, 8)
    '████    '
    """
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")).ljust(width)
