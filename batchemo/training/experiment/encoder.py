"""The encoder of a recipe: from a file to a graph that worker processes run.

WORK/ENCODER-DIGEST.onnx     the encoder of that name; DIGEST is that of the file it was made from
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from batchemo.bundles import load_bundle
from batchemo.bundles.schema import GRAPH
from batchemo.common.files import atomic_write
from batchemo.errors import UsageError
from batchemo.training.data.encoding import Encoder
from batchemo.training.nets.convert import STATISTICS, convert, encoder_of
from batchemo.training.nets.encoder import (
    HOW_TO_GET,
    STATISTICS_SIZE,
    build_encoder,
    read_encoder,
)
from batchemo.training.recipes import LIGHT, Recipe

_LIGHT_ADVICE = "without this option, it is taken from the model default"


def make_encoder(path: Path | None, recipe: Recipe, work: Path) -> Encoder:
    """Return the encoder that is in a file; its graph is made where the work folder has none.

    Without a file, the light encoder is that of the model `default`.
    """
    advice = _LIGHT_ADVICE if recipe.encoder == LIGHT else HOW_TO_GET
    if path is None:
        if recipe.encoder != LIGHT:
            raise UsageError(f"{recipe.name} needs --encoder FILE: {advice}")
        path = load_bundle("default").path / GRAPH
    floor = recipe.floor
    if floor is None:
        raise ValueError(f"the encoder of {recipe.name} needs the value of padding")
    try:
        digest = _digest(path)
    except OSError as error:
        message = f"--encoder {path}: cannot be read: {error.strerror}; {advice}"
        raise UsageError(message) from error
    graph = work / f"{recipe.encoder}-{digest[:16]}.onnx"
    if not graph.is_file():
        if recipe.encoder == LIGHT:
            content = _read_light_encoder(path)
        else:
            content = convert(build_encoder(read_encoder(path), floor), name=STATISTICS)
        work.mkdir(parents=True, exist_ok=True)
        with atomic_write(graph, shared=True) as file:
            file.write(content)
    return Encoder(graph, STATISTICS_SIZE, floor)


def _read_light_encoder(path: Path) -> bytes:
    """Return the light encoder that a graph is or begins with."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        return encoder_of(path.read_bytes())
    except (DecodeError, KeyError) as error:
        message = f"--encoder {path}: has no light encoder; {_LIGHT_ADVICE}"
        raise UsageError(message) from error


@lru_cache(maxsize=1)
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
