"""`batchemo completion`: the scripts, and what bash offers with one."""

import shlex
import subprocess

import pytest
from command_line import COMMAND

PROGRAM = f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n'


@pytest.fixture
def complete(tmp_path, batchemo):
    """Press Tab after a line in a bash with the script; return what it offers."""
    program = tmp_path / "bin" / "batchemo"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    script = tmp_path / "completion.bash"
    script.write_text(batchemo("completion", "bash").out)

    def press_tab(*words: str) -> list[str]:
        shell = f"""
            PATH="{program.parent}:$PATH"
            source "{script}"
            COMP_WORDS=({" ".join(f"'{word}'" for word in words)})
            COMP_CWORD={len(words) - 1}
            _batchemo_completion batchemo
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        command = ["bash", "--noprofile", "--norc", "-c", shell]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        assert done.stderr == ""
        return done.stdout.split()

    return press_tab


@pytest.mark.process
def test_bash_completes_commands(complete):
    assert complete("batchemo", "s") == ["scan", "summary", "show"]


@pytest.mark.process
def test_bash_completes_options_and_their_choices(complete):
    assert complete("batchemo", "scan", "--if-l") == ["--if-locked"]
    assert complete("batchemo", "scan", "--if-locked", "") == ["fail", "skip", "wait"]


@pytest.mark.process
def test_bash_completes_subcommands(complete):
    assert complete("batchemo", "models", "v") == ["verify"]


@pytest.mark.parametrize(
    ("shell", "keyword"),
    [("bash", "complete -o"), ("zsh", "compdef"), ("fish", "complete --no-files")],
)
def test_each_shell_has_its_own_script(batchemo, shell, keyword):
    ran = batchemo("completion", shell)
    assert ran.code == 0
    assert keyword in ran.out
    assert "_BATCHEMO_COMPLETE" in ran.out


def test_default_shell_is_that_of_the_user(batchemo, monkeypatch):
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert batchemo("completion").out == batchemo("completion", "fish").out


def test_unsupported_shell_must_be_named(batchemo, monkeypatch):
    monkeypatch.setenv("SHELL", "/bin/dash")
    ran = batchemo("completion")
    assert ran.code == 2
    assert "bash, zsh, fish" in ran.err


def test_help_explains_the_installation(batchemo):
    assert "~/.bashrc" in batchemo("completion", "--help").out
