"""From the user's file of an encoder to a graph in the work folder, which is made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from batchemo.bundles import load_bundle
from batchemo.errors import UsageError
from batchemo.training.experiment.encoder import make_encoder
from batchemo.training.nets.convert import encoder_of
from batchemo.training.nets.encoder import HOW_TO_GET, STATISTICS_SIZE
from batchemo.training.recipes import RECIPES

ACCURATE, DEFAULT = RECIPES["accurate"], RECIPES["default"]


pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("path", [None, Path("nowhere.onnx")])
def test_without_its_file_a_recipe_says_how_to_get_it(path: Path | None, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        make_encoder(path, ACCURATE, tmp_path)

    assert "--encoder" in str(refused.value)
    assert HOW_TO_GET in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_the_graph_is_made_once_for_a_file_wherever_the_file_is(
    encoder_file: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    encoder = make_encoder(encoder_file, ACCURATE, work)
    (graph,) = work.iterdir()
    assert (encoder.graph, encoder.size) == (graph, STATISTICS_SIZE)
    assert encoder.floor == ACCURATE.floor
    made = graph.stat().st_mtime_ns

    copy = tmp_path / "copy.onnx"
    shutil.copy(encoder_file, copy)

    assert make_encoder(copy, ACCURATE, work) == encoder
    assert graph.stat().st_mtime_ns == made


def test_the_light_encoder_is_that_of_the_file_or_of_a_model_that_begins_with_it(
    light_encoder_file: Path, tmp_path: Path
) -> None:
    encoder = make_encoder(light_encoder_file, DEFAULT, tmp_path)

    assert encoder.graph.name.startswith("light-")
    content = light_encoder_file.read_bytes()
    assert encoder_of(content) == encoder.graph.read_bytes()


def test_without_a_file_the_light_encoder_is_that_of_the_model_default(tmp_path: Path) -> None:
    shipped = load_bundle("default").path / "model.onnx"

    assert make_encoder(None, DEFAULT, tmp_path) == make_encoder(shipped, DEFAULT, tmp_path)


@pytest.mark.parametrize("content", [b"no graph", b""])
def test_a_file_without_a_light_encoder_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(content)

    with pytest.raises(UsageError, match="has no light encoder"):
        make_encoder(path, DEFAULT, tmp_path)
