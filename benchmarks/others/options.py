"""The command line of all alternatives."""

from __future__ import annotations

import argparse
from pathlib import Path


def parse_options(description: str | None, *, model: bool = False) -> argparse.Namespace:
    """Parse the command line; `files` is the sorted list of the files in the folder."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="a folder of recordings")
    parser.add_argument("--jobs", type=int, default=1, help="processes, if it can use several")
    if model:
        parser.add_argument("--features", required=True, help="the name of the feature set")
        parser.add_argument("--model", type=Path, required=True, help="a Keras model")
        parser.add_argument("--overlap", action="store_true", help="use batchemo's windows")
        parser.add_argument(
            "--batchemo-features", action="store_true", help="instead of those of librosa"
        )
    options = parser.parse_args()
    options.files = sorted(path for path in options.folder.rglob("*") if path.is_file())
    return options
