"""The drawings of a report as SVG: they need no script, print well, and take the page's colours.

What a drawing shows stands in a table beside it, so each is hidden from readers of the screen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from batchemo.common.arrays import Index
from batchemo.common.colours import colours_of
from batchemo.common.text import for_display
from batchemo.timelines import Stretch

WIDTH = 640
_ROW = 26
_NAME, _VALUE = 130, 110
"""The space for names on the left and for numbers on the right."""


def shown(text: str) -> str:
    """Return a text for HTML: nothing in it is markup, and nothing is invisible.

    >>> shown('<b>"x"</b>')
    '&lt;b&gt;&quot;x&quot;&lt;/b&gt;'
    """
    return escape(for_display(text))


def bars(rows: Sequence[tuple[str, float, float, float]], colours: Mapping[str, str]) -> str:
    """Draw shares with their intervals: name, share, and the interval's two ends."""
    room = WIDTH - _NAME - _VALUE
    most = max((high for *_, high in rows), default=1.0) or 1.0
    drawn = []
    for number, (name, share, low, high) in enumerate(rows):
        y = number * _ROW
        x0, x1 = (_NAME + room * end / most for end in (low, high))
        drawn.append(
            f'<text x="{_NAME - 8}" y="{y + 17}" text-anchor="end">{shown(name)}</text>'
            f'<rect x="{_NAME}" y="{y + 4}" width="{room * share / most:.1f}" height="16" rx="2"'
            f' fill="{colours.get(name, "#5b7fa6")}"/>'
            f'<path class="interval" d="M{x0:.1f} {y + 12}H{x1:.1f}M{x0:.1f} {y + 8}v8'
            f'M{x1:.1f} {y + 8}v8"/>'
            f'<text x="{WIDTH - _VALUE + 10}" y="{y + 17}">{share:.1%}</text>'
        )
    return _svg(len(rows) * _ROW, drawn)


def stacked(rows: Sequence[tuple[str, Mapping[str, int]]], colours: Mapping[str, str]) -> str:
    """Draw the shares of all labels in each group as one bar."""
    room = WIDTH - _NAME - _VALUE
    drawn = []
    for number, (name, counts) in enumerate(rows):
        y, x, total = number * _ROW, float(_NAME), sum(counts.values())
        drawn.append(f'<text x="{_NAME - 8}" y="{y + 17}" text-anchor="end">{_cut(name)}</text>')
        for label in colours:
            width = room * counts.get(label, 0) / max(total, 1)
            if width:
                drawn.append(
                    f'<rect x="{x:.1f}" y="{y + 4}" width="{width:.1f}" height="16"'
                    f' fill="{colours[label]}"><title>{shown(label)}: {counts[label]:,}</title>'
                    "</rect>"
                )
            x += width
        drawn.append(f'<text x="{WIDTH - _VALUE + 10}" y="{y + 17}">{total:,}</text>')
    return _svg(len(rows) * _ROW, drawn)


def histogram(parts: Mapping[str, Index], colours: Mapping[str, str]) -> str:
    """Draw a histogram from 0 to 1, of several parts on top of each other."""
    height, left = 140, 40
    totals = np.sum(list(parts.values()), axis=0)
    most = max(int(totals.max()), 1)
    step = (WIDTH - 2 * left) / len(totals)
    drawn = []
    for number in range(len(totals)):
        y = float(height)
        for name, counts in parts.items():
            tall = (height - 10) * int(counts[number]) / most
            if tall:
                y -= tall
                drawn.append(
                    f'<rect x="{left + number * step:.1f}" y="{y:.1f}" width="{step - 1:.1f}"'
                    f' height="{tall:.1f}" fill="{colours.get(name, "#5b7fa6")}"/>'
                )
    for tick in range(0, 11, 2):
        x = left + (WIDTH - 2 * left) * tick / 10
        drawn.append(
            f'<text x="{x:.1f}" y="{height + 18}" text-anchor="middle">{tick / 10:g}</text>'
        )
    drawn.append(f'<path class="axis" d="M{left} {height}H{WIDTH - left}"/>')
    return _svg(height + 24, drawn)


def strip(stretches: Sequence[Stretch], duration: float, colours: Mapping[str, str]) -> str:
    """Draw what is heard when in one recording."""
    scale = WIDTH / max(duration, 1e-6)
    drawn = ['<rect class="empty" x="0" y="0" width="100%" height="18"/>']
    drawn += [
        f'<rect x="{one.start * scale:.2f}" y="0" width="{(one.end - one.start) * scale:.2f}"'
        f' height="18" fill="{colours.get(one.label, "#5b7fa6")}">'
        f"<title>{shown(one.label)}, {clock(one.start)} to {clock(one.end)}</title></rect>"
        for one in stretches
    ]
    return _svg(18, drawn)


def legend(colours: Mapping[str, str]) -> str:
    """Return the labels, each with its colour."""
    items = (
        f'<span><i style="background:{colour}"></i>{shown(name)}</span>'
        for name, colour in colours.items()
    )
    return f'<p class="legend">{"".join(items)}</p>'


def label_colours(labels: Sequence[str]) -> dict[str, str]:
    """Return the colour of each label, as everywhere."""
    return dict(zip(labels, colours_of(labels), strict=True))


def clock(seconds: float) -> str:
    """Return minutes and seconds.

    >>> clock(75.2), clock(3700.0)
    ('1:15', '1:01:40')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _cut(name: str, length: int = 18) -> str:
    return shown(name if len(name) <= length else f"…{name[1 - length :]}")


def _svg(height: int, drawn: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {max(height, 1)}" aria-hidden="true" focusable="false">'
        f"{''.join(drawn)}</svg>"
    )
