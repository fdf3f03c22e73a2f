"""Which device runs models, and what is said where there is none."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from batchemo.bundles import device
from batchemo.bundles.device import CPU, choose_device, cuda_providers, local_provider
from batchemo.errors import DeviceError, UsageError


@pytest.fixture(autouse=True)
def no_memory_of_gpus() -> None:
    cuda_providers.cache_clear()


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "cuda_providers", lambda: (CPU, CPU))


@pytest.fixture
def cuda_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_has_cuda_library", lambda: True)


def test_auto_is_the_gpu_where_there_is_one(gpus: None) -> None:
    assert choose_device("auto") == choose_device("cuda") == "cuda"
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto", backend="tensorflow") == "cpu"


@pytest.mark.usefixtures("cuda_library")
@pytest.mark.parametrize("output", ["", "0\n", "no such library\n"])
def test_without_a_gpu_auto_is_the_processor_and_cuda_an_error(
    output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = subprocess.CompletedProcess([], 0, output, "")
    monkeypatch.setattr("subprocess.run", lambda *_, **__: found)
    assert choose_device("auto") == "cpu"
    with pytest.raises(UsageError, match="--device cuda: there is no GPU that CUDA can use"):
        choose_device("cuda")


@pytest.mark.usefixtures("cuda_library")
def test_each_gpu_has_a_provider_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    found = subprocess.CompletedProcess([], 0, "2\n", "")
    monkeypatch.setattr("subprocess.run", lambda *_, **__: found)
    assert [each.options["device_id"] for each in cuda_providers()] == ["0", "1"]
    assert {each.name for each in cuda_providers()} == {"CUDAExecutionProvider"}


@pytest.mark.usefixtures("cuda_library")
def test_a_driver_that_does_not_answer_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str], **options: Any) -> None:
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr("subprocess.run", hang)
    assert choose_device("auto") == "cpu"


def test_the_count_of_gpus_is_a_program_that_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With a driver of three GPUs, which a C compiler would make; here Python stands for it."""
    stand_in = "class CDLL:\n" + "".join(
        f"    def {name}: {body}\n"
        for name, body in (
            ("__init__(self, name)", "pass"),
            ("cuInit(self, flags)", "return 0"),
            ("cuDeviceGetCount(self, count)", "count.value = 3; return 0"),
        )
    )
    names = f"{stand_in}class c_int: value = 0\ndef byref(value): return value\n"
    (tmp_path / "ctypes.py").write_text(names)
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{device._COUNT_GPUS}"
    monkeypatch.setattr(device, "_COUNT_GPUS", program)
    assert device._count_gpus() == 3


def test_onnx_runtime_without_cuda_is_told_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device, "_has_cuda_library", lambda: False)
    assert choose_device("auto") == "cpu"
    with pytest.raises(UsageError, match=r"without CUDA.*pip install 'batchemo\[gpu\]'"):
        choose_device("cuda")
    with pytest.raises(DeviceError, match="without CUDA"):
        local_provider("cuda")


def test_other_devices_and_backends_are_refused(gpus: None) -> None:
    with pytest.raises(UsageError, match="'tpu' is no device"):
        choose_device("tpu")
    with pytest.raises(UsageError, match="leave --backend tensorflow out"):
        choose_device("cuda", backend="tensorflow")
