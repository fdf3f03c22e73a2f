"""Signals stop a command cleanly, and it works with whatever its standard streams are."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import COMMAND
from voices import write_voice

from batchemo.bundles import Bundle

pytestmark = pytest.mark.process

Shell = Callable[..., "subprocess.CompletedProcess[str]"]

SIGNALS = """
import os, signal, sys
if sys.argv[1:] == ["default"]:  # These tests may themselves run under nohup.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
from batchemo.cli.process import Stopped, stop_on_signals
try:
    with stop_on_signals():
        os.kill(os.getpid(), signal.SIGHUP)
        print("not stopped")
        os.kill(os.getpid(), signal.SIGTERM)
except Stopped as stopped:
    print(stopped.exit_code)
"""


@pytest.mark.parametrize(
    ("prefix", "printed"), [([], ["129"]), (["nohup"], ["not stopped", "143"])]
)
def test_closing_the_terminal_stops_a_command_except_under_nohup(
    prefix: list[str], printed: list[str]
) -> None:
    args = [*prefix, sys.executable, "-c", SIGNALS, *([] if prefix else ["default"])]

    ran = subprocess.run(args, stdin=subprocess.DEVNULL, capture_output=True, text=True)

    assert ran.stdout.split("\n")[:-1] == printed


SILENCED = """
import os, sys
from batchemo.cli.process import libraries_silenced, prepare_streams
prepare_streams()
with libraries_silenced():
    os.write(2, b"a library\\n")
    print("Python \\udcff", file=sys.stderr)
    print(sys.stderr.isatty(), file=sys.stderr, end="")
os.write(2, b" after\\n")
print("after", file=sys.stderr)
"""


def test_what_libraries_write_to_stderr_is_discarded_and_what_python_prints_is_not() -> None:
    ran = subprocess.run([sys.executable, "-c", SILENCED], capture_output=True, text=True)
    assert ran.stderr == "Python \\udcff\nFalse after\nafter\n"
    closed = subprocess.run(
        ["bash", "-c", f"exec {shlex.join([sys.executable, '-c', SILENCED])} 2>&-"],
        capture_output=True,
    )
    assert (closed.returncode, closed.stderr) == (0, b"")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Run a line of bash in which `batchemo` is the command."""

    def run(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = shlex.join(COMMAND)
        return subprocess.run(
            ["bash", "-c", f'set -o pipefail; batchemo() {{ {command} "$@"; }}; {line}'],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, **environment},
            cwd=tmp_path,
        )

    return run


@pytest.fixture
def many_recordings(tmp_path: Path) -> Path:
    """Six hundred links to one recording: more rows than fit into the buffer of a pipe."""
    write_voice(tmp_path / "many" / "000.wav", seconds=0.6)
    for number in range(1, 600):
        os.link(tmp_path / "many" / "000.wav", tmp_path / "many" / f"{number:03d}.wav")
    return tmp_path / "many"


def test_reader_that_closes_the_pipe_ends_the_command_with_success(
    shell: Shell, many_recordings: Path, tiny_bundle: Bundle
) -> None:
    ended = shell(f"batchemo scan {many_recordings} -m {tiny_bundle.path} -q -o - | head -n 2")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith('"root","file"')


def test_closed_pipe_of_standard_error_is_a_failure(
    shell: Shell, voices: Path, tiny_bundle: Bundle
) -> None:
    line = f"batchemo scan {voices} -m {tiny_bundle.path} -o r.csv 2> >(true)"
    assert shell(line).returncode == 1


def test_streams_can_be_plain_ascii(shell: Shell, voices: Path, tiny_bundle: Bundle) -> None:
    model = f"-m {tiny_bundle.path}"
    ended = shell(f"batchemo scan {voices} {model} -o r.csv", PYTHONIOENCODING="ascii")
    assert ended.returncode == 3
    assert "real time" in ended.stdout
    recording = voices / "anna" / "one.wav"
    ended = shell(f"batchemo predict {recording} {model}", PYTHONIOENCODING="ascii")
    assert ended.returncode == 0


def test_all_standard_streams_can_be_closed(
    shell: Shell, voices: Path, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    line = f"batchemo scan {voices} -m {tiny_bundle.path} -o r.csv"
    assert shell(f"{line} >&- 2>&- <&-").returncode == 3
    first = (tmp_path / "r.csv").read_bytes()
    assert shell(f"{line} --overwrite").returncode == 3
    assert (tmp_path / "r.csv").read_bytes() == first


@pytest.mark.parametrize("args", ["-o -", "-o r.csv --log-json -"])
def test_writing_to_a_closed_standard_output_is_wrong_usage(
    shell: Shell, voices: Path, tiny_bundle: Bundle, args: str
) -> None:
    ended = shell(f"batchemo scan {voices} -m {tiny_bundle.path} {args} >&-")
    assert ended.returncode == 2
    assert "which is closed" in ended.stderr


THREADS = """
import threading
from batchemo.cli.process import quieten_threads
quieten_threads()
def fail(error):
    raise error
for error in (RuntimeError("can't start new thread"), MemoryError(), ValueError("a bug")):
    thread = threading.Thread(target=fail, args=(error,))
    thread.start()
    thread.join()
"""


def test_only_threads_that_end_for_want_of_memory_print_no_traceback() -> None:
    ran = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True)

    assert ran.returncode == 0
    assert ran.stderr.count("Traceback") == 1
    assert "ValueError: a bug" in ran.stderr
