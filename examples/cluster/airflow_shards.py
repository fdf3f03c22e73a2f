"""A scan as a DAG of Airflow 3: the plan, a task for each shard, the merge.

A task that is tried again goes on where it stopped. `--fail-on none`: broken recordings are rows
with reasons, and no failure of the task. Another run needs another plan and another folder.
"""

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

SHARDS = 16

with DAG("batchemo", schedule=None, catchup=False, default_args={"retries": 3}):
    plan = BashOperator(
        task_id="plan",
        bash_command="batchemo plan /data/calls -o /data/plan.parquet --overwrite",
    )
    scan = BashOperator.partial(task_id="scan").expand(
        bash_command=[
            f"batchemo scan --plan /data/plan.parquet --shard {number}/{SHARDS}"
            " -o /data/shards --fail-on none"
            for number in range(1, SHARDS + 1)
        ]
    )
    merge = BashOperator(
        task_id="merge",
        bash_command="batchemo merge /data/shards -o /data/results.parquet --overwrite",
    )
    plan >> scan >> merge
