"""`batchemo show`: how a table of results was made, read back from the table itself."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from batchemo.cli.output.format import counted
from batchemo.common.text import for_display

if TYPE_CHECKING:
    from batchemo.tables.describe import Description

EPILOG = """
\b
Examples:
  batchemo show results.parquet
  batchemo show results.parquet --json | jq -r .run.digest
"""


@click.command(epilog=EPILOG)
@click.argument("results", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print an object for machines.")
def command(results: str, as_json: bool) -> None:
    """Tell how RESULTS was made: model, features, windows, options, sources, columns.

    Parquet holds the whole account. CSV has no place for one: of it, the column `model` tells
    which models made how many rows.
    """
    from batchemo.tables.describe import describe

    found = describe(results)
    if as_json:
        told = dataclasses.asdict(found) | {"path": str(found.path)}
        click.echo(json.dumps(told, indent=2))
        return
    click.echo(f"{for_display(results)}: {found.kind} table, {counted(found.rows, 'row')}\n")
    for name, value in (*_account(found), *_models(found)):
        click.echo(f"{name:<10}{for_display(value)}")
    click.echo("\ncolumns")
    columns = list(_columns(found))
    width = max(len(name) for name, _ in columns)
    for name, meaning in columns:
        click.echo(f"  {name:<{width}}  {meaning}")


def _columns(found: Description) -> Iterator[tuple[str, str]]:
    """Name the columns with their meaning, those that share one in a single line."""
    for meaning, group in groupby(found.columns, key=lambda column: column.meaning):
        first, *others = (for_display(column.name) for column in group)
        yield f"{first} … {others[-1]}" if others else first, meaning


def _account(found: Description) -> Iterator[tuple[str, str]]:
    run = found.run
    if not run:
        yield "made by", "not recorded: CSV has no place for it, and other tools drop it"
        return
    yield "made by", f"batchemo {run['batchemo']}"
    if "models" in run:
        yield "labels", ", ".join(run["labels"])
    for part in run.get("models", [run]):
        if "model" in part:
            yield "model", f"{part['model']}, digest {part['digest']}"
        if "model" in run:
            yield "labels", ", ".join(run["labels"])
        yield from _listening(part)
    yield "options", _words(run["options"])
    yield "sources", _words(run["sources"])


def _listening(run: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Tell the features and windows of a model, or of a table of features."""
    recipe = run["features"]
    yield "features", f"{recipe['name']}, {recipe['kind']} version {recipe['version']}"
    yield "", _words({"rate": recipe["rate"], **recipe["params"]})
    yield "windows", f"{run['window']:g} s, one every {run['hop']:g} s"


def _models(found: Description) -> Iterator[tuple[str, str]]:
    for model, rows in found.models.items():
        yield "rows", f"{rows:,} by {model}"


def _words(values: dict[str, Any]) -> str:
    """Write what is set.

    >>> _words({"channel": "mix", "paths": ["a", "b"], "base": None, "include": []})
    'channel mix, paths a b'
    """
    words = []
    for name, value in values.items():
        if value is not None and value != []:
            text = " ".join(map(str, value)) if isinstance(value, list) else value
            words.append(f"{name.replace('_', ' ')} {text}")
    return ", ".join(words)
