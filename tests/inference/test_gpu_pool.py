"""Models in GPU processes. In the place of CUDA, ONNX Runtime's provider for the processor runs
them there; the processes, the sockets and the shared memory are those of a real run."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
from scan_commands import wait_until

from batchemo.batch.events import Event, Progressed
from batchemo.batch.options import ScanOptions
from batchemo.batch.scan import ScanResult, run_scan
from batchemo.bundles import Bundle, device
from batchemo.bundles.classifier import output_sizes
from batchemo.bundles.device import CPU, Provider
from batchemo.bundles.onnx_model import open_graph
from batchemo.common.arrays import Float32
from batchemo.errors import BatchemoError, BundleError, DeviceError
from batchemo.inference import gpu_pool, gpu_process
from batchemo.inference.gpu_pool import GpuPool, open_gpu_pool
from batchemo.inference.gpu_process import RemoteGraph
from batchemo.inference.settings import ModelSettings
from batchemo.sources import SourceOptions
from batchemo.tables.read import open_table

pytestmark = pytest.mark.process

BATCH_SIZE = 16

Scan = Callable[..., ScanResult]


def gpu_processes() -> list[psutil.Process]:
    """Return the GPU processes that this process has started and that run."""
    children = psutil.Process().children()
    return [child for child in children if "gpu_process" in " ".join(child.cmdline())]


@pytest.fixture(autouse=True)
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have two GPUs, which are the processor; no process of theirs outlives a test."""
    monkeypatch.setattr(device, "cuda_providers", lambda: (CPU, CPU))
    yield
    assert gpu_processes() == []


@pytest.fixture
def scan(corpus: Path, tiny_bundle: Bundle, tmp_path: Path) -> Scan:
    """Scans the corpus to a table of that name."""

    def call(name: str, jobs: int = 2, **settings: object) -> ScanResult:
        options = {"device": "cuda", "batch_size": BATCH_SIZE, **settings}
        on_event = options.pop("on_event", lambda event: None)
        return run_scan(
            ScanOptions(
                SourceOptions(paths=(str(corpus),)),
                (ModelSettings(str(tiny_bundle.path), **options),),  # type: ignore[arg-type]
                output=str(tmp_path / name),
                jobs=jobs,
            ),
            on_event,  # type: ignore[arg-type]
        )

    return call


def test_the_rows_are_those_of_the_processor_and_the_metadata_names_the_device(
    scan: Scan, tmp_path: Path
) -> None:
    for name in ("cpu", "cuda"):
        scan(f"{name}.parquet", device=name)
    tables = [pq.read_table(tmp_path / f"{name}.parquet") for name in ("cpu", "cuda")]
    # The same kernels and sizes of batches: the same bits.
    assert tables[0].drop_columns(["model"]).equals(tables[1].drop_columns(["model"]))
    assert tables[1]["status"].unique().to_pylist() == ["ok"]
    runs = [open_table(tmp_path / f"{name}.parquet").run for name in ("cpu", "cuda")]
    assert [run["options"]["device"] for run in runs] == ["cpu", "cuda"]
    assert tables[1]["model"][0].as_py().endswith("batch_size=16 device=cuda")


def test_the_bytes_are_the_same_for_any_number_of_workers(scan: Scan, tmp_path: Path) -> None:
    for jobs in (1, 3):
        scan(f"{jobs}.parquet", jobs=jobs)
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "3.parquet").read_bytes()


