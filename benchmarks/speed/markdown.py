"""Tables in Markdown, and where they stand on a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """Lay out a table, all but the first columns aligned to the right.

    >>> print(table(["who", "ms"], [["we", "1"]]))
    | who | ms |
    | --- | ---: |
    | we | 1 |
    """
    rule = ["---" if place < left else "---:" for place in range(len(titles))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [titles, rule, *rows])


def into_page(page: str, name: str, text: str) -> str:
    r"""Put text between a page's markers of that name, in place of what stands there.

    >>> print(into_page("<!-- a -->\nold\n<!-- /a -->", "a", "new"))
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


def number(figure: float) -> str:
    """Write a figure with three digits that count.

    >>> [number(figure) for figure in (1234.5, 56.78, 0.01234)]
    ['1,234', '56.8', '0.0123']
    """
    if figure >= 100:
        return f"{figure:,.0f}"
    digits = 1 if figure >= 10 else 2 if figure >= 1 else 3
    return f"{figure:.{digits}f}" if figure >= 0.1 else f"{figure:.3g}"
