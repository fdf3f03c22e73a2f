"""Metrics of a finished scan in the text format of Prometheus, for node exporter to collect.

The file is written when a scan ends with exit code 0 or 3, whole or not at all. So its last success
grows old while runs fail, are skipped or do not start, which is what an alert should look at.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from batchemo import __version__
from batchemo.batch.events import Report
from batchemo.common.files import atomic_write
from batchemo.common.text import for_display
from batchemo.errors import UsageError

SUFFIX = ".prom"


def check_metrics(target: str) -> Path:
    """Return the path of the metrics; raise `UsageError` where no collector would read them."""
    path, shown = Path(target), for_display(target)
    if path.suffix != SUFFIX:
        raise UsageError(f"--metrics {shown}: the name must end in {SUFFIX}: no other is collected")
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"--metrics {shown}: is a folder, or there is no folder for it")
    return path


def write_metrics(path: Path, report: Report) -> None:
    """Replace the metrics by those of a report."""
    # The collector runs as another user, and may read the folder at any moment.
    with atomic_write(path) as stream:
        stream.write("".join(_lines(report)).encode())


def _lines(report: Report) -> Iterator[str]:
    info = {"version": __version__, "model": report.model}
    yield from _metric("info", "The version of batchemo and the model.", {_labels(info): 1})
    yield from _metric(
        "last_success_timestamp_seconds",
        "When the last scan ended with exit code 0 or 3.",
        {"": round(time.time(), 3)},
    )
    yield from _metric("exit_code", "The exit code of that scan.", {"": report.exit_code})
    counts = {
        _labels({"status": status, kind: outcome}): count.recordings
        for status, kind in (("ok", "emotion"), ("failed", "reason"))
        for outcome, count in sorted(report.summary.by_outcome(status).items())
    }
    yield from _metric("recordings", "Rows of the table.", counts)
    values = {
        "analysed_recordings": ("Recordings that the scan analysed.", report.analysed),
        "new_failures": ("Failures that the earlier table did not have.", report.new_failures),
        "empty_sources": ("Sources without recordings.", len(report.empty)),
        "unreadable_sources": ("Sources that could not be read.", len(report.problems)),
        "scan_seconds": ("How long the scan took.", round(report.elapsed, 3)),
        "audio_seconds": ("Seconds of audio that the scan analysed.", round(report.sound, 3)),
        "times_real_time": ("Seconds of audio per second.", round(report.times_real_time, 3)),
    }
    for name, (text, value) in values.items():
        yield from _metric(name, text, {"": value})


def _metric(name: str, text: str, samples: Mapping[str, float]) -> Iterator[str]:
    yield f"# HELP batchemo_{name} {text}\n# TYPE batchemo_{name} gauge\n"
    for labels, value in samples.items():
        yield f"batchemo_{name}{labels} {value}\n"


def _labels(values: Mapping[str, str]) -> str:
    r"""Format labels, which may hold any text.

    >>> print(_labels({"emotion": 'so "sad"\n'}))
    {emotion="so \"sad\"\n"}
    """
    escapes = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
    return "{" + ",".join(f'{name}="{v.translate(escapes)}"' for name, v in values.items()) + "}"
