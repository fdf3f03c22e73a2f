"""Takes the values of a command's options from a TOML file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from batchemo.common.text import for_display
from batchemo.errors import UsageError

Options = dict[str, click.Option]


def load_config(ctx: click.Context, param: click.Parameter, path: str | None) -> None:
    """Take a file's values as defaults for the options of this command.

    Keys are the names of options. Those in a table with the command's name are for this command;
    those at the top are for every command that has such an option.
    """
    if path is None:
        return
    shown, name = for_display(path), ctx.info_name or ""
    values, options = _read_toml(Path(path), shown), _options(ctx.command)
    tables = {key: value for key, value in values.items() if isinstance(value, dict)}
    shared = {key: value for key, value in values.items() if key not in tables}
    _refuse_unknown_tables(tables, shown)
    _refuse_unknown(shared, options, ctx, shown)
    own = tables.get(name, {})
    for key in own:
        if _dashed(key) not in options:
            strange = f"{for_display(key)} is no option of `batchemo {name}`"
            raise UsageError(f"{shown}: {strange}. {_there_are(options)}")
    ctx.default_map = {
        **(ctx.default_map or {}),
        **_defaults(ctx, shared, options, shown),
        **_defaults(ctx, own, options, shown),
    }


def _defaults(
    ctx: click.Context, values: dict[str, Any], options: Options, shown: str
) -> dict[str, Any]:
    """Give the values of this command's options, by the names of its parameters."""
    return {
        str(options[_dashed(key)].name): _checked(
            ctx, options[_dashed(key)], value, f"{shown}: {for_display(key)}"
        )
        for key, value in values.items()
        if _dashed(key) in options
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
        raise UsageError(f"{shown}: this cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{shown}: this is no valid TOML: it is not in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{shown}: this is no valid TOML: {error}") from None


def _options(command: click.Command) -> Options:
    """Give a command's options by their long names, without the dashes before them."""
    return {
        name[2:]: option
        for option in command.params
        if isinstance(option, click.Option) and option.name != "config"
        for name in option.opts
        if name.startswith("--")
    }


def _dashed(key: str) -> str:
    return key.replace("_", "-")


def _there_are(options: Options) -> str:
    return f"There are: {', '.join(sorted(options))}"


def _refuse_unknown_tables(tables: dict[str, Any], shown: str) -> None:
    from batchemo.cli.group import COMMANDS

    for table in tables:
        if table not in COMMANDS:
            raise UsageError(
                f"{shown}: [{for_display(table)}] is no command. There are: {', '.join(COMMANDS)}"
            )


def _refuse_unknown(
    shared: dict[str, Any], options: Options, ctx: click.Context, shown: str
) -> None:
    """Refuse what no command has as an option.

    The other commands are imported only where there is something that this one does not know.
    """
    from batchemo.cli.group import COMMANDS, cli

    strange = [key for key in shared if _dashed(key) not in options]
    if not strange:
        return
    commands = (cli.get_command(ctx, name) for name in COMMANDS)
    anywhere = {key for command in commands if command for key in _options(command)}
    for key in strange:
        if _dashed(key) not in anywhere:
            what = f"{for_display(key)} is no option of `batchemo {ctx.info_name}`"
            raise UsageError(f"{shown}: {what} nor of another command. {_there_are(options)}")


def _checked(ctx: click.Context, option: click.Option, value: Any, where: str) -> Any:
    """Give a value as the command line would have given it."""
    if option.is_flag:
        if not isinstance(value, bool):
            raise UsageError(f"{where} is a flag: it is true or false")
        return value
    if option.multiple:
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(each, str) for each in values):
            raise UsageError(f"{where} takes text, or a list of texts")
        return values
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise UsageError(f"{where} takes one text or number")
    try:
        option.type_cast_value(ctx, str(value))
    except click.BadParameter as error:
        raise UsageError(f"{where}: {error.message}") from None
    return str(value)
