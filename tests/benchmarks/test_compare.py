"""benchmarks/compare.py: the ratio of two checkouts, and the difference of their tables."""

from __future__ import annotations

import subprocess
from pathlib import Path

import compare
import pyarrow as pa
import pytest
from compare import cost_ratio, describe_difference, find_checkout
from speed.commands import CHECKOUT
from speed.results import Cost


def test_the_ratio_is_that_of_the_cost_per_recording_without_the_start() -> None:
    old = [Cost(1.0, 0.010)] * 3
    new = [Cost(9.0, 0.012), Cost(9.0, 0.011), Cost(9.0, 0.015)]
    assert round(cost_ratio(old, new).median, 6) == 1.2


def test_tables_of_different_models_can_be_equal() -> None:
    one = pa.table({"file": ["a", "b"], "model": ["m@1", "m@1"]})
    other = one.set_column(1, "model", [["m@2", "m@2"]])
    assert describe_difference(one, other) == "the tables are equal"


def test_differing_columns_are_named_with_their_largest_distance() -> None:
    one = pa.table({"emotion": ["sad", "calm"], "p_sad": [0.5, 0.25], "file": ["a", "b"]})
    other = pa.table({"emotion": ["sad", "sad"], "p_sad": [0.75, 0.375], "file": ["a", "b"]})
    expected = "the tables differ: emotion in 1 row; p_sad in 2 rows, by 0.25 at most"
    assert describe_difference(one, other) == expected


def test_tables_of_different_recordings_are_not_compared_row_by_row() -> None:
    one = pa.table({"file": ["a", "b"]})
    assert "the number of their rows" in describe_difference(one, one.slice(1))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a tag, and a later commit."""
    root = tmp_path / "repository"
    package = root / "batchemo" / "__init__.py"
    package.parent.mkdir(parents=True)
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    for text, tag in (("old", "v1"), ("new", "v2")):
        package.write_text(text)
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "--quiet", "-m", text], check=True)
        subprocess.run([*git, "tag", tag], check=True)
    monkeypatch.setattr(compare, "CHECKOUT", root)
    return root


def test_a_revision_is_checked_out_and_a_folder_is_taken_as_it_is(
    repository: Path, tmp_path: Path
) -> None:
    for _ in range(2):  # The second time, the first one's is replaced.
        found = find_checkout("v1", tmp_path / "work")
        assert (found / "batchemo" / "__init__.py").read_text() == "old"
    assert find_checkout(str(CHECKOUT), tmp_path / "work") == CHECKOUT


def test_what_is_no_checkout_and_no_revision_is_refused(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="v3 is neither a folder nor a revision"):
        find_checkout("v3", tmp_path / "work")
    with pytest.raises(ValueError, match="is not a checkout of batchemo"):
        find_checkout(str(tmp_path), tmp_path / "work")
