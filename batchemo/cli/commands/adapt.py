"""`batchemo adapt`: a model for one corpus, from answers and embeddings."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from batchemo.cli.output.adapt_report import facts, show_result
from batchemo.cli.output.progress import warn
from batchemo.cli.shared_options import ENVIRONMENT, config_option, json_option, split_commas
from batchemo.common.text import for_display

EPILOG = """
\b
Examples:
  batchemo scan calls -m accurate -o calls.parquet --embeddings e.parquet
  batchemo review calls.parquet --embeddings e.parquet --labels labels.csv
  batchemo adapt accurate --labels labels.csv --embeddings e.parquet -o models/mine
  batchemo scan calls -m models/mine -o calls.parquet --embeddings e.parquet --update

\b
Exit codes:
  0 the model is written   1 it was not shown to help, and is not written   2 wrong usage
"""


@click.command(context_settings=ENVIRONMENT, epilog=EPILOG)
@click.argument("model")
@click.option(
    "--labels",
    required=True,
    metavar="FILE",
    help="The answers, as `batchemo review` writes them: a CSV file with root, file and label.",
)
@click.option(
    "--embeddings",
    required=True,
    metavar="FILE",
    help="The embeddings of the corpus, as `scan --embeddings` writes them.",
)
@click.option("-o", "--output", required=True, metavar="FOLDER", help="The bundle to write.")
@click.option(
    "--leave-out",
    default="recording",
    show_default=True,
    metavar="WHAT",
    help="What is left out together in cross-validation: one recording, or all of a speaker, who "
    "is identified by folder, part:N (the Nth part of the path) or regex:PATTERN (its group "
    "in the path). By speaker, figures and settings are for speakers without labels.",
)
@click.option(
    "--label-set",
    multiple=True,
    metavar="LIST",
    help="The labels of the adapted model, separated by commas. By default the model's, or those "
    "of the answers if one of them is not among the model's.",
)
@click.option(
    "--class-shares",
    metavar="answers|LIST",
    help="How frequent the classes are in the corpus: answers (as in the labels, if these were "
    "drawn at random), or neutral=0.8,happy=0.1,... By default no class is preferred.",
)
@click.option(
    "--force", is_flag=True, help="Write the model even if the labels do not show that it helps."
)
@click.option("--overwrite", is_flag=True, help="Replace the bundle if it exists.")
@json_option
@config_option
def command(**values: Any) -> int:
    """Adapt MODEL to a corpus by what people have answered for some of its recordings.

    Nothing is decoded: only the last layer of the model is fitted, to the embeddings of the
    labelled recordings. The fewer these are, the less it changes.
    """
    from batchemo.adaptation.run import AdaptOptions, adapt
    from batchemo.adaptation.shares import ClassShares

    as_json, shares = values.pop("as_json"), values.pop("class_shares")
    values["label_set"] = split_commas(values["label_set"])
    class_shares = None if shares is None else ClassShares.parse(shares)
    result = adapt(AdaptOptions(class_shares=class_shares, **values))
    for problem in result.problems:
        warn(f"{for_display(values['labels'])}: {problem}")
    if as_json:
        click.echo(json.dumps(facts(result), indent=2, ensure_ascii=False))
    else:
        show_result(result, sys.stdout)
    return 0 if result.bundle is not None else 1
