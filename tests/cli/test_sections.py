"""The help of a scan stands in sections, each option in exactly one."""

from __future__ import annotations

from collections import Counter

import click
from click.testing import CliRunner

from batchemo.cli.commands.scan import SECTIONS, command
from batchemo.cli.sections import CommandWithSections


def test_every_option_of_a_scan_is_in_one_section() -> None:
    counts = Counter(name for names in SECTIONS.values() for name in names)
    options = {one.name for one in command.params if isinstance(one, click.Option)}

    assert set(counts) == options
    assert set(counts.values()) == {1}


def test_the_sections_come_in_their_order_and_what_is_in_none_last() -> None:
    options = [click.Option([f"--{name}"], help=f"About {name}.") for name in ("one", "two", "six")]
    made = CommandWithSections(
        "made", params=options, sections={"Last first": ["six"], "Then": ["one"]}
    )

    help_text = CliRunner().invoke(made, ["--help"]).output

    words = ["Last first:", "--six", "Then:", "--one", "Other options:", "--two", "--help"]
    positions = [help_text.index(word) for word in words]
    assert positions == sorted(positions)
