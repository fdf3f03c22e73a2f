"""The real Fourier transform of scipy, without the rest of scipy.

`import scipy.fft` takes a third of a second of processor time in every worker, most of it for
`scipy.special`, which one function of no use here needs; and each call passes through checks and a
choice of backends, which take as long as the transform of a few frames. So its C++ module is loaded
by itself, where this scipy has it at the known place, and `scipy.fft` is used where it has not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Any

import numpy as np

_MODULES = {"pypocketfft": ("fft", "_pocketfft"), "pyduccfft": ("fft", "_duccfft")}
"""The module by the names it has had, and its folder in scipy: the second since 1.18."""


def rfft(frames: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the transform of each row, as `scipy.fft.rfft` does to the last bit.

    >>> rfft(np.ones((1, 4), np.float32))
    array([[4.+0.j, 0.+0.j, 0.+0.j]], dtype=complex64)
    """
    return _transform()(frames)


@lru_cache(maxsize=1)
def _transform() -> Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    module = _load_module()
    if module is not None:
        r2c = module.r2c
        return lambda frames: r2c(frames, (1,), True, 0, None, 1)
    from scipy import fft

    return lambda frames: fft.rfft(frames, axis=1)


def _load_module() -> Any | None:
    """Return scipy's module of transforms; None if it is not there, or not as it was."""
    scipy = find_spec("scipy")
    for place in (scipy.submodule_search_locations if scipy else None) or ():
        for name, folder in _MODULES.items():
            spec = PathFinder.find_spec(name, [str(Path(place, *folder))])
            if spec is None or spec.loader is None:
                continue
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
            if hasattr(module, "r2c"):
                return module
    return None
