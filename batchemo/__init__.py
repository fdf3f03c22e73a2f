"""Predicts the emotion expressed in speech recordings, for whole corpora.

    import batchemo

    table = batchemo.scan("recordings")
    table.to_pandas().groupby("emotion").size()

The functions are `scan`, `predict`, `stream`, `plan`, `merge`, `adapt` and `load_bundle`; their
parameters have the names of the command line's options. All errors are `BatchemoError`; the module
`batchemo.errors` has its kinds. Importing batchemo imports next to nothing else: each function is
imported when it is first used.
"""

from __future__ import annotations

# Type checkers take this for true; `typing` itself would be imported only to say the same.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from batchemo.api import adapt, load_bundle, merge, plan, predict, scan, stream
    from batchemo.errors import BatchemoError

__version__ = "0.1.0"
__all__ = [
    "BatchemoError",
    "__version__",
    "adapt",
    "load_bundle",
    "merge",
    "plan",
    "predict",
    "scan",
    "stream",
]

_MODULES = {
    "scan": "batchemo.api",
    "predict": "batchemo.api",
    "plan": "batchemo.api",
    "merge": "batchemo.api",
    "stream": "batchemo.api",
    "adapt": "batchemo.api",
    "load_bundle": "batchemo.api",
    "BatchemoError": "batchemo.errors",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "errors":
        return import_module("batchemo.errors")
    if name not in _MODULES:
        raise AttributeError(f"module 'batchemo' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "errors"})
