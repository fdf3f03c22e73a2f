"""The content of `bundle.json`, format 2, and a strict reader of it: unknown keys are errors too.

Numbers that decide how much memory a bundle takes have an upper bound: a bundle comes from
elsewhere, and must not be able to exhaust the machine that reads it. Those of windows and
features are in `features/limits.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from batchemo.errors import BundleError
from batchemo.features.limits import (
    MAX_PROBABILITIES_A_SECOND,
    MAX_RATE,
    MAX_SECONDS,
    MAX_WINDOW_VALUES,
    MIN_SECONDS,
)
from batchemo.tables.columns import MEASURED

FORMAT = 2
"""The version of the bundle format that this batchemo reads and writes."""

GRAPH = "model.onnx"
KERAS = "model.keras"
GRAPH_DATA = "model.onnx.data"
"""The weights of a graph that would be too large for one file."""
HEAD_GRAPH = "head.onnx"
"""Of an adapted model: its head alone, for embeddings and logits that are known already."""
CARD = "README.md"

MAX_FILE_BYTES = 2**31 - 1
"""What a file of protobuf, and so a graph in one file, may have at most."""
MAX_DATA_BYTES = 2**34
"""Weights of four billion numbers: of models that a processor still runs."""
MAX_LABELS = 1000
MAX_PADDING_STEP = 100_000
MAX_EMBEDDING_SIZE = 65_536
"""Numbers of a window: the embeddings of a batch of 16 take 4 MB."""

INPUT_TYPES = ("features", "waveform")
NORMALISATIONS = ("graph", "none", "zero_mean_unit_variance")
PADDINGS = ("masked", "forbidden", "trained")

TEMPERATURE = "temperature"
FAMILIARITY_TEMPERATURE = "familiarity_temperature"
"""Methods of calibration: one temperature for all windows, or one by each window's familiarity."""

_TEMPERATURES = (0.001, 1000.0)

Check = Callable[[str, Any], None]
"""Raises BundleError, naming the place it was given, if the value is not what it should be."""


