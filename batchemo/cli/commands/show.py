"""`batchemo show`: how a table of results was made, read from the table itself."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from batchemo.cli.shared_options import json_option
from batchemo.common.text import counted, for_display

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
@json_option
def command(results: str, as_json: bool) -> None:
    """Show how RESULTS was made: model, features, windows, options, sources, columns.

    Parquet stores all of this as metadata. CSV cannot: only its column `model` says which models
    made how many rows.
    """
    from batchemo.tables.describe import describe

    description = describe(results)
    if as_json:
        fields = dataclasses.asdict(description) | {"path": str(description.path)}
        click.echo(json.dumps(fields, indent=2))
        return
    rows = counted(description.rows, "row")
    click.echo(f"{for_display(results)}: {description.kind} table, {rows}\n")
    for name, value in (*_provenance(description), *_model_counts(description)):
        click.echo(f"{name:<10}{for_display(value)}")
    click.echo("\ncolumns")
    columns = list(_columns(description))
    width = max(len(name) for name, _ in columns)
    for name, meaning in columns:
        click.echo(f"  {name:<{width}}  {meaning}")


def _provenance(description: Description) -> Iterator[tuple[str, str]]:
    run = description.run
    if not run:
        yield "made by", "not recorded: CSV has no metadata, and other programs may drop it"
        return
    yield "made by", f"batchemo {run['batchemo']}"
    if "models" in run:
        yield "labels", ", ".join(run["labels"])
    for model in run.get("models", [run]):
        if "model" in model:
            yield "model", f"{model['model']}, digest {model['digest']}"
        if "model" in run and run["labels"]:
            yield "labels", ", ".join(run["labels"])
        if "dimensions" in model:
            yield "gives", ", ".join(model["dimensions"])
        yield from _model_input(model)
    yield "options", _settings_text(run["options"])
    yield "sources", _settings_text(run["sources"])


def _model_input(run: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Describe what a model takes, or a features table holds, and its windows."""
    if "waveform" in run:
        yield "input", f"waveform, {_settings_text(run['waveform'])}"
    else:
        features = run["features"]
        yield "features", f"{features['name']}, {features['kind']} version {features['version']}"
        yield "", _settings_text({"rate": features["rate"], **features["params"]})
    yield "windows", f"{run['window']:g} s, one every {run['hop']:g} s"


def _model_counts(description: Description) -> Iterator[tuple[str, str]]:
    for model, rows in description.models.items():
        yield "rows", f"{rows:,} by {model}"


def _columns(description: Description) -> Iterator[tuple[str, str]]:
    """Return the columns with their meanings; neighbours of one meaning share a line."""
    for meaning, group in groupby(description.columns, key=lambda column: column.meaning):
        first, *others = (for_display(column.name) for column in group)
        yield f"{first} … {others[-1]}" if others else first, meaning


def _settings_text(values: dict[str, Any]) -> str:
    """Format the settings that have a value.

    >>> _settings_text({"channel": "mix", "paths": ["a", "b"], "base": None, "include": []})
    'channel mix, paths a b'
    """
    texts = []
    for name, value in values.items():
        if value is not None and value != []:
            text = " ".join(map(str, value)) if isinstance(value, list) else value
            texts.append(f"{name.replace('_', ' ')} {text}")
    return ", ".join(texts)
