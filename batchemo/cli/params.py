"""Reads `--param NAME=VALUE`: the parameters of a recipe, each of the kind of its default."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from batchemo.errors import UsageError

if TYPE_CHECKING:
    from batchemo.features import Recipe

param_option = click.option(
    "--param",
    "params",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a parameter of the recipe's features otherwise, such as n_mfcc=20. Repeatable.",
)


def recipe_with(name: str, params: Sequence[str]) -> Recipe:
    """Give the recipe of that name with the parameters that the command line sets.

    >>> recipe_with("stats162", ["n_mfcc=40"]).shape()
    (182,)
    """
    from batchemo.features import get_recipe

    told = dict(_parameter(param) for param in params)
    defaults = dataclasses.asdict(get_recipe(name).params)
    return get_recipe(
        name, **{key: _read(key, text, defaults.get(key)) for key, text in told.items()}
    )


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--param {text}: write NAME=VALUE, such as n_mfcc=20")
    return name.strip().replace("-", "_"), value.strip()


def _read(name: str, text: str, default: Any) -> Any:
    """Read a parameter's value as one of the kind that its default is.

    >>> _read("n_mfcc", "20", 40), _read("parts", "mfcc,rms", ("mfcc",))
    (20, ('mfcc', 'rms'))
    """
    if isinstance(default, tuple):
        return tuple(word.strip() for word in text.split(","))
    if not isinstance(default, (int, float)):
        return text
    try:
        return type(default)(text)
    except ValueError:
        kind = "whole number" if isinstance(default, int) else "number"
        raise UsageError(f"--param {name}={text}: {text!r} is no {kind}") from None
