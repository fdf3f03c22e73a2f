"""Command line options that all programs compared with batchemo share."""

from __future__ import annotations

import argparse
from pathlib import Path


def options(description: str | None, *, model: bool = False) -> argparse.Namespace:
    """Parse the command line; `folder` becomes the list `files`."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="a folder of recordings")
    parser.add_argument("--jobs", type=int, default=1, help="processes, where it can use several")
    if model:
        parser.add_argument("--features", required=True, help="the feature set, by name")
        parser.add_argument("--model", type=Path, required=True, help="a Keras model")
        parser.add_argument("--overlap", action="store_true", help="use batchemo's windows")
        parser.add_argument("--our-features", action="store_true", help="instead of librosa's")
    args = parser.parse_args()
    args.files = sorted(path for path in args.folder.rglob("*") if path.is_file())
    return args
