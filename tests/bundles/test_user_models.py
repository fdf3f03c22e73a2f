"""Models of a user: in a folder of their own, found by name, removed by name, never another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from voices import write_voice

import batchemo
from batchemo.bundles import find_bundle, list_bundles
from batchemo.bundles.user_models import (
    check_removable,
    list_user_bundles,
    place_for,
    remove_user_bundle,
    user_models_folder,
)
from batchemo.errors import UsageError


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def test_a_model_is_found_by_its_name_from_any_folder(
    tmp_path: Path, make_bundle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list_user_bundles() == ()
    make_bundle(name="mine", folder=place_for("mine"))
    monkeypatch.chdir(tmp_path)

    assert list_user_bundles() == ("mine",)
    assert find_bundle("mine") == user_models_folder() / "mine"
    write_voice(tmp_path / "a.wav", seconds=4.0)
    assert batchemo.predict(tmp_path / "a.wav", model="mine")["status"].to_pylist() == ["ok"]
    with pytest.raises(UsageError, match="yours are: mine"):
        find_bundle("other")


def test_a_shipped_model_comes_before_a_users_and_a_users_before_a_folder_here(
    tmp_path: Path, make_bundle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_bundle(name="default", folder=user_models_folder() / "default")
    make_bundle(name="mine", folder=place_for("mine"))
    make_bundle(name="mine", folder=tmp_path / "mine", seed=1)
    monkeypatch.chdir(tmp_path)

    assert find_bundle("default").parent != user_models_folder()
    assert find_bundle("mine").parent == user_models_folder()
    assert find_bundle("./mine") == Path("mine")


@pytest.mark.parametrize("name", ["", "..", "a/b", "../x", "a b", "ü"])
def test_names_that_are_no_plain_ones_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="letters, digits"):
        place_for(name)


def test_only_a_users_model_can_be_removed(tmp_path: Path, make_bundle: Any) -> None:
    mine = make_bundle(name="mine", folder=place_for("mine")).path
    elsewhere = make_bundle(name="other", folder=tmp_path / "other").path
    for name in (list_bundles()[0], str(elsewhere), "..", ".", "nothing"):
        with pytest.raises(UsageError):
            check_removable(name)
    remove_user_bundle("mine")

    assert not mine.exists()
    assert elsewhere.exists()
    assert list(user_models_folder().iterdir()) == []


def test_of_a_link_only_the_link_is_removed(tmp_path: Path, make_bundle: Any) -> None:
    target = make_bundle(name="mine", folder=tmp_path / "target").path
    user_models_folder().mkdir(parents=True)
    place_for("mine").symlink_to(target)
    remove_user_bundle("mine")

    assert list_user_bundles() == ()
    assert (target / "bundle.json").exists()
