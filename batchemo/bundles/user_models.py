"""The models of a user that are found by name: imported ones, in a folder of the user's data.

    $XDG_DATA_HOME/batchemo/models/NAME/    a bundle (on Linux; elsewhere as `platformdirs` says)

Models get there by `batchemo models import --name`, and by nothing else: nothing is downloaded.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from batchemo.bundles.bundle import INFO, list_bundles
from batchemo.common.text import for_display
from batchemo.errors import UsageError


def user_models_folder() -> Path:
    """Return the folder, which need not exist."""
    from platformdirs import user_data_path

    return user_data_path("batchemo", appauthor=False) / "models"


def list_user_bundles() -> tuple[str, ...]:
    """Return the names of the user's models."""
    folder = user_models_folder()
    if not folder.is_dir():
        return ()
    return tuple(sorted(path.parent.name for path in folder.glob(f"*/{INFO}")))


def place_for(name: str) -> Path:
    """Return the folder that a new model of this name gets.

    >>> place_for("default")
    Traceback (most recent call last):
    batchemo.errors.UsageError: default: a shipped model is called so; choose another name
    """
    is_plain = name not in (".", "..") and all(
        each.isascii() and (each.isalnum() or each in "._-") for each in name
    )
    if not name or not is_plain:
        raise UsageError(f"{for_display(name)}: a name has letters, digits, '.', '_' and '-' only")
    if name in list_bundles():
        raise UsageError(f"{name}: a shipped model is called so; choose another name")
    return user_models_folder() / name


def remove_user_bundle(name: str) -> None:
    """Remove a model of the user's; UsageError for any other."""
    folder = check_removable(name)
    if folder.is_symlink():
        folder.unlink()
        return
    # Renamed first, so that at no moment half a model has this name.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".removed.") as scratch:
        folder.rename(Path(scratch) / name)
        shutil.rmtree(Path(scratch) / name)


def check_removable(name: str) -> Path:
    """Return the folder of a model of the user's; UsageError for what is none."""
    if name in list_user_bundles():
        return user_models_folder() / name
    if name in list_bundles():
        raise UsageError(f"{name}: a shipped model is a part of batchemo, and stays")
    names = ", ".join(list_user_bundles()) or "none"
    raise UsageError(
        f"{for_display(name)}: you have no model of this name; those in {user_models_folder()} "
        f"are: {names}. A bundle elsewhere is a folder like any other"
    )
