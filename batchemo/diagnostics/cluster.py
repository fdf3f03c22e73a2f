"""Checks whether the workers of a cluster have what this machine has, so that rows are the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from batchemo.bundles import list_bundles
from batchemo.common.text import counted
from batchemo.diagnostics.doctor import Check
from batchemo.workers.dask_executor import DaskExecutor, scheduler_address
from batchemo.workers.remote_work import Requirements, WorkerFacts, facts

COMPARED = ("numpy", "scipy", "onnxruntime", "soundfile", "soxr", "pyarrow", "av", "distributed")
"""Packages of which another version may give other numbers, or read other files."""


def check_cluster(executor: str) -> Iterator[Check]:
    """Yield what there is, and each difference between workers and this machine."""
    address = scheduler_address(executor)
    opened = DaskExecutor(address, Requirements(), timeout=0.0)
    try:
        answers = opened.ask_workers(facts, COMPARED, list_bundles())
    finally:
        opened.shutdown(kill=False)
    here = facts(COMPARED, list_bundles())
    if not answers:
        yield Check("scheduler", "problem", f"{address} has no workers: `dask worker {address}`")
        return
    yield Check("scheduler", "ok", f"{address} has {counted(len(answers), 'worker')}")
    workers = defaultdict[str, list[str]](list)
    for worker, answer in answers.items():
        for problem in _differences(answer, here):
            workers[problem].append(worker)
    for problem, addresses in workers.items():
        others = "" if len(addresses) == 1 else f" and {len(addresses) - 1:,} more"
        yield Check("workers", "problem", f"{addresses[0]}{others}: {problem}")
    if not workers:
        versions = ", ".join(f"{name} {version}" for name, version in here.versions.items())
        models = ", ".join(here.digests)
        yield Check("workers", "ok", f"all have {versions}; the models {models}")


def _differences(answer: WorkerFacts | Exception, here: WorkerFacts) -> Iterator[str]:
    if isinstance(answer, Exception):
        yield f"cannot run batchemo ({type(answer).__name__}: {answer}): is it installed there?"
        return
    for name in sorted(here.versions.keys() | answer.versions.keys()):
        there, own = answer.versions.get(name, "absent"), here.versions.get(name, "absent")
        if there != own:
            yield f"{name} is {there}, and {own} here"
    for name, digest in here.digests.items():
        if answer.digests.get(name) != digest:
            there = "is another one" if name in answer.digests else "is absent"
            yield f"the model {name} {there}"
    if answer.trouble is not None:
        yield answer.trouble
