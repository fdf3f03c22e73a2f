"""Metrics that node exporter collects: of the last scan that ended well."""

from __future__ import annotations

import re
import time
from pathlib import Path

from command_line import RunCommand

from batchemo.bundles import Bundle

SAMPLE = re.compile(r'(batchemo_[a-z_]+(?:\{(?:[a-z]+="(?:[^"\\\n]|\\.)*",?)+\})?) ([0-9.e+-]+)')


def read_samples(path: Path) -> dict[str, float]:
    """Read a file in the text format; every line must be of that format."""
    samples = {}
    for line in path.read_text().splitlines():
        if not re.match(r"# (HELP batchemo_[a-z_]+ .|TYPE batchemo_[a-z_]+ gauge$)", line):
            sample = SAMPLE.fullmatch(line)
            assert sample, line
            samples[sample[1]] = float(sample[2])
    return samples


def test_metrics_count_the_rows_and_date_the_success(
    batchemo: RunCommand, voices: Path, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    path = tmp_path / "batchemo.prom"
    scan = ("scan", voices, "-m", tiny_bundle.path, "-o", tmp_path / "r.csv", "--metrics", path)
    assert batchemo(*scan).code == 3
    samples = read_samples(path)
    assert abs(samples["batchemo_last_success_timestamp_seconds"] - time.time()) < 300
    assert samples["batchemo_exit_code"] == 3
    assert samples["batchemo_new_failures"] == 1
    assert samples['batchemo_recordings{status="failed",reason="not_audio"}'] == 1
    emotions = [n for key, n in samples.items() if 'status="ok",emotion=' in key]
    assert sum(emotions) == 4
    assert samples["batchemo_audio_seconds"] > 0


def test_a_scan_that_fails_leaves_the_metrics_of_the_last_success(
    batchemo: RunCommand, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    path = tmp_path / "batchemo.prom"
    path.write_text("before")
    (tmp_path / "in").mkdir()
    scan = ("scan", tmp_path / "in", "-m", tiny_bundle.path, "-o", tmp_path / "r.csv")
    assert batchemo(*scan, "--metrics", path).code == 1
    assert path.read_text() == "before"


def test_a_name_that_is_not_collected_is_refused(
    batchemo: RunCommand, voices: Path, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    scan = ("scan", voices, "-m", tiny_bundle.path, "-o", tmp_path / "r.csv", "--metrics")
    for name in ("metrics.txt", "nowhere/metrics.prom"):
        ended = batchemo(*scan, tmp_path / name)
        assert (ended.code, "--metrics" in ended.err) == (2, True)
    assert not list(tmp_path.glob("*.csv*"))
