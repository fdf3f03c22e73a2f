"""Finds the emotion expressed in speech recordings, for whole corpora.

    import batchemo

    table = batchemo.scan("recordings")
    table.to_pandas().groupby("emotion").size()

The words are those of the command line: `scan`, `predict` and `load_bundle`. All errors are
`BatchemoError`; the module `batchemo.errors` holds its kinds. Importing batchemo costs next to
nothing: what a function needs is imported when it is first asked for.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from batchemo.api import load_bundle, predict, scan
    from batchemo.errors import BatchemoError

__version__ = "0.1.0"
__all__ = ["BatchemoError", "__version__", "load_bundle", "predict", "scan"]

_PLACES = {
    "scan": "batchemo.api",
    "predict": "batchemo.api",
    "load_bundle": "batchemo.api",
    "BatchemoError": "batchemo.errors",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "errors":
        return import_module("batchemo.errors")
    if name not in _PLACES:
        raise AttributeError(f"module 'batchemo' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "errors"})
