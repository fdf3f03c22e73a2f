"""How the command starts, where options come from, and how errors speak."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from terminal import in_a_terminal
from voices import write_voice

import batchemo
from batchemo.bundles import Bundle
from batchemo.cli import main
from batchemo.cli.shared_options import duration, jobs, split_words

COMMAND = [sys.executable, "-c", "from batchemo.cli import main; main()"]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for index in range(3):
        write_voice(tmp_path / "corpus" / f"{index}.wav", seed=index)
    return tmp_path / "corpus"


def test_version_is_told_without_importing_anything_heavy() -> None:
    code = "import sys; sys.argv[1:] = ['--version']; from batchemo.cli import main; main()"
    code += "; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    version, modules = ended.stdout.splitlines()
    assert version == f"batchemo {batchemo.__version__}"
    assert not {"click", "numpy", "rich", "pyarrow"} & set(modules.split())


def test_the_parent_of_a_scan_imports_neither_decoders_nor_runtimes_nor_librosa(
    corpus: Path, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    words = ["scan", str(corpus), "-m", str(tiny_bundle.path), "-o", str(tmp_path / "r.parquet")]
    code = f"import sys, atexit; sys.argv[1:] = {words!r}; from batchemo.cli import main"
    code += "; atexit.register(lambda: print(*sys.modules)); main()"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"soundfile", "soxr", "librosa", "tensorflow", "onnxruntime", "scipy", "pandas"}
    assert not heavy & set(ended.stdout.split())


def test_a_command_that_is_none_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["scn"]) == 2
    assert "Did you mean scan?" in capsys.readouterr().err


def test_options_come_from_the_command_line_then_variables_then_the_file(
    corpus: Path, tiny_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "batchemo.toml"
    config.write_text(
        f'model = "{tiny_bundle.path}"\nhop = 0.5\n[scan]\nlimit = 1\nwindow = 2.0\n'
        "[features]\nhop = 9.0\n"
    )
    out = tmp_path / "r.parquet"

    def scanned(*words: str) -> tuple[int, str]:
        line = ["scan", str(corpus), "-o", str(out), "--overwrite", "-q", "--config", str(config)]
        assert main.run([*line, *words]) == 0
        table = pq.read_table(out)
        return table.num_rows, str(table["model"][0])

    rows, model = scanned()
    assert rows == 1
    assert "window=2.0 hop=0.5" in model
    monkeypatch.setenv("BATCHEMO_LIMIT", "2")
    assert scanned()[0] == 2
    assert scanned("--limit", "3")[0] == 3


def test_a_configuration_is_checked(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "c.toml"
    line = ["scan", str(corpus), "-o", "r.csv", "--config", str(config)]
    assert main.run(line) == 2
    assert "no such configuration file" in capsys.readouterr().err
    config.write_text("worker = 3")
    assert main.run(line) == 2
    assert "worker is no option" in capsys.readouterr().err
    config.write_text("jobs = ")
    assert main.run(line) == 2
    assert "no valid TOML" in capsys.readouterr().err
    config.write_text('jobs = "many"')
    assert main.run(line) == 2
    assert "neither a number" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["scan", ".", "-o", "r.csv", "-j", "0"], "neither a number from 1 on nor auto"),
        (["scan", ".", "-o", "r.csv", "--min-age", "soon"], "is no duration"),
        (["scan", ".", "-o", "-", "--log-json", "-"], "cannot both write"),
        (["scan", ".", "-o", "r.csv", "--model", "nothing"], "no such model"),
    ],
)
def test_a_users_mistake_gets_words_and_no_traceback(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(words) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert "Traceback" not in shown


def test_an_error_cannot_play_with_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    main.complain("bad\x1b[2J name\nsecond line")
    assert capsys.readouterr().err == "batchemo: bad\\x1b[2J name\nsecond line\n"


def test_values_are_read_as_people_write_them() -> None:
    assert [duration(text) for text in ("90", "90s", "1.5m", "2h", "1d")] == [
        90.0,
        90.0,
        90.0,
        7200.0,
        86400.0,
    ]
    assert (jobs("auto"), jobs("3")) == (0, 3)
    assert split_words(("wav,flac", " mp3 ,")) == ("wav", "flac", "mp3")


def test_the_bar_of_a_terminal_shows_files_speed_and_failures(
    corpus: Path, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    (corpus / "bad\x1b[31m.wav").touch()
    words = ["scan", str(corpus), "-m", str(tiny_bundle.path), "-o", str(tmp_path / "r.parquet")]
    shown = in_a_terminal(words)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    assert "4 recordings" in plain
    assert "emotion" in plain
    assert "█" in plain
    assert "× real time" in plain
    assert "slowest stage" in plain
    assert "bad\\x1b[31m.wav: empty" in plain
