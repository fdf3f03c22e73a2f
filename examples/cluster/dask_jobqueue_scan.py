"""Starts Dask workers as jobs of SLURM, and scans with them: python dask_jobqueue_scan.py.

PBS, LSF, SGE and HTCondor have a class of dask_jobqueue each. This script must run until the scan
has ended. If it is stopped, it goes on where it was when it is started again.
"""

import subprocess

from dask_jobqueue import SLURMCluster

with SLURMCluster(cores=8, processes=1, memory="6GB", walltime="04:00:00") as cluster:
    cluster.scale(jobs=16)
    address = cluster.scheduler_address.replace("tcp://", "dask://")
    scan = f"batchemo scan /data/calls -o /data/results.parquet --executor {address}"
    subprocess.run([*scan.split(), "--fail-on", "none"], check=True)
