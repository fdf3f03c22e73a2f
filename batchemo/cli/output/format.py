"""Numbers, durations and bars as text for terminals."""

from __future__ import annotations

BAR_WIDTH = 24
NARROW = 60
"""Columns below which a terminal gets no bars."""


def clock(seconds: float) -> str:
    """Format a duration.

    >>> clock(4.25), clock(75), clock(3700)
    ('4.2 s', '1:15 min', '1:01 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes}:{int(seconds % 60):02d} min"
    return f"{minutes // 60}:{minutes % 60:02d} h"


def position(seconds: float) -> str:
    """Format a position in a recording.

    >>> position(1.5), position(62.25), position(3700)
    ('0:01.5', '1:02.2', '1:01:40.0')
    """
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


def bar_width(columns: int, maximum: int = BAR_WIDTH) -> int:
    """Return the width that a bar beside text may have on a terminal of so many columns.

    >>> bar_width(80), bar_width(62), bar_width(40)
    (24, 8, 0)
    """
    return 0 if columns < NARROW else min(maximum, columns - NARROW + 6)


def bar(share: float, width: int = BAR_WIDTH) -> str:
    """Draw a share as a bar of blocks, to an eighth of a character.

    >>> bar(0.5, 8)
    '████    '
    """
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")).ljust(width)
