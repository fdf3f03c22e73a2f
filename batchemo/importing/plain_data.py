"""Files of a source that are read as plain data: nothing in them is run, and none is large."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from batchemo.common.text import for_display
from batchemo.errors import BundleError, MissingExtraError, UsageError

MAX_BYTES = 2**22


def read_text(path: Path) -> str:
    """Return the text of a small file; UsageError where there is none."""
    shown = for_display(str(path))
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # Reading from a pipe might never end.
            raise BundleError(f"{shown}: is no regular file")
        if path.stat().st_size > MAX_BYTES:
            raise BundleError(f"{shown}: is larger than {MAX_BYTES // 2**20} MiB")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"{shown}: is missing") from None
    except OSError as error:
        raise UsageError(f"{shown}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BundleError(f"{shown}: is no text") from None


def read_yaml(path: Path) -> Any:
    """Return what stands in a YAML file of plain values.

    Tags can name code, and aliases make of a short file a huge one: both are refused.
    """
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError(
            "a model.yaml is read by PyYAML: pip install 'batchemo[import]'"
        ) from error
    shown, text = for_display(str(path)), read_text(path)
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "tag", None) is not None:
                line = event.start_mark.line + 1
                raise BundleError(
                    f"{shown}: has a tag or an alias in line {line}, which plain data has not"
                )
        return yaml.load(text, Loader=yaml.SafeLoader)
    # Such as dates that there are not.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = for_display(" ".join(str(error).split())[:300])
        raise BundleError(f"{shown}: is no YAML: {reason}") from None


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file."""
    try:
        data = json.loads(read_text(path))
    # Deep nesting exhausts the parser's stack.
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{for_display(str(path))}: is no JSON: {error}") from None
    if not isinstance(data, dict):
        raise BundleError(f"{for_display(str(path))}: should hold an object")
    return data
