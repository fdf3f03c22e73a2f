"""`batchemo doctor`: whether everything that batchemo needs is installed and works."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from batchemo.cli.shared_options import json_option
from batchemo.common.text import for_display

EPILOG = """
\b
Examples:
  batchemo doctor
  batchemo doctor --output-folder /mnt/results --json
  batchemo doctor --executor dask://scheduler:8786

\b
Exit codes:
  0 everything works   1 something that is needed does not work
"""

COLOURS = {"ok": "green", "absent": "yellow", "problem": "red"}


@click.command(epilog=EPILOG)
@click.option(
    "--output-folder",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="FOLDER",
    help="Folder where tables will be written; by default the current folder.",
)
@click.option(
    "--executor",
    metavar="ADDRESS",
    help="Check the workers of a Dask cluster instead, against this machine: dask://HOST:PORT.",
)
@json_option
def command(output_folder: Path, executor: str | None, as_json: bool) -> int:
    """Check versions, the audio library, models, workers, memory and the output folder.

    Every shipped model is verified and run on a synthetic recording, in a worker process as in a
    scan. With --executor, versions and models of the workers are compared with those here.
    """
    from batchemo.diagnostics.cluster import check_cluster
    from batchemo.diagnostics.doctor import check_up

    checks = []
    for check in check_up(output_folder) if executor is None else check_cluster(executor):
        checks.append(check)
        if not as_json:
            state = click.style(f"{check.state:<8}", fg=COLOURS[check.state])
            click.echo(f"{state} {check.name:<11} {for_display(check.detail)}")
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(check) for check in checks], indent=2))
    return 1 if any(check.state == "problem" for check in checks) else 0
