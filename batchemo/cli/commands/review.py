"""`batchemo review`: what to listen to, and a page to do it."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING

import click

from batchemo.cli.shared_options import ENVIRONMENT, config_option
from batchemo.errors import UsageError

if TYPE_CHECKING:
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
    help="The file of answers: what is in it is not asked again, and new answers are added.",
)
@click.option(
    "--embeddings",
    metavar="FILE",
    help="The embeddings that scan --embeddings wrote; they make the queue much better.",
)
@click.option(
    "--by",
    default="informative",
    show_default=True,
    metavar="QUEUE",
    help="What to ask about: informative (from which a model learns most), uncertain, disagreement "
    "(of several models), random (a sample, for figures of all recordings), or label:NAME (what "
    "is predicted as NAME).",
)
@click.option(
    "--queue",
    "limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Ask about N recordings; by default there is no end.",
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
    "tells how well they agree.",
)
@click.option("--reviewer", metavar="NAME", help="Who answers; by default the user's name.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    metavar="N",
    help="Another seed gives other random samples and clusters.",
)
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
    seed: int,
) -> int:
    """Choose which recordings of RESULTS, the table of a scan, people should listen to."""
    session = open_session(results, labels, embeddings, by, limit, answers, seed)
    if not as_list:
        raise UsageError("give --list: this version has no page yet")
    print_rows(session, reviewer or user_name(), limit, by, seed)
    return 0


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
    from batchemo.review.labels import LabelsFile
    from batchemo.review.queues import INFORMATIVE, open_queue
    from batchemo.review.session import Session

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
