"""What `batchemo summary --labels` prints and writes."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from batchemo.common.text import for_display
from batchemo.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from batchemo.review.candidates import Candidates
    from batchemo.review.figure_tables import FigureTable
    from batchemo.review.figures import Figures
    from batchemo.tables.labels import Labels


def report_labels(
    results: str | None,
    labels: str,
    precision: float,
    seed: int,
    output: str | None,
    *,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Print what labels say about a table, or without one, how reviewers agree."""
    from batchemo.review.candidates import read_candidates
    from batchemo.review.figure_tables import figure_tables, figures_json
    from batchemo.review.figures import compute_figures
    from batchemo.tables.labels import read_labels

    answers = read_labels(labels)
    for problem in answers.problems:
        click.echo(f"batchemo: {for_display(labels)}: {for_display(problem)}", err=True)
    if results is None:
        if output is not None:
            raise UsageError("-o writes the labelled recordings of a table: name the table too")
        _report_agreement(answers, as_json=as_json)
        return
    candidates = read_candidates(results)
    figures = compute_figures(candidates, answers, precision=precision, seed=seed)
    if output is not None:
        _write(output, figures, candidates, overwrite=overwrite)
    if as_json:
        click.echo(json.dumps(figures_json(figures, candidates), indent=2, ensure_ascii=False))
    elif output is None:
        print_tables(figure_tables(figures, candidates))


def print_tables(tables: list[FigureTable]) -> None:
    """Print tables of text; those without rows are left out."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False)
    for table in tables:
        if not table["rows"]:
            continue
        has_head = any(table["columns"])
        shown = Table(box=None, pad_edge=False, show_header=has_head, header_style="dim")
        for column in table["columns"]:
            shown.add_column(Text(column), overflow="fold")
        for row in table["rows"]:
            shown.add_row(*(Text(cell) for cell in row))
        console.print(Text(table["title"], style="bold"))
        console.print(shown)
        console.print()


def _report_agreement(answers: Labels, *, as_json: bool) -> None:
    from dataclasses import asdict

    from batchemo.review.agreement import agreement
    from batchemo.review.figure_tables import agreement_tables
    from batchemo.review.figures import label_counts

    found, counts = agreement(answers.current()), label_counts(answers)
    if as_json:
        values = {"labels": counts, "agreement": asdict(found)}
        click.echo(json.dumps(values, indent=2, ensure_ascii=False))
        return
    rows = [[for_display(label), str(count)] for label, count in counts.most_common()]
    print_tables(
        [
            {"title": "Labels", "columns": ["label", "recordings"], "rows": rows},
            *agreement_tables(found),
        ]
    )


def _write(output: str, figures: Figures, candidates: Candidates, *, overwrite: bool) -> None:
    from batchemo.batch.outputs import check_output
    from batchemo.batch.writer import write_table

    path = check_output(output, overwrite=overwrite)
    table = labelled_recordings(figures, candidates)
    with write_table(path, table.schema) as writer:
        writer.write(table)


def labelled_recordings(figures: Figures, candidates: Candidates) -> pa.Table:
    """Return the recordings that have a label, with their prediction and weight."""
    import pyarrow as pa

    rows = sorted(figures.labels)
    keys = [candidates.keys[row] for row in rows]
    return pa.table(
        {
            "root": pa.array([key.root for key in keys], pa.string()),
            "file": pa.array([key.file for key in keys], pa.string()),
            "start": pa.array([key.start for key in keys], pa.float64()),
            "end": pa.array([key.end for key in keys], pa.float64()),
            "label": pa.array([figures.labels[row] for row in rows], pa.string()),
            "emotion": pa.array([candidates.prediction(row) for row in rows], pa.string()),
            "confidence": pa.array(candidates.confidence[rows], pa.float32()),
            "weight": pa.array(figures.weights[rows], pa.float64()),
        }
    )
