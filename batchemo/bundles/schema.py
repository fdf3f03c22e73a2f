"""What `bundle.json` may say, and a small strict reader of it: unknown keys are errors too."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from batchemo.errors import BundleError

FORMAT = 1
"""The version of the bundle format that this batchemo reads and writes."""

GRAPH = "model.onnx"
KERAS = "model.keras"
CARD = "README.md"

MAX_FILE_BYTES = 256 * 2**20
MAX_LABELS = 1000
MAX_SECONDS = 600.0
_TEMPERATURES = (0.001, 1000.0)

Check = Callable[[str, Any], None]
"""Raises BundleError, naming the place it was given, for a value that is not as it should be."""


def check_info(info: Any) -> None:
    """Refuse a bundle.json whose content is not exactly what this format says.

    >>> check_info({"format": 99})
    Traceback (most recent call last):
    batchemo.errors.BundleError: bundle.json: format 99 is not known; ...
    """
    if not isinstance(info, Mapping):
        raise _wrong("", "an object", info)
    if info.get("format") != FORMAT:
        raise BundleError(
            f"bundle.json: format {info.get('format')!r} is not known; this batchemo reads format "
            f"{FORMAT}. Update batchemo, or train the bundle again with this version."
        )
    _keys(_FIELDS)("", info)
    _check_times(info["window"], info["hop"], info["window_range"])
    for name in (GRAPH, CARD):
        if name not in info["files"]:
            raise BundleError(f"bundle.json: files: {name} is missing, and every bundle needs it")


def _wrong(where: str, wanted: str, value: Any) -> BundleError:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return BundleError(f"bundle.json: {where or 'the whole'}: should be {wanted}, is {shown}")


def _text(where: str, value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise _wrong(where, "a text", value)


def _plain_name(where: str, value: Any) -> None:
    _text(where, value)
    if value in (".", "..") or not all(c.isascii() and (c.isalnum() or c in "._-") for c in value):
        raise _wrong(where, "a plain name of letters, digits, '.', '_' and '-'", value)


def _positive(where: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise _wrong(where, "a number above 0", value)


def _temperature(where: str, value: Any) -> None:
    _positive(where, value)
    if not _TEMPERATURES[0] <= value <= _TEMPERATURES[1]:
        raise _wrong(where, f"from {_TEMPERATURES[0]} to {_TEMPERATURES[1]}", value)


def _integer(where: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _wrong(where, "a whole number above 0", value)


def _file_size(where: str, value: Any) -> None:
    _integer(where, value)
    if value > MAX_FILE_BYTES:
        raise _wrong(where, f"at most {MAX_FILE_BYTES} bytes", value)


def _sha256(where: str, value: Any) -> None:
    if not isinstance(value, str) or len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise _wrong(where, "a SHA-256 digest in 64 small hexadecimal digits", value)


def _labels(where: str, value: Any) -> None:
    if not isinstance(value, list) or not 2 <= len(value) <= MAX_LABELS:
        raise _wrong(where, f"a list of 2 to {MAX_LABELS} labels", value)
    for place, label in enumerate(value):
        _plain_name(f"{where}[{place}]", label)
    if len(set(value)) < len(value):
        raise _wrong(where, "a list without repetition", value)


def _range(where: str, value: Any) -> None:
    if not isinstance(value, list) or len(value) != 2:
        raise _wrong(where, "a list of the shortest and the longest window in seconds", value)
    for place, seconds in enumerate(value):
        _positive(f"{where}[{place}]", seconds)


def _files(where: str, value: Any) -> None:
    _object(where, value)
    for name, facts in value.items():
        _plain_name(f"{where}: name", name)
        _keys({"sha256": _sha256, "bytes": _file_size})(f"{where}: {name}", facts)


def _object(where: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise _wrong(where, "an object", value)


def _texts(where: str, value: Any) -> None:
    if not isinstance(value, list):
        raise _wrong(where, "a list of texts", value)
    for place, text in enumerate(value):
        _text(f"{where}[{place}]", text)


def _recipe(where: str, value: Any) -> None:
    """Only what the bundle itself needs; the rest is for `batchemo.features` to judge."""
    _object(where, value)
    _text(f"{where}: name", value.get("name"))
    _integer(f"{where}: rate", value.get("rate"))


def _one_of(*allowed: str) -> Check:
    def check(where: str, value: Any) -> None:
        if value not in allowed:
            raise _wrong(where, " or ".join(repr(a) for a in allowed), value)

    return check


def _keys(fields: Mapping[str, Check]) -> Check:
    """An object with exactly these keys, each of them checked."""

    def check(where: str, value: Any) -> None:
        _object(where, value)
        if unknown := sorted(str(key) for key in value.keys() - fields.keys()):
            raise _wrong(where, f"without the unknown {', '.join(unknown)}", dict(value))
        for key, check_field in fields.items():
            inside = f"{where}: {key}" if where else key
            if key not in value:
                raise BundleError(f"bundle.json: {inside}: is missing")
            check_field(inside, value[key])

    return check


def _check_times(window: float, hop: float, window_range: list[float]) -> None:
    shortest, longest = window_range
    if not shortest <= window <= longest <= MAX_SECONDS:
        raise _wrong("window", f"within window_range {window_range}, at most {MAX_SECONDS}", window)
    if hop > window:
        raise _wrong("hop", f"at most the window, {window} s", hop)


_FIELDS: Mapping[str, Check] = {
    "format": _integer,
    "name": _plain_name,
    "description": _text,
    "labels": _labels,
    "recipe": _recipe,
    "window": _positive,
    "hop": _positive,
    "window_range": _range,
    "normalisation": _one_of("graph"),
    "calibration": _keys({"method": _one_of("temperature"), "temperature": _temperature}),
    "training": _object,
    "figures": _object,
    "licence": _text,
    "citations": _texts,
    "files": _files,
}
