"""How the command starts, and how it reports errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from command_line import RunCommand

import batchemo as package
from batchemo.bundles import Bundle
from batchemo.cli import main


@pytest.mark.process
def test_version_is_printed_without_heavy_imports() -> None:
    code = "import sys; sys.argv[1:] = ['--version']; from batchemo.cli import main; main()"
    code += "; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    version, modules = ended.stdout.splitlines()
    assert version == f"batchemo {package.__version__}"
    assert not {"click", "numpy", "rich", "pyarrow"} & set(modules.split())


@pytest.mark.process
def test_parent_of_a_scan_imports_no_decoders_runtimes_or_librosa(
    voices: Path, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    folder = voices / "anna"
    args = ["scan", str(folder), "-m", str(tiny_bundle.path), "-o", str(tmp_path / "r.parquet")]
    code = f"import sys, atexit; sys.argv[1:] = {args!r}; from batchemo.cli import main"
    code += "; atexit.register(lambda: print(*sys.modules)); main()"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"soundfile", "soxr", "librosa", "tensorflow", "onnxruntime", "scipy", "pandas"}
    assert not heavy & set(ended.stdout.split())


@pytest.mark.process
def test_the_package_runs_as_the_command_does_with_workers_too(
    voices: Path, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    args = ["scan", voices, "-m", tiny_bundle.path, "-o", tmp_path / "r.parquet", "-j", "2"]
    ended = subprocess.run([sys.executable, "-m", "batchemo", *map(str, args)], check=False)
    assert ended.returncode in (0, 3)
    assert (tmp_path / "r.parquet").is_file()


def test_the_citation_names_this_version() -> None:
    citation = (Path(__file__).parents[2] / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {package.__version__}\n" in citation


def test_unknown_command_gets_a_suggestion(batchemo: RunCommand) -> None:
    ran = batchemo("scn")
    assert ran.code == 2
    assert "Did you mean scan?" in ran.err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["scan", ".", "-o", "r.csv", "-j", "0"], "neither a number from 1 nor auto"),
        (["scan", ".", "-o", "r.csv", "--min-age", "soon"], "is not a duration"),
        (["scan", ".", "-o", "-", "--log-json", "-"], "cannot both write"),
        (["scan", ".", "-o", "r.csv", "--model", "nothing"], "no such model"),
    ],
)
def test_wrong_usage_gets_a_message_and_no_traceback(
    batchemo: RunCommand, args: list[str], message: str
) -> None:
    ran = batchemo(*args)
    assert ran.code == 2
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_control_characters_in_an_error_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    main.print_error("bad\x1b[2J name\nsecond line")
    assert capsys.readouterr().err == "batchemo: bad\\x1b[2J name\nsecond line\n"
