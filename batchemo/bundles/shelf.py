"""Where bundles are: the shipped ones by name, all others by their folder."""

from __future__ import annotations

from pathlib import Path

from batchemo.errors import UsageError


def shelf() -> Path:
    """The folder of the shipped bundles."""
    return Path(__file__).parent.parent / "models"


def list_bundles() -> tuple[str, ...]:
    """The names of the shipped bundles."""
    if not shelf().is_dir():
        return ()
    return tuple(sorted(path.parent.name for path in shelf().glob("*/bundle.json")))


def find_bundle(name_or_path: str | Path) -> Path:
    """The folder of a bundle: a shipped bundle's name wins over a folder of that name here.

    >>> find_bundle("no-such-model")
    Traceback (most recent call last):
    batchemo.errors.UsageError: no-such-model: there is no such model; ...
    """
    if isinstance(name_or_path, str) and name_or_path in list_bundles():
        return shelf() / name_or_path
    folder = Path(name_or_path)
    if (folder / "bundle.json").is_file():
        return folder
    shipped = ", ".join(list_bundles()) or "none"
    why = "holds no bundle.json" if folder.exists() else "there is no such model"
    raise UsageError(
        f"{name_or_path}: {why}; the shipped models are: {shipped}. "
        "Name one of them, or the folder of a bundle."
    )
