"""The files in examples/ work: the analysis of a table, and the lines for cron."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from command_line import COMMAND

# The examples are scripts of their own.
pytestmark = pytest.mark.process

EXAMPLES = Path(__file__).parents[1] / "examples"


NOTEBOOK = EXAMPLES / "analyse.ipynb"


def notebook_cells(kind):
    document = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return [cell for cell in document["cells"] if cell["cell_type"] == kind]


def run_notebook(folder, table=None):
    """Run the code cells of the notebook one after another, as a notebook does."""
    script = folder / "cells.py"
    script.write_text("\n".join("".join(cell["source"]) for cell in notebook_cells("code")))
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": str(EXAMPLES.parent)}
    environment |= {} if table is None else {"TABLE": str(table)}
    command = [sys.executable, "-W", "ignore", str(script)]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


def test_the_notebook_reads_the_table_of_a_scan(scanned_voices, tmp_path):
    done = run_notebook(tmp_path, scanned_voices)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("5 rows")
    assert "not_audio" in done.stdout
    assert "confidence" in done.stdout


def test_the_notebook_prints_what_it_shows(tmp_path):
    done = run_notebook(tmp_path)
    assert done.returncode == 0, done.stderr
    shown = [
        "".join(output["text"])
        for cell in notebook_cells("code")
        for output in cell["outputs"]
        if output["output_type"] == "stream" and output["name"] == "stdout"
    ]
    printed = done.stdout
    for text in shown:
        if "standard error" not in text:  # It may be run without statsmodels.
            assert text in printed


def test_the_notebook_was_run_from_end_to_end_and_names_no_path_of_its_machine():
    cells = notebook_cells("code")
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {"stream", "display_data"}
    assert any("image/png" in output.get("data", {}) for output in outputs)
    texts = [json.dumps(output) for output in outputs if "data" not in output]
    assert not re.search(r"(?<![\w.])/(home|root|tmp|Users|work|mnt)/", "".join(texts))


def crontab_lines():
    lines = (EXAMPLES / "crontab").read_text().splitlines()
    return [line for line in lines if line and line[0].isdigit()]


@pytest.fixture
def run_at_night(tmp_path, voices, tiny_bundle):
    """Run the command of a line of a crontab in sh, as cron does."""
    program = tmp_path / "batchemo"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    program.chmod(0o755)
    environment = {
        "BATCHEMO": str(program),
        "RECORDINGS": str(voices),
        "RESULTS": str(tmp_path),
        "BATCHEMO_MODEL": str(tiny_bundle.path),
        "PYTHONPATH": str(EXAMPLES.parent),
        "LC_ALL": "C.UTF-8",
    }

    def run(line):
        command = line.split(None, 5)[5]
        done = subprocess.run(
            ["/bin/sh", "-c", command], env=environment, capture_output=True, text=True, timeout=120
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_nightly_line_prints_nothing_although_a_recording_failed(run_at_night, tmp_path):
    nightly, monthly = crontab_lines()
    young = run_at_night(nightly)
    assert young == (0, ""), "all recordings are too young, which is not a failure"
    first = run_at_night(nightly.replace("--min-age 5m", ""))
    assert first == (0, "")
    table = pq.read_table(tmp_path / "emotions.parquet")
    assert table["status"].to_pylist().count("failed") == 1
    assert (tmp_path / "by_month.csv").exists()
    assert '"finished"' in (tmp_path / "last_night.ndjson").read_text()
    assert run_at_night(monthly) == (0, "")


def test_nightly_line_mails_real_failures(run_at_night):
    code, output = run_at_night(crontab_lines()[0].replace("$RECORDINGS", "/nowhere"))
    assert code != 0
    assert "/nowhere" in output


@pytest.fixture
def systemd_units(tmp_path):
    """Copy the units, with a command that exists and the user that runs the tests."""
    for name in ("batchemo.service", "batchemo.timer"):
        text = (EXAMPLES / name).read_text()
        text = text.replace("/opt/batchemo/bin/batchemo", "/bin/true").replace("User=batchemo", "")
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_accepts_the_service_and_the_timer(systemd_units):
    units = [str(systemd_units / name) for name in ("batchemo.service", "batchemo.timer")]
    # Its exit code does not tell: warnings about a unit are printed with its name.
    done = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=120
    )
    problems = [line for line in done.stderr.splitlines() if "batchemo" in line]
    assert problems == []


def test_command_of_the_service_runs(run_at_night, tmp_path):
    service = (EXAMPLES / "batchemo.service").read_text()
    (command,) = [line for line in service.splitlines() if line.startswith("ExecStart=")]
    command = command.removeprefix("ExecStart=").replace("/opt/batchemo/bin/batchemo", "$BATCHEMO")
    command = command.replace("/srv/recordings", "$RECORDINGS").replace("/srv/results", "$RESULTS")
    line = f"30 2 * * * {command}".replace("--min-age 5m", "")
    assert run_at_night(line) == (3, "")
    assert run_at_night(line) == (0, "")
    assert "batchemo_new_failures 0" in (tmp_path / "batchemo.prom").read_text()
