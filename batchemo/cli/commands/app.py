"""`batchemo app`: the web page."""

from __future__ import annotations

import importlib.util
import os
import sys

import click

from batchemo.app.config import (
    HOST,
    PORT,
    STANDARD,
    AppOptions,
)
from batchemo.bundles import list_bundles, load_bundle
from batchemo.cli import _NoPandas as NoPandas
from batchemo.cli.shared_options import (
    ENVIRONMENT,
    config_option,
    duration,
    jobs_option,
    min_confidence_option,
)
from batchemo.errors import MissingExtraError
from batchemo.inference.settings import PostprocessSettings

EPILOG = """
\b
Examples:
  batchemo app
  batchemo app --port 9000 --no-browser
  batchemo app -m default -m ./my-model --max-upload-mb 50

\b
Whoever can reach the page can use it: it knows no passwords. It listens on this machine only,
unless --host says otherwise; then put a server with TLS and a log-in in front of it.
"""


@click.command(context_settings=ENVIRONMENT, epilog=EPILOG)
@click.option("--host", default=HOST, show_default=True, help="Address to listen at.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=PORT,
    show_default=True,
    help="Port to listen at.",
)
@click.option("--no-browser", is_flag=True, help="Open no browser window.")
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    help="Offer this model, by its name or folder; by default all that are shipped. Repeatable.",
)
@click.option(
    "--max-upload-mb",
    type=click.IntRange(min=1),
    default=STANDARD.max_upload_mb,
    show_default=True,
    help="Largest recording, in megabytes.",
)
@click.option(
    "--max-files",
    type=click.IntRange(min=1),
    default=STANDARD.max_files,
    show_default=True,
    help="Recordings that a visitor may have analysed together.",
)
@click.option(
    "--max-duration",
    type=duration,
    default=STANDARD.max_duration,
    show_default="1h",
    metavar="DURATION",
    help="Longest recording.",
)
@click.option(
    "--timeout",
    type=duration,
    default=STANDARD.timeout,
    show_default="2m",
    metavar="DURATION",
    help="Give up a recording that takes a model longer.",
)
@min_confidence_option
@jobs_option
@config_option
def command(
    host: str,
    port: int,
    no_browser: bool,
    models: tuple[str, ...],
    max_upload_mb: int,
    max_files: int,
    max_duration: float,
    timeout: float,
    min_confidence: float,
    jobs: int,
) -> int:
    """Open the web page: upload recordings or speak, see how they sound, compare models."""
    let_pandas_in()
    need_streamlit()
    from batchemo.app.serve import check_address, serve

    how = PostprocessSettings(min_confidence)
    bundles = [load_bundle(name) for name in models or shipped()]
    for bundle in bundles:
        how.check_labels(bundle.name, bundle.labels)
    folders = tuple(os.path.abspath(bundle.path) for bundle in bundles)
    options = AppOptions(folders, max_upload_mb, max_files, max_duration, timeout, jobs, how)
    check_address(host, port)
    click.echo(f"The page is at http://{host}:{port} (Ctrl-C ends it).")
    serve(options, host=host, port=port, browser=not no_browser)
    return 0


def need_streamlit() -> None:
    """Say what to install where Streamlit is not."""
    if importlib.util.find_spec("streamlit") is None:
        raise MissingExtraError(
            "the page needs Streamlit, which is not installed: pip install 'batchemo[app]'"
        )


def let_pandas_in() -> None:
    """Let this one command import pandas: Streamlit cannot do without."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, NoPandas)]


def shipped() -> list[str]:
    """List the shipped models, the default one first."""
    return sorted(list_bundles(), key=lambda name: (name != "default", name))
