"""What runs models: the processor, or NVIDIA's GPUs by the CUDA provider of ONNX Runtime."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeAlias

from batchemo.errors import DeviceError, UsageError

Device: TypeAlias = Literal["cpu", "cuda"]

_LIBRARY = "libonnxruntime_providers_cuda.so"
_COUNT_GPUS = """
import ctypes
driver, count = ctypes.CDLL("libcuda.so.1"), ctypes.c_int()
if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0:
    print(count.value)
"""
_COUNT_SECONDS = 30.0

NOT_INSTALLED = (
    "ONNX Runtime is installed without CUDA. Its packages for the processor and for GPUs have the "
    "same files, so one has to go first: pip uninstall onnxruntime onnxruntime-gpu, and then "
    "pip install 'batchemo[gpu]' && pip install --force-reinstall --no-deps onnxruntime-gpu"
)
NO_GPU = "there is no GPU that CUDA can use: nvidia-smi lists them, CUDA_VISIBLE_DEVICES hides some"


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider of ONNX Runtime, and its options."""

    name: str
    options: Mapping[str, str] = field(default_factory=dict)


CPU = Provider("CPUExecutionProvider")


def choose_device(wanted: str, backend: str = "onnx") -> Device:
    """Return the device to run models on; for `auto`, GPUs if there are any.

    >>> choose_device("cpu"), choose_device("auto", backend="tensorflow")
    ('cpu', 'cpu')
    """
    if wanted not in ("auto", "cpu", "cuda"):
        raise UsageError(f"{wanted!r} is no device; there are 'auto', 'cpu' and 'cuda'")
    if wanted == "cuda" and backend != "onnx":
        raise UsageError(
            f"--device cuda runs models by ONNX Runtime: leave --backend {backend} out"
        )
    if wanted == "cpu" or backend != "onnx":
        return "cpu"
    missing = missing_for_cuda()
    if wanted == "cuda" and missing is not None:
        raise UsageError(f"--device cuda: {missing}")
    return "cpu" if missing is not None else "cuda"


def local_provider(device: Device) -> Provider:
    """Return what runs a model in this process.

    >>> local_provider("cpu").name
    'CPUExecutionProvider'
    """
    if device == "cpu":
        return CPU
    missing = missing_for_cuda()
    if missing is not None:
        raise DeviceError(missing)
    return cuda_providers()[0]


def missing_for_cuda() -> str | None:
    """Say why no model can run on a GPU; None if one can."""
    if cuda_providers():
        return None
    return NO_GPU if _has_cuda_library() else NOT_INSTALLED


@lru_cache(maxsize=1)
def cuda_providers() -> tuple[Provider, ...]:
    """Return a provider for each GPU that CUDA can use."""
    count = _count_gpus() if _has_cuda_library() else 0
    return tuple(map(_cuda_provider, range(count)))


def _cuda_provider(number: int) -> Provider:
    options = {
        "device_id": str(number),
        # Products of 19 bits instead of 32 would differ from the processor's by 1e-3.
        "use_tf32": "0",
        # The other way measures which algorithm is fastest: it may be another one in each process.
        "cudnn_conv_algo_search": "HEURISTIC",
    }
    return Provider("CUDAExecutionProvider", options)


def _has_cuda_library() -> bool:
    # Not by onnxruntime itself: the parent of a scan does without it.
    spec = importlib.util.find_spec("onnxruntime")
    places = [] if spec is None else list(spec.submodule_search_locations or ())
    return any(Path(place, "capi", _LIBRARY).is_file() for place in places)


def _count_gpus() -> int:
    """Count the GPUs in another process: the driver takes memory, and stays until the end."""
    import subprocess

    try:
        result = subprocess.run(
            [sys.executable, "-I", "-c", _COUNT_GPUS],
            capture_output=True,
            text=True,
            timeout=_COUNT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return int(result.stdout) if result.stdout.strip().isdecimal() else 0
