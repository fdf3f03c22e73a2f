"""`batchemo review`: what to listen to, and a page to do it."""

from __future__ import annotations

import getpass
import importlib.util
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from batchemo.app.config import PORT
from batchemo.cli.shared_options import (
    ENVIRONMENT,
    config_option,
    server_options,
    split_commas,
    switch,
)
from batchemo.common.text import for_display
from batchemo.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from batchemo.review.candidates import Candidates
    from batchemo.review.figure_tables import FigureTable
    from batchemo.review.session import Session

EPILOG = """
\b
Examples:
  batchemo review results.parquet --embeddings e.parquet
  batchemo review results.parquet --by random --queue 100
  batchemo review results.parquet --by label:angry --label-names angry,other
  batchemo review results.parquet --embeddings e.parquet --queue 40 --list > listen.csv
"""
LABELS = "labels.csv"


@click.command(context_settings=ENVIRONMENT, epilog=EPILOG)
@click.argument("results", type=click.Path())
@click.option(
    "--labels",
    default=LABELS,
    show_default=True,
    metavar="FILE",
    help="The file of labels. New answers are appended; recordings that it has are not asked "
    "about again.",
)
@click.option(
    "--embeddings",
    metavar="FILE",
    help="The table that scan --embeddings wrote. With it, the queue informative chooses much "
    "better.",
)
@click.option(
    "--by",
    default="informative",
    show_default=True,
    metavar="QUEUE",
    help="Which recordings to ask about: informative (those that a model learns most from), "
    "uncertain (low confidence), disagreement (of several models), random (a sample, for "
    "figures on all recordings), or label:NAME (those predicted as NAME).",
)
@click.option(
    "--queue",
    "limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Stop after N recordings; by default the queue has no limit.",
)
@click.option(
    "--list",
    "as_list",
    is_flag=True,
    help="Print the recordings as CSV (root, file, …) instead of serving the page.",
)
@click.option(
    "--answers",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    metavar="N",
    help="How many reviewers are asked about each recording; with 2 or more, summary --labels "
    "reports how well they agree.",
)
@click.option(
    "--reviewer",
    metavar="NAME",
    help="Name of the reviewer, which the page suggests when it asks for it. By default the "
    "user's name.",
)
@click.option(
    "--label-names",
    multiple=True,
    metavar="LIST",
    help="The labels to choose from, separated by commas; the keys 1 to 9 stand for them. By "
    "default those of the table.",
)
@switch(
    "--show-predictions",
    help="Show the prediction from the start, instead of after the answer. Such answers are less "
    "independent; labels.csv marks them.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    metavar="N",
    help="Seed of the random samples and the clusters.",
)
@server_options(PORT + 1)
@config_option
def command(
    results: str,
    labels: str,
    embeddings: str | None,
    by: str,
    limit: int | None,
    as_list: bool,
    answers: int,
    reviewer: str | None,
    label_names: tuple[str, ...],
    show_predictions: bool,
    seed: int,
    host: str,
    port: int,
    hosts: tuple[str, ...],
    no_browser: bool,
) -> int:
    """Serve a page to listen to recordings of RESULTS, the table of a scan, and to label them.

    RESULTS may be a recordings or a segments table. Several people can answer at once.
    """
    from batchemo.review.session import check_label_names
    from batchemo.tables.labels import LabelsFile

    session = open_session(results, labels, embeddings, by, limit, answers, seed)
    reviewer = reviewer or user_name()
    if as_list:
        print_rows(session, reviewer, limit, by, seed)
        return 0
    names = check_label_names(split_commas(label_names) or session.candidates.labels)
    require_page()
    from batchemo.app.review.serve import browser_host, serve
    from batchemo.app.review.server import ReviewPage
    from batchemo.app.serve import check_address
    from batchemo.app.worker_pool import WorkerPool

    check_address(host, port)
    LabelsFile(labels).check()
    page = ReviewPage(
        session,
        names,
        WorkerPool(),
        reviewer,
        title=for_display(Path(results).name),
        is_blind=not show_predictions,
        limit=limit,
        figures=partial(figures_of, session.candidates, labels, seed),
    )
    click.echo(
        f"The page is at http://{browser_host(host)}:{port}; answers go to "
        f"{for_display(labels)} (Ctrl-C stops it)."
    )
    serve(page, host=host, port=port, hosts=hosts, browser=not no_browser)
    return 0


def figures_of(candidates: Candidates, labels: str, seed: int) -> list[FigureTable]:
    """Return what the labels say so far, for the page."""
    from batchemo.review.figure_tables import figure_tables
    from batchemo.review.figures import compute_figures
    from batchemo.tables.labels import read_labels

    return figure_tables(compute_figures(candidates, read_labels(labels), seed=seed), candidates)


def require_page() -> None:
    """Raise MissingExtraError where what serves the page is not installed."""
    if not all(importlib.util.find_spec(name) for name in ("starlette", "uvicorn")):
        raise MissingExtraError(
            "the page needs Starlette and Uvicorn, which are not installed: "
            "pip install 'batchemo[app]'. --list works without them"
        )


def user_name() -> str:
    """Return the name of the user who runs this, or `reviewer` where it is not known."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # A container may have no name for its user.
        return "reviewer"


def open_session(
    results: str,
    labels: str,
    embeddings: str | None,
    by: str,
    limit: int | None,
    answers: int,
    seed: int,
) -> Session:
    """Read the table, the embeddings and the answers so far."""
    from batchemo.review.candidates import read_candidates, read_embeddings
    from batchemo.review.queues import INFORMATIVE, open_queue
    from batchemo.review.session import Session
    from batchemo.tables.labels import LabelsFile

    candidates = read_candidates(results)
    embedding = None
    if by == INFORMATIVE:
        if embeddings is not None:
            embedding = read_embeddings(embeddings, candidates)
            missing = int((~embedding[1]).sum())
            if missing:
                _note(f"{missing:,} recordings have no embedding: they come last")
        else:
            _note(
                "without --embeddings, recordings are compared by their probabilities: the queue "
                "is less informative"
            )
    queue = open_queue(by, candidates, embedding=embedding, seed=seed)
    return Session(candidates, queue, LabelsFile(labels), answers=answers, limit=limit)


def print_rows(session: Session, reviewer: str, limit: int | None, by: str, seed: int) -> None:
    """Print the next rows as CSV."""
    import csv

    from batchemo.review.queues import RANDOM
    from batchemo.review.sampling import weights_of_sample
    from batchemo.tables.write import escape_formula

    if limit is None:
        raise UsageError("--list prints the next N recordings: give --queue N")
    candidates = session.candidates
    rows = session.next(reviewer, limit)
    times = ["start", "end"] if candidates.has_windows else []
    writer = csv.writer(sys.stdout, lineterminator="\n")
    weights = None
    if by == RANDOM:
        weights = weights_of_sample(candidates, {*session.answered(), *rows}, seed=seed)
    weight = [] if weights is None else ["weight"]
    writer.writerow(["root", "file", *times, "emotion", "confidence", *weight])
    for row in rows:
        key = candidates.keys[row]
        texts = map(escape_formula, (key.root, key.file))
        seconds = [key.start, key.end] if times else []
        confidence = f"{candidates.confidence[row]:.4f}"
        label = escape_formula(candidates.prediction(row))
        weight = [] if weights is None else [f"{weights[row]:.4f}"]
        writer.writerow([*texts, *seconds, label, confidence, *weight])
    if len(rows) < limit:
        _note(f"the queue {by} has only {len(rows)} recordings left")


def _note(text: str) -> None:
    click.echo(f"batchemo: {text}", err=True)
