"""Frozen dataclasses as plain data (for JSON), and strictly back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from batchemo.errors import UsageError

Told = TypeVar("Told")


def to_plain(value: Any) -> Any:
    """Turn dataclasses into dicts and tuples into lists, all the way down.

    >>> to_plain({"labels": ("sad", "happy")})
    {'labels': ['sad', 'happy']}
    """
    if is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: to_plain(one) for key, one in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_plain(one) for one in value]
    return value


def from_plain(kind: type[Told], value: Any, where: str) -> Told:
    """Read what `to_plain` gave as this dataclass; UsageError says where it does not fit."""
    found: Told = _read(kind, value, where)
    return found


def _read(kind: Any, value: Any, where: str) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, UnionType):
        if value is None and NoneType in inner:
            return None
        [kind] = [one for one in inner if one is not NoneType]
        return _read(kind, value, where)
    if origin is Literal:
        _must(value in inner, where, f"one of {', '.join(inner)}")
        return value
    if is_dataclass(kind):
        return _read_dataclass(kind, value, where)
    if origin is tuple:
        return _read_tuple(inner, value, where)
    if origin is Mapping:
        _must(isinstance(value, dict), where, "an object")
        return {key: _read(inner[1], one, f"{where}.{key}") for key, one in value.items()}
    if kind is float:
        _must(type(value) in (int, float), where, "a number")
        return float(value)
    _must(type(value) is kind, where, f"of type {kind.__name__}")
    return value


def _read_dataclass(kind: Any, value: Any, where: str) -> Any:
    _must(isinstance(value, dict), where, "an object")
    names = [field.name for field in fields(kind)]
    if odd := sorted(set(value) ^ set(names)):
        raise UsageError(f"{where} has too many or too few keys: {', '.join(odd)}")
    types = get_type_hints(kind)
    return kind(**{name: _read(types[name], value[name], f"{where}.{name}") for name in names})


def _read_tuple(inner: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    _must(isinstance(value, list), where, "a list")
    if inner[-1] is Ellipsis:
        inner = (inner[0],) * len(value)
    _must(len(value) == len(inner), where, f"a list of {len(inner)}")
    return tuple(
        _read(kind, one, f"{where}[{place}]")
        for place, (kind, one) in enumerate(zip(inner, value, strict=True))
    )


def _must(good: bool, where: str, what: str) -> None:
    if not good:
        raise UsageError(f"{where} must be {what}")
