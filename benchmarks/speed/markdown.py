"""Tables and numbers in Markdown, and their places on a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose columns are aligned to the right, except for the first.

    >>> print(table(["model", "ms"], [["default", "1"]]))
    | model | ms |
    | --- | ---: |
    | default | 1 |
    """
    rule = ["---", *["---:"] * (len(titles) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [titles, rule, *rows])


def replace_section(page: str, name: str, text: str) -> str:
    r"""Return the page with text between the markers of that name, instead of what is there.

    >>> print(replace_section("<!-- a -->\nold\n<!-- /a -->", "a", "new"))
    <!-- a -->
    new
    <!-- /a -->
    """
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"the page has no {begin} … {end}")
    return f"{before}{begin}\n{text}\n{end}{after}"


def number(value: float) -> str:
    """Return a number with three significant digits, or more if it is above 1,000.

    >>> [number(value) for value in (1234.5, 56.78, 0.01234)]
    ['1,234', '56.8', '0.0123']
    """
    if value >= 100:
        return f"{value:,.0f}"
    digits = 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{digits}f}" if value >= 0.1 else f"{value:.3g}"
