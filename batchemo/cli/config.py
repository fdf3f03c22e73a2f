"""Reads the values of a command's options from a TOML file.

The file has options at the top, for every command that has them, and tables named after a command:

    jobs = 4

    [scan]
    ext = ["wav", "flac"]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from batchemo.common.text import for_display
from batchemo.errors import UsageError

Options = dict[str, click.Option]


def load_config(ctx: click.Context, param: click.Parameter, path: str | None) -> None:
    """Use the values of a file as defaults for the options of this command.

    Keys are the names of options. Those in a table with the command's name are for this command;
    those at the top are for every command that has such an option.
    """
    if path is None:
        return
    shown, name = for_display(path), ctx.info_name or ""
    values, options = _read_toml(Path(path), shown), _options_by_name(ctx.command)
    tables = {key: value for key, value in values.items() if isinstance(value, dict)}
    shared = {key: value for key, value in values.items() if key not in tables}
    _check_tables(tables, shown)
    _check_shared_keys(shared, options, ctx, shown)
    of_command = tables.get(name, {})
    for key in of_command:
        if _with_dashes(key) not in options:
            problem = f"{for_display(key)} is not an option of `batchemo {name}`"
            raise UsageError(f"{shown}: {problem}. {_list_options(options)}")
    ctx.default_map = {
        **(ctx.default_map or {}),
        **_default_values(ctx, shared, options, shown),
        **_default_values(ctx, of_command, options, shown),
    }


def _read_toml(path: Path, shown: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        with path.open("rb") as stream:
            values: dict[str, Any] = tomllib.load(stream)
            return values
    except FileNotFoundError:
        raise UsageError(f"{shown}: there is no such configuration file") from None
    except OSError as error:
        raise UsageError(f"{shown}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{shown}: is not valid TOML: it is not in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{shown}: is not valid TOML: {error}") from None


def _options_by_name(command: click.Command) -> Options:
    """Return a command's options by their long names, without the leading dashes."""
    return {
        name[2:]: option
        for option in command.params
        if isinstance(option, click.Option) and option.name != "config"
        for name in option.opts
        if name.startswith("--")
    }


def _with_dashes(key: str) -> str:
    return key.replace("_", "-")


def _list_options(options: Options) -> str:
    return f"Its options are: {', '.join(sorted(options))}"


def _check_tables(tables: dict[str, Any], shown: str) -> None:
    from batchemo.cli.group import COMMANDS

    for table in tables:
        if table not in COMMANDS:
            raise UsageError(
                f"{shown}: [{for_display(table)}] is not a command. The commands are: "
                f"{', '.join(COMMANDS)}"
            )


def _check_shared_keys(
    shared: dict[str, Any], options: Options, ctx: click.Context, shown: str
) -> None:
    """Refuse keys at the top of the file that are not an option of any command."""
    from batchemo.cli.group import COMMANDS, cli

    unknown = [key for key in shared if _with_dashes(key) not in options]
    if not unknown:
        return
    # The modules of all other commands are imported only if this command lacks a key.
    commands = (cli.get_command(ctx, name) for name in COMMANDS)
    known = {key for command in commands if command for key in _options_by_name(command)}
    for key in unknown:
        if _with_dashes(key) not in known:
            problem = f"{for_display(key)} is not an option of `batchemo {ctx.info_name}`"
            raise UsageError(f"{shown}: {problem} nor of another command. {_list_options(options)}")


def _default_values(
    ctx: click.Context, values: dict[str, Any], options: Options, shown: str
) -> dict[str, Any]:
    """Return the values of this command's options, by the names of its parameters."""
    return {
        str(options[_with_dashes(key)].name): _checked_value(
            ctx, options[_with_dashes(key)], value, f"{shown}: {for_display(key)}"
        )
        for key, value in values.items()
        if _with_dashes(key) in options
    }


def _checked_value(ctx: click.Context, option: click.Option, value: Any, where: str) -> Any:
    """Return a value in the form in which the command line passes it to click.

    click converts defaults leniently: without these checks `update = 1` would be true and
    `limit = true` would be 1.
    """
    if option.is_flag:
        if not isinstance(value, bool):
            raise UsageError(f"{where} is a flag: write true or false")
        return value
    if option.multiple:
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(item, str) for item in values):
            raise UsageError(f"{where} takes a string or a list of strings")
        return values
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise UsageError(f"{where} takes one string or number")
    try:
        option.type_cast_value(ctx, str(value))
    except click.BadParameter as error:
        raise UsageError(f"{where}: {error.message}") from None
    return str(value)
