"""`batchemo app`: the web page."""

from __future__ import annotations

import importlib.util
import os
import sys

import click

from batchemo.app.config import (
    DEFAULT_OPTIONS,
    PORT,
    AppOptions,
)
from batchemo.bundles import list_bundles, load_bundle
from batchemo.cli import PandasBlocker
from batchemo.cli.shared_options import (
    ENVIRONMENT,
    config_option,
    jobs_option,
    min_confidence_option,
    parse_duration,
    server_options,
)
from batchemo.errors import MissingExtraError
from batchemo.inference.settings import PostprocessSettings

EPILOG = """
\b
Examples:
  batchemo app
  batchemo app --port 9000 --no-browser
  batchemo app -m default -m ./my-model --max-upload-mb 50

Everyone who can reach the page can use it: it has no passwords. By default only this machine can
reach it. If --host opens it to others, put a server with TLS and a log-in in front of it.
"""


@click.command(context_settings=ENVIRONMENT, epilog=EPILOG)
@server_options(PORT)
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    help="Offer this model, a name or folder; by default all that are shipped. Repeatable.",
)
@click.option(
    "--max-upload-mb",
    type=click.IntRange(min=1),
    default=DEFAULT_OPTIONS.max_upload_mb,
    show_default=True,
    help="Largest recording that can be uploaded, in megabytes.",
)
@click.option(
    "--max-files",
    type=click.IntRange(min=1),
    default=DEFAULT_OPTIONS.max_files,
    show_default=True,
    help="Largest number of recordings that a visitor can analyse at once.",
)
@click.option(
    "--max-duration",
    type=parse_duration,
    default=DEFAULT_OPTIONS.max_duration,
    show_default="1h",
    metavar="DURATION",
    help="Longest recording that is analysed.",
)
@click.option(
    "--timeout",
    type=parse_duration,
    default=DEFAULT_OPTIONS.timeout,
    show_default="2m",
    metavar="DURATION",
    help="Fail a recording whose analysis by one model takes longer than this.",
)
@min_confidence_option
@jobs_option
@config_option
def command(
    host: str,
    port: int,
    hosts: tuple[str, ...],
    no_browser: bool,
    models: tuple[str, ...],
    max_upload_mb: int,
    max_files: int,
    max_duration: float,
    timeout: float,
    min_confidence: float,
    jobs: int,
) -> int:
    """Serve a web page to upload or record speech, see its predictions, and compare models."""
    allow_pandas()
    require_streamlit()
    from batchemo.app.serve import check_address, serve

    postprocess = PostprocessSettings(min_confidence)
    bundles = [load_bundle(name) for name in models or shipped_models()]
    for bundle in bundles:
        bundle.require_labels("the page")
        postprocess.check_labels(bundle.name, bundle.labels)
    folders = tuple(os.path.abspath(bundle.path) for bundle in bundles)
    options = AppOptions(
        folders, max_upload_mb, max_files, max_duration, timeout, jobs, postprocess, hosts
    )
    check_address(host, port)
    click.echo(f"The page is at http://{host}:{port} (Ctrl-C stops it).")
    serve(options, host=host, port=port, browser=not no_browser)
    return 0


def require_streamlit() -> None:
    """Raise MissingExtraError where Streamlit is not installed."""
    if importlib.util.find_spec("streamlit") is None:
        raise MissingExtraError(
            "the page needs Streamlit, which is not installed: pip install 'batchemo[app]'"
        )


def allow_pandas() -> None:
    """Let this command import pandas, which Streamlit needs."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, PandasBlocker)]


def shipped_models() -> list[str]:
    """Return the names of the shipped models, the default one first."""
    return sorted(list_bundles(), key=lambda name: (name != "default", name))
