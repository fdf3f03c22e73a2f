import subprocess
import sys

import pytest

PROGRAM = f'#!/bin/sh\nexec "{sys.executable}" -c "from batchemo.cli import main; main()" "$@"\n'


@pytest.fixture
def complete(tmp_path, batchemo):
    """Presses Tab behind a line in a bash that has sourced our script; gives what it offers."""
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


def test_bash_completes_commands(complete):
    assert complete("batchemo", "s") == ["scan", "summary", "show"]


def test_bash_completes_options_and_their_choices(complete):
    assert complete("batchemo", "scan", "--if-l") == ["--if-locked"]
    assert complete("batchemo", "scan", "--if-locked", "") == ["fail", "skip", "wait"]


def test_bash_completes_the_commands_of_models(complete):
    assert complete("batchemo", "models", "v") == ["verify"]


@pytest.mark.parametrize(
    ("shell", "mark"),
    [("bash", "complete -o"), ("zsh", "compdef"), ("fish", "complete --no-files")],
)
def test_each_shell_gets_a_script_of_its_own(batchemo, shell, mark):
    ran = batchemo("completion", shell)
    assert ran.code == 0
    assert mark in ran.out
    assert "_BATCHEMO_COMPLETE" in ran.out


def test_the_shell_is_guessed(batchemo, monkeypatch):
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert batchemo("completion").out == batchemo("completion", "fish").out


def test_a_shell_that_cannot_be_guessed_must_be_named(batchemo, monkeypatch):
    monkeypatch.setenv("SHELL", "/bin/dash")
    ran = batchemo("completion")
    assert ran.code == 2
    assert "bash, zsh, fish" in ran.err


def test_the_help_tells_how_to_install_it(batchemo):
    assert "~/.bashrc" in batchemo("completion", "--help").out
