"""The pretrained encoder of a recipe: from the user's file to a graph that worker processes run.

WORK/encoder-DIGEST.onnx     the cut encoder; DIGEST is that of the file it was made from
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from batchemo.common.files import atomic_write
from batchemo.errors import UsageError
from batchemo.training.data.encoding import Encoder
from batchemo.training.nets.convert import convert
from batchemo.training.nets.encoder import HOW_TO_GET, STATISTICS, build_encoder, read_encoder
from batchemo.training.nets.layers import Model
from batchemo.training.recipes import Recipe


def make_encoder(path: Path | None, recipe: Recipe, work: Path) -> Encoder:
    """Return the encoder that is in a file; its graph is made where the work folder has none."""
    if path is None:
        raise UsageError(f"{recipe.name} needs --encoder FILE: {HOW_TO_GET}")
    floor = _floor(recipe)
    graph = work / f"encoder-{_digest(path)[:16]}.onnx"
    if not graph.is_file():
        content = convert(load_encoder(path, recipe))
        work.mkdir(parents=True, exist_ok=True)
        with atomic_write(graph, shared=True) as file:
            file.write(content)
    return Encoder(graph, STATISTICS, floor)


def load_encoder(path: Path, recipe: Recipe) -> Model:
    """Return the encoder that is in a file as a Keras model."""
    return build_encoder(read_encoder(path), _floor(recipe))


def _floor(recipe: Recipe) -> float:
    floor = recipe.members[0].floor
    if floor is None:
        raise ValueError(f"the encoder of {recipe.name} needs the value of padding")
    return floor


@lru_cache(maxsize=1)
def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(
            f"--encoder {path}: cannot be read: {error.strerror}; {HOW_TO_GET}"
        ) from error
