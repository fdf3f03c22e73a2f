#!/bin/sh
# A scan as an array of SLURM jobs, one for each shard, and a job that merges them:
#
#   batchemo plan /data/calls -o /data/plan.parquet
#   id=$(sbatch --parsable slurm_shards.sh)
#   sbatch --dependency=afterok:$id --wrap "batchemo merge /data/shards -o /data/results.parquet"
#
# A job that was killed is started again by `sbatch --array=3 slurm_shards.sh` and goes on where it
# stopped. --fail-on none: broken recordings are rows with reasons, and no failure of the job.
#SBATCH --array=1-16
#SBATCH --cpus-per-task=8
#SBATCH --mem=4G

srun batchemo scan --plan /data/plan.parquet --shard "$SLURM_ARRAY_TASK_ID/16" \
    -o /data/shards --fail-on none