def test_a_gpu_process_that_is_killed_starts_again_and_nothing_is_lost(
    scan: Scan, tmp_path: Path
) -> None:
    scan("whole.parquet")
    killed = []

    def kill_all_once(event: Event) -> None:
        if isinstance(event, Progressed) and not killed:
            killed.extend(gpu_processes())
            for process in killed:
                process.kill()

    result = scan("killed.parquet", on_event=kill_all_once)
    assert len(killed) == 2
    assert (tmp_path / "killed.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert any("was started again" in message for message in result.report.warnings)


def test_a_gpu_that_cannot_be_used_ends_the_scan_with_the_reason(
    scan: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = Provider("NoExecutionProvider")
    monkeypatch.setattr(device, "cuda_providers", lambda: (missing,))
    with pytest.raises(BatchemoError, match=r"NoExecutionProvider.*--device cpu does without"):
        scan("r.parquet")


@pytest.fixture
def pool(tiny_bundle: Bundle) -> Iterator[GpuPool]:
    with open_gpu_pool([ModelSettings(str(tiny_bundle.path), device="cuda")]) as pool:
        assert pool is not None
        yield pool


@pytest.fixture
def connect(pool: GpuPool, tiny_bundle: Bundle) -> Callable[[], RemoteGraph]:
    return lambda: RemoteGraph(str(pool.folder), 0, output_sizes(tiny_bundle))


def batch_of(bundle: Bundle, count: int, seconds: float, seed: int) -> Float32:
    random = np.random.default_rng(seed)
    return random.normal(size=(count, *bundle.input.shape(seconds))).astype(np.float32)


def test_workers_that_ask_at_once_get_their_own_outputs_of_any_shape(
    connect: Callable[[], RemoteGraph], tiny_bundle: Bundle
) -> None:
    local = open_graph(tiny_bundle)

    def check(seed: int) -> None:
        remote = connect()
        for number in range(10):
            batch = batch_of(tiny_bundle, 1 + number % 4, tiny_bundle.window, seed + number)
            for kind, output in local(batch).items():
                assert np.array_equal(output, remote(batch)[kind])

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(check, range(0, 60, 10)))


def test_a_batch_that_the_model_refuses_is_an_error_of_the_bundle_and_harms_no_other(
    connect: Callable[[], RemoteGraph], tiny_bundle: Bundle
) -> None:
    remote = connect()
    with pytest.raises(BundleError, match="INVALID_ARGUMENT"):
        remote(np.zeros((2, 3, 4, 5), np.float32))
    assert remote(batch_of(tiny_bundle, 2, tiny_bundle.window, 0)).keys() == {"classes"}


def test_a_worker_that_dies_before_it_asks_harms_no_other(
    pool: GpuPool, connect: Callable[[], RemoteGraph], tiny_bundle: Bundle
) -> None:
    for _ in range(4):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.connect(str(pool.folder / gpu_pool.SOCKET))
    assert connect()(batch_of(tiny_bundle, 2, tiny_bundle.window, 0))
    assert pool.restarts == 0


def test_processes_that_die_again_and_again_end_the_run_with_words(
    pool: GpuPool, connect: Callable[[], RemoteGraph]
) -> None:
    def kill_for_ever() -> None:
        while True:
            connect()
            for process in gpu_processes():
                process.kill()

    with pytest.raises(DeviceError, match="died 3 times in a row: killed by SIGKILL"):
        kill_for_ever()


def test_a_gpu_that_does_not_answer_is_told(
    connect: Callable[[], RemoteGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect()
    for process in gpu_processes():
        process.suspend()
    monkeypatch.setattr(gpu_process, "_ANSWER_SECONDS", 0.5)
    with pytest.raises(DeviceError, match=r"has not answered for 0\.5 s"):
        connect()


def test_gpu_processes_end_with_a_parent_that_is_killed(tiny_bundle: Bundle) -> None:
    code = f"""
import time
from batchemo.bundles import device
from batchemo.inference.gpu_pool import open_gpu_pool
from batchemo.inference.settings import ModelSettings
device.cuda_providers = lambda: (device.CPU,)
with open_gpu_pool([ModelSettings({str(tiny_bundle.path)!r}, device="cuda")]) as pool:
    while not pool._processes:
        time.sleep(0.01)
    print(pool._processes[0].pid, flush=True)
    time.sleep(100)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    wait_until(lambda: not psutil.pid_exists(child))
