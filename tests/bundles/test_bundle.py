"""A bundle is loaded only if all of its files are what its bundle.json says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batchemo.bundles import Bundle, find_bundle, list_bundles, load_bundle
from batchemo.errors import BundleError, UsageError
from batchemo.features import get_feature_set

Make = Callable[..., Bundle]


def rewrite_info(bundle: Bundle, **changes: Any) -> None:
    """Change keys of a bundle's bundle.json on disk."""
    info = {**bundle.info, **changes}
    (bundle.path / "bundle.json").write_text(json.dumps(info))


def test_a_written_bundle_is_loaded_unchanged(tiny_bundle: Bundle) -> None:
    bundle = load_bundle(tiny_bundle.path)

    assert bundle == tiny_bundle
    assert bundle.name == "tiny"
    assert bundle.labels == ("neutral", "happy", "sad", "angry")
    assert (bundle.rate, bundle.window, bundle.hop) == (16000, 3.0, 1.5)
    assert bundle.window_range == (0.5, 30.0)
    assert bundle.features == get_feature_set("logmel64").to_dict()
    assert (bundle.calibration.temperature, bundle.licence) == (1.0, "MIT")
    assert bundle.description.startswith("A model of random weights")
    assert bundle.card.startswith("# tiny")


def test_a_bundle_whose_input_is_a_waveform_has_no_features(make_bundle: Make) -> None:
    bundle = load_bundle(make_bundle(waveform=True, rate=8000).path)

    assert bundle.features is None
    assert bundle.rate == bundle.input.rate == 8000


def test_bundles_that_could_give_other_probabilities_have_other_digests(make_bundle: Make) -> None:
    bundle = make_bundle()
    same = make_bundle(folder=bundle.path.parent / "same")
    other_weights = make_bundle(folder=bundle.path.parent / "weights", seed=1)
    warmer = {"method": "temperature", "temperature": 2.0}
    other_calibration = make_bundle(folder=bundle.path.parent / "warm", calibration=warmer)

    assert bundle.digest == same.digest
    assert len({bundle.digest, other_weights.digest, other_calibration.digest}) == 3


@pytest.mark.process
def test_loading_imports_no_runtime(tiny_bundle: Bundle) -> None:
    code = (
        "import sys, batchemo.bundles as b; b.load_bundle(sys.argv[1]);"
        "print([m for m in ('onnxruntime', 'onnx', 'tensorflow', 'keras') if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tiny_bundle.path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "[]"


def test_a_changed_file_is_refused_with_both_digests(tiny_bundle: Bundle) -> None:
    graph = tiny_bundle.path / "model.onnx"
    content = bytearray(graph.read_bytes())
    content[-1] ^= 1
    graph.write_bytes(content)

    with pytest.raises(BundleError, match=r"model\.onnx: .*expected SHA-256 [0-9a-f]{12}…, found"):
        load_bundle(tiny_bundle.path)


def test_a_file_that_changes_after_loading_is_refused_when_it_is_read(tiny_bundle: Bundle) -> None:
    (tiny_bundle.path / "README.md").write_text("x" * len(tiny_bundle.card.encode()))

    with pytest.raises(BundleError, match="is not the file"):
        _ = tiny_bundle.card


def test_a_truncated_file_is_refused_by_its_size(tiny_bundle: Bundle) -> None:
    (tiny_bundle.path / "model.onnx").write_bytes(b"")

    with pytest.raises(BundleError, match=r"has 0 bytes where bundle\.json says"):
        load_bundle(tiny_bundle.path)


def test_a_missing_file_is_named(tiny_bundle: Bundle) -> None:
    (tiny_bundle.path / "model.onnx").unlink()

    with pytest.raises(BundleError, match=r"model\.onnx: cannot be read: No such file"):
        load_bundle(tiny_bundle.path)


def test_a_link_out_of_the_folder_is_refused(tiny_bundle: Bundle, tmp_path: Path) -> None:
    graph = tiny_bundle.path / "model.onnx"
    graph.rename(tmp_path / "elsewhere.onnx")
    graph.symlink_to(tmp_path / "elsewhere.onnx")

    with pytest.raises(BundleError, match="is a link out of the bundle"):
        load_bundle(tiny_bundle.path)


def test_something_that_is_no_regular_file_is_refused(tiny_bundle: Bundle) -> None:
    info = tiny_bundle.path / "bundle.json"
    info.unlink()
    os.mkfifo(info)

    with pytest.raises(UsageError, match=r"holds no bundle\.json"):
        load_bundle(tiny_bundle.path)


@pytest.mark.parametrize("name", ["../model.onnx", "a/b", "/etc/passwd", "..", "", "a\\b", "naïve"])
def test_file_names_with_path_parts_are_refused(tiny_bundle: Bundle, name: str) -> None:
    files = dict(tiny_bundle.info["files"])
    rewrite_info(tiny_bundle, files={**files, name: files["README.md"]})

    with pytest.raises(BundleError, match="files: name: should be a "):
        load_bundle(tiny_bundle.path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{", b"[" * 100_000, b'{"format": NaN}'])
def test_a_bundle_json_that_is_no_json_is_refused(tiny_bundle: Bundle, content: bytes) -> None:
    (tiny_bundle.path / "bundle.json").write_bytes(content)

    with pytest.raises(BundleError):
        load_bundle(tiny_bundle.path)


def test_a_huge_bundle_json_is_not_read(tiny_bundle: Bundle) -> None:
    os.truncate(tiny_bundle.path / "bundle.json", 2**40)

    with pytest.raises(BundleError, match="is larger than"):
        load_bundle(tiny_bundle.path)


def test_an_unknown_name_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(
        UsageError, match="there is no such model; the shipped models are: "
    ) as refusal:
        find_bundle("defualt")
    assert all(name in str(refusal.value) for name in list_bundles())


def test_a_folder_without_bundle_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no bundle\.json"):
        find_bundle(tmp_path)
