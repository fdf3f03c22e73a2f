"""Checkpoints are refused unless every weight is there; what is refused first needs no torch."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from made_sources import write_export

from batchemo.errors import BundleError, UsageError
from batchemo.importing.checkpoint import import_checkpoint
from batchemo.importing.options import ImportOptions


def checkpoint(folder: Path, **changes: Any) -> Path:
    """A folder like a checkpoint, but for its weights, which are none."""
    write_export(folder, b"", **changes)
    (folder / "model.onnx").unlink()
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def imported(folder: Path) -> Any:
    return import_checkpoint(ImportOptions(source=folder, output=folder / "out"))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"architectures": ["AutoModel"]}, "AutoModel cannot be imported"),
        ({"architectures": ["__builtins__"]}, "cannot be imported"),
        ({"auto_map": {"AutoModel": "model.Net"}}, "Python code of its own"),
        ({"problem_type": "multi_label_classification"}, "is for multi_label_classification"),
        ({"id2label": {"1": "a"}}, "does not number the labels"),
    ],
)
def test_what_no_weights_could_mend_is_refused_first(
    tmp_path: Path, config: Any, message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        imported(checkpoint(tmp_path, config=config))


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (str(self.path), "w")


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    with pytest.raises(UsageError, match=r"neither model\.onnx nor model\.safetensors"):
        imported(folder)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(BundleError, match="is a pickle"):
        imported(folder)
    assert not (tmp_path / "sprung").exists()


def test_the_files_beside_the_weights_are_needed(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(UsageError, match=r"preprocessor_config\.json: is missing"):
        imported(folder)
    assert json.loads((folder / "config.json").read_text())["id2label"]
