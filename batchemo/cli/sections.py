"""Help in sections: a command of thirty options is read only if they stand in groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

OTHERS = "Other options"
"""The section of options that are in none, such as --help."""


class CommandWithSections(click.Command):
    """A command whose help lists its options in sections, each with a title."""

    def __init__(self, *args: Any, sections: Mapping[str, Sequence[str]], **more: Any) -> None:
        super().__init__(*args, **more)
        self.sections = sections
        """The names of options, as functions get them, by the title of their section."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections in their order, and what is in none of them last."""
        records = {
            str(parameter.name): record
            for parameter in self.get_params(ctx)
            if (record := parameter.get_help_record(ctx)) is not None
        }
        named = {name for names in self.sections.values() for name in names}
        others = [name for name in records if name not in named]
        for title, names in (*self.sections.items(), (OTHERS, others)):
            with formatter.section(title):
                formatter.write_dl([records[name] for name in names])
