"""A checkpoint is whole or not at all, holds data only, and is refused by name when damaged."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchemo.errors import BatchemoError
from batchemo.training.fit.checkpoint import load_checkpoint, save_checkpoint
from batchemo.training.fit.history import Epoch

HISTORY = [Epoch(n, 0.1, 1 / 3 + n, 0.2, 0.7, 0.5, 0.4) for n in range(3)]
ARRAYS = {
    "state": [np.arange(n + 1, dtype=np.float32) for n in range(12)] + [np.array(7, np.uint32)],
    "best": [np.eye(2, dtype=np.float32)],
}


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    path = tmp_path / "work" / "checkpoint.npz"
    save_checkpoint(path, HISTORY, ARRAYS)
    return path


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return len(one) == len(other) and all(
        a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(one, other, strict=True)
    )


def test_what_was_kept_comes_back_bit_by_bit_and_in_order(kept: Path) -> None:
    history, arrays = load_checkpoint(kept) or pytest.fail("nothing was kept")

    assert history == HISTORY
    assert arrays.keys() == ARRAYS.keys()
    assert all(same(arrays[name], ARRAYS[name]) for name in ARRAYS)


def test_where_nothing_was_kept_nothing_comes_back(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "checkpoint.npz") is None


def test_a_newer_checkpoint_takes_the_place_of_the_older_and_leaves_no_draft(kept: Path) -> None:
    save_checkpoint(kept, HISTORY[:1], {"state": []})

    assert load_checkpoint(kept) == (HISTORY[:1], {})
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


class Unwritable:
    """What a disk that is full looks like to a writer."""

    def __array__(self, *args: object, **kwargs: object) -> np.ndarray:
        raise OSError("no space is left")


def test_a_draft_that_was_never_finished_leaves_the_older_checkpoint_as_it_was(kept: Path) -> None:
    before = kept.read_bytes()

    with pytest.raises(OSError, match="no space"):
        save_checkpoint(kept, HISTORY, {"state": [ARRAYS["best"][0], Unwritable()]})

    assert kept.read_bytes() == before


def damaged(kept: Path, content: bytes) -> dict[str, list[np.ndarray]] | None:
    """What a checkpoint with this content gives; nothing, if it is refused by its name."""
    path = kept.with_name("damaged.npz")
    path.write_bytes(content)
    try:
        history, arrays = load_checkpoint(path) or pytest.fail("was not seen")
    except BatchemoError as refused:
        told = str(refused)
    else:
        assert history == HISTORY
        return arrays
    assert told.startswith(f"{path}: ")
    assert told.endswith("Remove it to begin anew")
    return None


in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@in_one_folder
@given(st.floats(0, 1, exclude_max=True))
def test_a_checkpoint_that_is_cut_off_is_refused(kept: Path, share: float) -> None:
    whole = kept.read_bytes()

    assert damaged(kept, whole[: int(share * len(whole))]) is None


@in_one_folder
@given(st.floats(0, 1, exclude_max=True), st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_changes_no_array(kept: Path, share: float, bit: int) -> None:
    content = bytearray(kept.read_bytes())
    content[int(share * len(content))] ^= 1 << bit

    arrays = damaged(kept, bytes(content))

    for name in arrays or ():
        assert all(any(same([a], [b]) for b in ARRAYS[name]) for a in arrays[name])


@pytest.mark.parametrize("claim", ["encrypted", "packed in an unknown way"])
def test_a_member_that_claims_to_be_what_it_is_not_is_refused(kept: Path, claim: str) -> None:
    content = bytearray(kept.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + (8 if claim == "encrypted" else 10)] ^= 1

    assert damaged(kept, bytes(content)) is None


class Bomb:
    """What a pickle that runs code looks like; if it goes off, there is a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.mkdir, (self.folder,)


def test_a_pickle_is_refused_and_never_opened(tmp_path: Path) -> None:
    crater = tmp_path / "crater"
    atomic_write, inside = tmp_path / "whole.npz", tmp_path / "inside.npz"
    atomic_write.write_bytes(pickle.dumps(Bomb(crater)))
    np.savez(inside, history=np.array("[]"), **{"state/0": np.array(Bomb(crater), dtype=object)})

    for path in (atomic_write, inside):
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
