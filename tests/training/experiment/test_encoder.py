"""From the user's file of an encoder to a graph in the work folder, which is made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from batchemo.errors import UsageError
from batchemo.training.experiment.encoder import make_encoder
from batchemo.training.nets.encoder import HOW_TO_GET, STATISTICS
from batchemo.training.recipes import RECIPES

ACCURATE = RECIPES["accurate"]


@pytest.mark.parametrize("path", [None, Path("nowhere.onnx")])
def test_without_its_file_a_recipe_says_how_to_get_it(path: Path | None, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        make_encoder(path, ACCURATE, tmp_path)

    assert "--encoder" in str(refused.value)
    assert HOW_TO_GET in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.tensorflow
def test_the_graph_is_made_once_for_a_file_wherever_the_file_is(
    encoder_file: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    encoder = make_encoder(encoder_file, ACCURATE, work)
    (graph,) = work.iterdir()
    assert (encoder.graph, encoder.size) == (graph, STATISTICS)
    assert encoder.floor == ACCURATE.members[0].floor
    made = graph.stat().st_mtime_ns

    copy = tmp_path / "copy.onnx"
    shutil.copy(encoder_file, copy)

    assert make_encoder(copy, ACCURATE, work) == encoder
    assert graph.stat().st_mtime_ns == made
