"""Every command, option, column and reason is documented, and the pages are up to date."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from batchemo.audio import REASONS
from batchemo.cli.group import COMMANDS, cli
from batchemo.cli.man_page import man_page
from batchemo.cli.reference import reference
from batchemo.corpora import LAYOUTS
from batchemo.tables.columns import (
    DIMENSIONS,
    MEASURED,
    MEASURED_SUMMARY,
    MODEL_COLUMNS,
    RECORDINGS,
    SEGMENT_MODEL,
    SEGMENTS,
    SUMMARY,
    TURNS,
    UNADAPTED,
)
from batchemo.tables.derived import COORDINATES
from batchemo.tables.schema import FEATURES

DOCS = Path(__file__).parents[2] / "docs"


def commands() -> list[tuple[str, click.Command]]:
    context = click.Context(cli)
    return [(name, cli.get_command(context, name) or click.Command(name)) for name in COMMANDS]


def test_reference_of_commands_is_up_to_date() -> None:
    assert (DOCS / "commands.md").read_text(encoding="utf-8") == reference(), "run: make docs"
    assert (DOCS / "batchemo.1").read_text(encoding="utf-8") == man_page(), "run: make docs"


def test_the_manual_page_has_every_command_and_lets_man_take_no_text_for_its_own() -> None:
    lines = man_page().splitlines()

    assert {f'.SS "batchemo {name}"' for name in COMMANDS} <= set(lines)
    requests = {line.split()[0] for line in lines if line.startswith((".", "'"))}
    assert requests == {".TH", ".SH", ".SS", ".B", ".I", ".PP", ".TP", ".nf", ".fi"}
    texts = [line for line in lines if not line.startswith(".")]
    assert not [text for text in texts if re.search(r"(?<!\\)-|\\[^-&e]", text)]


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_groff_has_nothing_to_say_about_the_manual_page() -> None:
    command = ["groff", "-ww", "-K", "utf8", "-man", "-z", str(DOCS / "batchemo.1")]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60).stderr == ""


@pytest.mark.parametrize(("name", "command"), commands())
def test_every_option_has_a_sentence_of_help(name: str, command: click.Command) -> None:
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts[0]}"
            assert parameter.help.endswith("."), f"{name} {parameter.opts[0]}"


@pytest.mark.parametrize(
    "table",
    [
        RECORDINGS,
        SEGMENTS,
        SUMMARY,
        MEASURED,
        MEASURED_SUMMARY,
        FEATURES,
        TURNS,
        MODEL_COLUMNS,
        SEGMENT_MODEL,
        UNADAPTED,
        DIMENSIONS,
    ],
)
def test_every_column_is_documented(table: dict[str, str]) -> None:
    page = (DOCS / "tables.md").read_text(encoding="utf-8")
    for column, sentence in table.items():
        assert f"| `{column}` | {sentence} |" in page


def test_coordinates_of_emotions_are_documented() -> None:
    page = (DOCS / "tables.md").read_text(encoding="utf-8")
    for label, coordinates in COORDINATES.items():
        assert f"| `{label}` | {' | '.join(map(str, coordinates))} |" in page


def test_every_reason_is_documented() -> None:
    page = (DOCS / "audio.md").read_text(encoding="utf-8")
    for reason in REASONS:
        assert f"`{reason}`" in page


def test_every_layout_is_named_in_the_help() -> None:
    command = cli.get_command(click.Context(cli), "train")
    assert command is not None
    (option,) = [one for one in command.params if one.name == "layout"]
    assert isinstance(option, click.Option)
    assert all(name in str(option.help) for name in LAYOUTS)
