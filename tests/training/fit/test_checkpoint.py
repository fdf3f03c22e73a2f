"""A checkpoint is whole or not at all, holds data only, and is refused by name when damaged."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchemo.errors import BatchemoError
from batchemo.training.fit.checkpoint import Arrays, load_checkpoint, save_checkpoint
from batchemo.training.fit.history import Epoch

HISTORY = [Epoch(n, 0.1, 1 / 3 + n, 0.2, 0.7, 0.5, 0.4) for n in range(3)]
ARRAYS: dict[str, Arrays] = {
    "state": [np.arange(n + 1, dtype=np.float32) for n in range(12)] + [np.array(7, np.uint32)],
    "best": [np.eye(2, dtype=np.float32)],
}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "work" / "checkpoint.npz"
    save_checkpoint(path, HISTORY, ARRAYS)
    return path


def same(arrays: Arrays, others: Arrays) -> bool:
    return len(arrays) == len(others) and all(
        a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(arrays, others, strict=True)
    )


def test_what_was_saved_is_loaded_bit_by_bit_and_in_order(saved: Path) -> None:
    history, arrays = load_checkpoint(saved) or pytest.fail("nothing was loaded")

    assert history == HISTORY
    assert arrays.keys() == ARRAYS.keys()
    assert all(same(arrays[name], ARRAYS[name]) for name in ARRAYS)


def test_without_a_file_there_is_no_checkpoint(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "checkpoint.npz") is None


def test_a_newer_checkpoint_replaces_the_older_one_and_leaves_no_temporary_file(
    saved: Path,
) -> None:
    save_checkpoint(saved, HISTORY[:1], {"state": []})

    assert load_checkpoint(saved) == (HISTORY[:1], {})
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


class Unwritable:
    """Fails like an array on a full disk."""

    def __array__(self, *args: object, **kwargs: object) -> np.ndarray:
        raise OSError("no space is left")


def test_a_write_that_fails_leaves_the_older_checkpoint_as_it_was(saved: Path) -> None:
    before = saved.read_bytes()
    arrays: Any = {"state": [ARRAYS["best"][0], Unwritable()]}

    with pytest.raises(OSError, match="no space"):
        save_checkpoint(saved, HISTORY, arrays)

    assert saved.read_bytes() == before


def load_damaged(saved: Path, content: bytes) -> dict[str, Arrays] | None:
    """Return the arrays of a checkpoint with this content; None if it is refused by its name."""
    path = saved.with_name("damaged.npz")
    path.write_bytes(content)
    try:
        history, arrays = load_checkpoint(path) or pytest.fail("was not found")
    except BatchemoError as refused:
        message = str(refused)
    else:
        assert history == HISTORY
        return arrays
    assert message.startswith(f"{path}: ")
    assert message.endswith("Remove it to start again")
    return None


in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@in_one_folder
@given(st.floats(0, 1, exclude_max=True))
def test_a_truncated_checkpoint_is_refused(saved: Path, share: float) -> None:
    whole = saved.read_bytes()

    assert load_damaged(saved, whole[: int(share * len(whole))]) is None


@in_one_folder
@given(st.floats(0, 1, exclude_max=True), st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_changes_no_array(saved: Path, share: float, bit: int) -> None:
    content = bytearray(saved.read_bytes())
    content[int(share * len(content))] ^= 1 << bit

    arrays = load_damaged(saved, bytes(content))

    for name in arrays or ():
        assert all(any(same([a], [b]) for b in ARRAYS[name]) for a in arrays[name])


@pytest.mark.parametrize("claim", ["encrypted", "compressed in an unknown way"])
def test_a_member_with_a_false_header_is_refused(saved: Path, claim: str) -> None:
    content = bytearray(saved.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + (8 if claim == "encrypted" else 10)] ^= 1

    assert load_damaged(saved, bytes(content)) is None


class Bomb:
    """A pickle that runs code when it is loaded: it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.mkdir, (self.folder,)


def test_a_pickle_is_refused_and_never_loaded(tmp_path: Path) -> None:
    crater = tmp_path / "crater"
    alone, inside = tmp_path / "alone.npz", tmp_path / "inside.npz"
    alone.write_bytes(pickle.dumps(Bomb(crater)))
    np.savez(inside, history=np.array("[]"), **{"state/0": np.array(Bomb(crater), dtype=object)})

    for path in (alone, inside):
        with pytest.raises(BatchemoError, match=path.name):
            load_checkpoint(path)

    assert not crater.exists()


@pytest.mark.parametrize("history", ["no JSON", '{"number": 1}', "[1]", '[{"number": 1}]', "7"])
def test_a_history_that_is_none_is_refused(tmp_path: Path, history: str) -> None:
    np.savez(tmp_path / "odd.npz", history=np.array(history))

    with pytest.raises(BatchemoError, match=r"odd\.npz"):
        load_checkpoint(tmp_path / "odd.npz")


def test_a_single_array_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "single.npz").open("wb") as file:
        np.save(file, np.zeros(3))

    with pytest.raises(BatchemoError, match=r"single\.npz"):
        load_checkpoint(tmp_path / "single.npz")
