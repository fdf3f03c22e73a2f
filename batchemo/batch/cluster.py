"""The cluster that a scan names by `--executor`."""

from __future__ import annotations

from functools import partial

from batchemo.batch.setup import Prepared
from batchemo.workers.executor import ExecutorFactory
from batchemo.workers.remote_work import Requirements


def cluster_executor(prepared: Prepared) -> ExecutorFactory | None:
    """Return what opens an executor on the cluster; None if the scan names none."""
    options = prepared.options
    if options.executor is None:
        return None
    from batchemo.workers.dask_executor import DaskExecutor, scheduler_address

    names = (settings.model for settings in options.settings)
    requirements = Requirements(tuple(zip(names, prepared.digests, strict=True)))
    address = scheduler_address(options.executor)
    return partial(DaskExecutor, address, requirements, options.timeout)


def count_workers(executor: ExecutorFactory, jobs: int) -> int:
    """Return how many of a cluster's workers a scan has now, before any work is done."""
    opened = executor(jobs)
    try:
        return opened.workers
    finally:
        opened.shutdown(kill=False)
