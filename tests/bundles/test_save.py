"""A bundle gets its name only when it is whole and valid, and replaces nothing but a bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from batchemo.bundles import Bundle, write_bundle
from batchemo.errors import BundleError

Make = Callable[..., Bundle]


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