def check_info(info: Any) -> None:
    """Raise BundleError if the content of a bundle.json is not exactly what the format allows.

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
    _fields(_FIELDS)("", info)
    # A scan keeps the probabilities of a recording's windows until it is done with the recording.
    labels, hop = len(info["outputs"].get("classes", {}).get("labels", ())), info["input"]["hop"]
    if labels / hop > MAX_PROBABILITIES_A_SECOND:
        expected = f"at least {labels / MAX_PROBABILITIES_A_SECOND:g} s for {labels} labels"
        raise _wrong("input: hop", expected, hop)
    method = info["calibration"]["method"]
    if method == FAMILIARITY_TEMPERATURE and "familiarity" not in info["outputs"]:
        raise BundleError(
            f"bundle.json: outputs: familiarity: is missing; the calibration {method} needs it"
        )
    for name in (GRAPH, CARD):
        if name not in info["files"]:
            raise BundleError(f"bundle.json: files: {name} is missing, and every bundle needs it")
    if "base" in info["outputs"] and HEAD_GRAPH not in info["files"]:
        raise BundleError(f"bundle.json: files: {HEAD_GRAPH} is missing; an adapted model needs it")


def output_size(output: Mapping[str, Any]) -> int:
    """Return how many numbers an output, as bundle.json has it, gives for each window.

    >>> output_size({"name": "hidden", "size": 7}), output_size({"name": "familiarity"})
    (7, 1)
    """
    if "size" in output:
        return int(output["size"])
    names = output.get("labels") or output.get("dimensions")
    return 1 if names is None else len(names)


def _wrong(where: str, expected: str, value: Any) -> BundleError:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return BundleError(f"bundle.json: {where or 'the whole'}: should be {expected}, is {shown}")


def _text(where: str, value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise _wrong(where, "a text", value)


def _plain_name(where: str, value: Any) -> None:
    _text(where, value)
    if value in (".", "..") or not all(c.isascii() and (c.isalnum() or c in "._-") for c in value):
        raise _wrong(where, "a plain name of letters, digits, '.', '_' and '-'", value)


def _number(where: str, value: Any) -> None:
    # A bool is an int in Python, and an int of 400 digits is no float.
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(where, "a number", value)
    if not -1e300 < value < 1e300:
        raise _wrong(where, "a finite number", value)


def _positive(where: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise _wrong(where, "a number above 0", value)


def _seconds(where: str, value: Any) -> None:
    _positive(where, value)
    if not MIN_SECONDS <= value <= MAX_SECONDS:
        raise _wrong(where, f"from {MIN_SECONDS} to {MAX_SECONDS:g} seconds", value)


def _temperature(where: str, value: Any) -> None:
    _positive(where, value)
    if not _TEMPERATURES[0] <= value <= _TEMPERATURES[1]:
        raise _wrong(where, f"from {_TEMPERATURES[0]} to {_TEMPERATURES[1]}", value)


def _calibration(where: str, value: Any) -> None:
    _object(where, value)
    _one_of(TEMPERATURE, FAMILIARITY_TEMPERATURE)(f"{where}: method", value.get("method"))
    fields = {"method": _text, "temperature": _temperature}
    if value["method"] == TEMPERATURE:
        _fields(fields)(where, value)
        return
    _fields({**fields, "slope": _number})(where, value)
    # By logarithms: exp of a large slope is no float.
    lowest, highest = (
        math.log(temperature / value["temperature"]) for temperature in _TEMPERATURES
    )
    if not lowest <= value["slope"] <= highest:
        expected = (
            f"from {lowest:.6g} to {highest:.6g}, so that the temperature of unfamiliar windows is "
            f"from {_TEMPERATURES[0]} to {_TEMPERATURES[1]}"
        )
        raise _wrong(f"{where}: slope", expected, value["slope"])


def _integer(where: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _wrong(where, "a whole number above 0", value)


def _at_most(most: int, unit: str = "") -> Check:
    def check(where: str, value: Any) -> None:
        _integer(where, value)
        if value > most:
            raise _wrong(where, f"at most {most:,}{unit}", value)

    return check


def _sha256(where: str, value: Any) -> None:
    if not isinstance(value, str) or len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise _wrong(where, "a SHA-256 digest in 64 small hexadecimal digits", value)


def _one_of(*allowed: str) -> Check:
    def check(where: str, value: Any) -> None:
        if value not in allowed:
            raise _wrong(where, " or ".join(map(repr, allowed)), value)

    return check


def _object(where: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise _wrong(where, "an object", value)


def _names(least: int, most: int, what: str) -> Check:
    """A list of plain names, each of them once."""

    def check(where: str, value: Any) -> None:
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise _wrong(where, f"a list of {least} to {most} {what}", value)
        for index, name in enumerate(value):
            _plain_name(f"{where}[{index}]", name)
        if len(set(value)) < len(value):
            raise _wrong(where, "a list without repetition", value)

    return check


def _texts(where: str, value: Any) -> None:
    if not isinstance(value, list):
        raise _wrong(where, "a list of texts", value)
    for index, text in enumerate(value):
        _text(f"{where}[{index}]", text)


def _texts_by_name(where: str, value: Any) -> None:
    _object(where, value)
    for name, text in value.items():
        _text(f"{where}: name", name)
        _text(f"{where}: {name}", text)


def _pair(where: str, value: Any, check: Check, expected: str) -> None:
    if not isinstance(value, list) or len(value) != 2:
        raise _wrong(where, f"a list of {expected}", value)
    for index, number in enumerate(value):
        check(f"{where}[{index}]", number)


def _window_range(where: str, value: Any) -> None:
    _pair(where, value, _seconds, "the shortest and the longest window in seconds")


def _files(where: str, value: Any) -> None:
    _object(where, value)
    for name, facts in value.items():
        _plain_name(f"{where}: name", name)
        most = MAX_DATA_BYTES if name == GRAPH_DATA else MAX_FILE_BYTES
        _fields({"sha256": _sha256, "bytes": _at_most(most, " bytes")})(f"{where}: {name}", facts)


def _fields(
    required: Mapping[str, Check],
    optional: Mapping[str, Check] | None = None,
    reasons: Mapping[str, str] | None = None,
) -> Check:
    """An object with these keys and no other, each value checked; `reasons` why one is needed."""
    allowed = {**required, **(optional or {})}

    def check(where: str, value: Any) -> None:
        _object(where, value)
        if unknown := sorted(str(key) for key in value.keys() - allowed.keys()):
            raise _wrong(where, f"without the unknown {', '.join(unknown)}", dict(value))
        for key, check_value in allowed.items():
            place = f"{where}: {key}" if where else key
            if key in value:
                check_value(place, value[key])
            elif key in required:
                reason = (reasons or {}).get(key)
                raise BundleError(
                    f"bundle.json: {place}: is missing{f'; {reason}' if reason else ''}"
                )

    return check


def _input(where: str, value: Any) -> None:
    _object(where, value)
    _one_of(*INPUT_TYPES)(f"{where}: type", value.get("type"))
    is_features = value["type"] == "features"
    of_features = {"features": _feature_set} if is_features else {}
    is_masked = is_features and value.get("padding") == "masked"
    optional = {"padding_step": _at_most(MAX_PADDING_STEP, " frames")} if is_masked else {}
    optional["batch_size"] = _at_most(1, " window, if it does not take any number of them")
    _fields({**_INPUT_FIELDS, **of_features}, optional)(where, value)
    _check_windows(where, value)
    if is_features:
        # Statistics over a window's features would erase what sets windows apart.
        if value["normalisation"] == "zero_mean_unit_variance":
            raise _wrong(
                f"{where}: normalisation", "'graph' or 'none' for features", value["normalisation"]
            )
        if value["features"]["rate"] != value["rate"]:
            raise _wrong(
                f"{where}: rate", f"the feature set's, {value['features']['rate']}", value["rate"]
            )


def _feature_set(where: str, value: Any) -> None:
    """Check what the bundle itself needs; the rest is checked by `FeatureSet.from_dict`."""
    _object(where, value)
    _text(f"{where}: name", value.get("name"))
    _integer(f"{where}: rate", value.get("rate"))


def _check_windows(where: str, value: Mapping[str, Any]) -> None:
    window, hop = value["window"], value["hop"]
    shortest, longest = value["window_range"]
    if not shortest <= window <= longest:
        raise _wrong(f"{where}: window", f"within window_range {value['window_range']}", window)
    if hop > window:
        raise _wrong(f"{where}: hop", f"at most the window, {window} s", hop)
    if longest * value["rate"] > MAX_WINDOW_VALUES:
        raise _wrong(
            f"{where}: window_range", f"at most {MAX_WINDOW_VALUES:,} samples long", longest
        )


def _dimensions(where: str, value: Any) -> None:
    dimensions = _names(1, len(MEASURED), "dimensions")
    _fields({"name": _text, "dimensions": dimensions}, {"ranges": _object})(where, value)
    names, ranges = value["dimensions"], value.get("ranges")
    for index, name in enumerate(names):
        _one_of(*MEASURED)(f"{where}: dimensions[{index}]", name)
    if ranges is None:
        return
    if ranges.keys() != set(names):
        raise _wrong(f"{where}: ranges", f"one for each of {', '.join(names)}", dict(ranges))
    for name, pair in ranges.items():
        place = f"{where}: ranges: {name}"
        _pair(place, pair, _number, "the least and the greatest value")
        if not pair[0] < pair[1]:
            raise _wrong(place, "a list of the least and the greatest value", pair)


def _outputs(where: str, value: Any) -> None:
    _fields(
        {},
        {
            "classes": _fields({"name": _text, "labels": _names(2, MAX_LABELS, "labels")}),
            "dimensions": _dimensions,
            "embedding": _fields({"name": _text, "size": _at_most(MAX_EMBEDDING_SIZE)}),
            "familiarity": _fields({"name": _text}),
            "base": _fields(
                {
                    "name": _text,
                    "labels": _names(2, MAX_LABELS, "labels"),
                    "model": _plain_name,
                    "digest": _sha256,
                }
            ),
        },
    )(where, value)
    if not value.keys() & {"classes", "dimensions"}:
        raise BundleError(
            f"bundle.json: {where}: classes: is missing; a scan needs the labels of a classifier, "
            "or dimensions"
        )
    for kind in ("familiarity", "base"):
        if kind in value and "classes" not in value:
            raise BundleError(f"bundle.json: {where}: classes: is missing; {kind} is about labels")
    if "base" in value and "embedding" not in value:
        raise BundleError(
            f"bundle.json: {where}: embedding: is missing; an adapted model has that of its base"
        )
    names = [output["name"] for output in value.values()]
    if len(set(names)) < len(names):
        raise _wrong(where, "of different names in the graph", names)


_INPUT_FIELDS: Mapping[str, Check] = {
    "type": _one_of(*INPUT_TYPES),
    "rate": _at_most(MAX_RATE, " Hz"),
    "window": _seconds,
    "hop": _seconds,
    "window_range": _window_range,
    "normalisation": _one_of(*NORMALISATIONS),
    "padding": _one_of(*PADDINGS),
}

_FIELDS: Mapping[str, Check] = {
    "format": _integer,
    "name": _plain_name,
    "description": _text,
    "input": _input,
    "outputs": _outputs,
    "calibration": _calibration,
    "training": _object,
    "figures": _object,
    "licences": _fields({"weights": _text, "training_data": _texts_by_name}),
    "citations": _texts,
    "files": _files,
}
