"""The machine and the libraries in words that say what matters and not whose it is."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    *("numpy", "scipy", "soundfile", "soxr", "onnxruntime", "pyarrow", "librosa", "tensorflow"),
    *("joblib", "opensmile", "audinterface"),
)


def machine(jobs: int) -> str:
    """Say on what it was measured."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    python = platform.python_version()
    kind = f"{platform.system()}, {platform.machine()}"
    return f"{jobs} cores, {memory:.0f} GiB of memory, {kind}, Python {python}; {versions()}"


def versions() -> str:
    """Name the packages that take part, those that are not here included."""
    return ", ".join(f"{name} {_version(name)}" for name in PACKAGES)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"
