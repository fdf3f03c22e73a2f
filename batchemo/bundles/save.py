"""Writes a bundle: a folder that appears under its name only when it is whole and valid."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from batchemo.bundles.bundle import INFO, Bundle, load_bundle
from batchemo.bundles.keras_model import check_keras
from batchemo.bundles.onnx_check import check_onnx
from batchemo.bundles.schema import FORMAT, GRAPH, GRAPH_DATA, HEAD_GRAPH, KERAS
from batchemo.errors import BundleError


def write_bundle(folder: Path, info: Mapping[str, Any], files: Mapping[str, bytes]) -> Bundle:
    """Write a bundle from its files and all of its bundle.json but `format` and `files`.

    It is read back and verified before it gets its name; what was there under this name is
    replaced if it was a bundle, and never if it was anything else.
    """
    if folder.exists() and not (folder / INFO).is_file():
        raise BundleError(f"{folder}: is there already, and is no bundle; name another folder")
    facts = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in sorted(files.items())
    }
    complete = {"format": FORMAT, **info, "files": facts}
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside the folder, so that the renames below stay inside one file system.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        draft = Path(scratch) / folder.name
        draft.mkdir()
        for name, content in files.items():
            # The last part only: names with others are refused by `load_bundle`, below.
            (draft / Path(name).name).write_bytes(content)
        text = json.dumps(complete, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        (draft / INFO).write_text(text, encoding="utf-8")
        load_bundle(draft)
        data = {name: len(files[name]) for name in (GRAPH_DATA,) if name in files}
        for name in {GRAPH, HEAD_GRAPH} & files.keys():
            check_onnx(files[name], data)
        if KERAS in files:
            check_keras(files[KERAS])
        if folder.exists():
            # Two renames, so that at no moment a half-written bundle stands under the name.
            folder.rename(Path(scratch) / "replaced")
        draft.rename(folder)
    return load_bundle(folder)
