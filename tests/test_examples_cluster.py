"""The files in examples/cluster/ work: what each would run somewhere else is run here."""

from __future__ import annotations

import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from command_line import COMMAND
from dask_cluster import dask_cluster

from batchemo.bundles import Bundle

pytestmark = pytest.mark.process

EXAMPLES = Path(__file__).parents[1] / "examples" / "cluster"
SHARDS = 3
"""Instead of 16, of which there are fewer recordings."""

Run = Callable[..., None]


@pytest.fixture
def data(tmp_path: Path, voices: Path) -> Path:
    (tmp_path / "calls").symlink_to(voices)
    return tmp_path


@pytest.fixture
def run(data: Path, tiny_bundle: Bundle) -> Run:
    """Run a command of an example in sh, with a folder of the test in the place of /data."""
    bin_folder = data / "bin"
    bin_folder.mkdir()
    for name, text in (("batchemo", f'exec {shlex.join(COMMAND)} "$@"'), ("srun", 'exec "$@"')):
        (bin_folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (bin_folder / name).chmod(0o755)
    settings = {
        "PATH": f"{bin_folder}:/usr/bin:/bin",
        "PYTHONPATH": str(EXAMPLES.parents[1]),
        "BATCHEMO_MODEL": str(tiny_bundle.path),
    }

    def call(command: str, **more: str) -> None:
        command = command.replace("/data/", f"{data}/").replace("/16", f"/{SHARDS}")
        done = subprocess.run(
            ["/bin/sh", "-c", command], env=settings | more, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    return call


@pytest.fixture
def planned(run: Run) -> None:
    run("batchemo plan /data/calls -o /data/plan.parquet")


def shard_of(data: Path, number: int) -> int:
    """Return how many rows the table of a shard has."""
    return int(pq.read_metadata(data / f"shards/0000{number}-of-0000{SHARDS}.parquet").num_rows)


@pytest.mark.usefixtures("planned")
def test_a_job_of_the_slurm_array_scans_its_shard(run: Run, data: Path) -> None:
    run((EXAMPLES / "slurm_shards.sh").read_text(), SLURM_ARRAY_TASK_ID="3")
    assert shard_of(data, 3) == 2


@pytest.mark.usefixtures("planned")
def test_a_pod_of_the_kubernetes_job_scans_its_shard(run: Run, data: Path) -> None:
    job = yaml.safe_load((EXAMPLES / "kubernetes_shards.yaml").read_text())
    assert job["spec"]["completionMode"] == "Indexed"
    assert job["spec"]["completions"] == 16
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["sh", "-c"]
    run(container["args"][0], JOB_COMPLETION_INDEX="0")
    assert shard_of(data, 1) == 1


def test_the_tasks_of_the_airflow_dag_make_the_table(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[str] = []

    class Operator:
        """A stand-in for Airflow's: it notes the commands of the tasks."""

        def __init__(self, task_id: str, bash_command: str | None = None) -> None:
            commands.extend([] if bash_command is None else [bash_command])

        partial = classmethod(lambda cls, task_id: cls(task_id))

        def expand(self, bash_command: list[str]) -> Operator:
            assert len(bash_command) == 16
            commands.extend(bash_command[:SHARDS])
            return self

        def __rshift__(self, other: Operator) -> Operator:
            return other

    class Dag:
        def __init__(self, *args: Any, **options: Any) -> None: ...

        def __enter__(self) -> None: ...

        def __exit__(self, *args: object) -> None: ...

    for name, content in (
        ("airflow.sdk", {"DAG": Dag}),
        ("airflow.providers.standard.operators.bash", {"BashOperator": Operator}),
    ):
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    runpy.run_path(str(EXAMPLES / "airflow_shards.py"))
    for command in commands:
        run(command)
    assert pq.read_metadata(data / "results.parquet").num_rows == 5


def test_the_jobs_of_dask_jobqueue_scan(run: Run, data: Path) -> None:
    script = data / "scan.py"
    text = (EXAMPLES / "dask_jobqueue_scan.py").read_text()
    script.write_text(text.replace("/data/", f"{data}/"))
    with dask_cluster() as cluster:
        # SLURM is not here. The workers are those that its jobs would start.
        (data / "dask_jobqueue.py").write_text(
            "from contextlib import nullcontext\n"
            "from types import SimpleNamespace\n\n"
            "def SLURMCluster(cores, processes, memory, walltime):\n"
            f"    address = {cluster.scheduler!r}\n"
            "    cluster = SimpleNamespace(scheduler_address=address, scale=lambda jobs: None)\n"
            "    return nullcontext(cluster)\n"
        )
        run(f"{sys.executable} {script}")
    assert pq.read_metadata(data / "results.parquet").num_rows == 5
