"""A bundle is read only when all of it is what its bundle.json says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.bundles import Bundle, find_bundle, list_bundles, load_bundle, write_bundle
from batchemo.bundles.schema import FORMAT, check_info
from batchemo.errors import BundleError, UsageError

Make = Callable[..., Bundle]


def say(bundle: Bundle, **changes: Any) -> None:
    """Change what a bundle's bundle.json says, behind its back."""
    info = {**bundle.info, **changes}
    (bundle.path / "bundle.json").write_text(json.dumps(info))


def test_a_bundle_that_was_written_is_read_back_the_same(tiny_bundle: Bundle) -> None:
    bundle = load_bundle(tiny_bundle.path)

    assert bundle == tiny_bundle
    assert bundle.name == "tiny"
    assert bundle.labels == ("neutral", "happy", "sad", "angry")
    assert (bundle.rate, bundle.window, bundle.hop) == (16000, 3.0, 1.5)
    assert bundle.window_range == (0.5, 30.0)
    assert bundle.card.startswith("# tiny")


def test_the_digest_tells_apart_bundles_that_could_answer_differently(make_bundle: Make) -> None:
    one = make_bundle()
    same = make_bundle(folder=one.path.parent / "same")
    other_weights = make_bundle(folder=one.path.parent / "weights", seed=1)
    warmer = {"method": "temperature", "temperature": 2.0}
    other_calibration = make_bundle(folder=one.path.parent / "warm", calibration=warmer)

    assert one.digest == same.digest
    assert len({one.digest, other_weights.digest, other_calibration.digest}) == 3


def test_loading_imports_no_runtime(tiny_bundle: Bundle) -> None:
    code = (
        "import sys, batchemo.bundles as b; b.load_bundle(sys.argv[1]);"
        "print([m for m in ('onnxruntime', 'onnx', 'tensorflow', 'keras') if m in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(tiny_bundle.path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "[]"


def test_a_changed_file_is_refused_and_both_digests_are_told(tiny_bundle: Bundle) -> None:
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


def test_a_file_cut_short_is_refused_by_its_size(tiny_bundle: Bundle) -> None:
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
    say(tiny_bundle, files={**files, name: files["README.md"]})

    with pytest.raises(BundleError, match="files: name: should be a "):
        load_bundle(tiny_bundle.path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"format": FORMAT + 1}, f"format {FORMAT + 1} is not known.*Update batchemo"),
        ({"surprise": 1}, "without the unknown surprise"),
        ({"labels": ["one"]}, "labels: should be a list of 2 to"),
        ({"labels": ["a", "a"]}, "labels: should be a list without repetition"),
        ({"labels": ["a", "b c"]}, r"labels\[1\]: should be a plain name"),
        ({"window": 0}, "window: should be a number above 0"),
        ({"window": True}, "window: should be a number above 0"),
        ({"window": 99.0}, "window: should be within window_range"),
        ({"window_range": [5.0, 1.0]}, "window: should be within window_range"),
        ({"hop": 4.0}, "hop: should be at most the window"),
        ({"recipe": {"name": "x"}}, "recipe: rate: should be a whole number"),
        ({"normalisation": "elsewhere"}, "normalisation: should be 'graph'"),
        ({"calibration": {"method": "temperature"}}, "calibration: temperature: is missing"),
        ({"files": {}}, "files: model.onnx is missing"),
    ],
)
def test_what_bundle_json_says_is_checked(
    tiny_bundle: Bundle, changes: dict[str, Any], told: str
) -> None:
    say(tiny_bundle, **changes)

    with pytest.raises(BundleError, match=told) as refusal:
        load_bundle(tiny_bundle.path)
    assert str(tiny_bundle.path) in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{", b"[" * 100_000, b'{"format": NaN}'])
def test_a_bundle_json_that_is_no_json_is_refused(tiny_bundle: Bundle, content: bytes) -> None:
    (tiny_bundle.path / "bundle.json").write_bytes(content)

    with pytest.raises(BundleError):
        load_bundle(tiny_bundle.path)


def test_an_endless_bundle_json_is_not_read(tiny_bundle: Bundle) -> None:
    os.truncate(tiny_bundle.path / "bundle.json", 2**40)

    with pytest.raises(BundleError, match="is larger than"):
        load_bundle(tiny_bundle.path)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@given(_JSON, st.dictionaries(st.sampled_from(["labels", "files", "window", "recipe"]), _JSON))
def test_nothing_but_a_bundle_error_leaves_the_check(whole: Any, parts: dict[str, Any]) -> None:
    for info in (whole, {"format": FORMAT, **parts}):
        with pytest.raises(BundleError):
            check_info(info)


def test_an_unknown_name_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(UsageError, match="there is no such model; the shipped models are: ") as no:
        find_bundle("defualt")
    assert all(name in str(no.value) for name in list_bundles())


def test_a_folder_without_bundle_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no bundle\.json"):
        find_bundle(tmp_path)


def test_writing_replaces_a_bundle_but_nothing_else(make_bundle: Make, tmp_path: Path) -> None:
    old = make_bundle(seed=0)
    assert make_bundle(seed=1).digest != old.digest

    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("all of it")
    with pytest.raises(BundleError, match="is no bundle"):
        make_bundle(folder=precious)
    assert [path.name for path in precious.iterdir()] == ["thesis.txt"]


def test_an_invalid_bundle_never_gets_its_name(tmp_path: Path, tiny_bundle: Bundle) -> None:
    info = {
        key: tiny_bundle.info[key] for key in tiny_bundle.info if key not in ("format", "files")
    }
    with pytest.raises(BundleError):
        write_bundle(tmp_path / "new" / "bad", info, {"model.onnx": b"junk", "README.md": b"# x"})

    assert list((tmp_path / "new").iterdir()) == []
