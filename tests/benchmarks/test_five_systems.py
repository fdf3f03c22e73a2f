"""The five recipes are measured on speech, on song and on both, where the songs are given."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import five_systems
import pytest
from inline_map import gather_inline
from made_corpus import make_ravdess
from voices import write_voice

from batchemo.bundles import load_bundle
from batchemo.training.recipes import Recipe, get_recipe

SONGS = [(actor, emotion) for actor in (1, 2, 3, 4) for emotion in (1, 2, 3)]


def quick(name: str) -> Recipe:
    recipe = get_recipe(name)
    return replace(recipe, hyperparameters=replace(recipe.hyperparameters, epochs=1))


@pytest.mark.tensorflow
def test_the_songs_are_trained_on_and_have_figures_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speech = make_ravdess(tmp_path / "ravdess")
    for actor, emotion in SONGS:
        name = f"03-02-{emotion:02d}-01-01-01-{actor:02d}.wav"
        write_voice(tmp_path / "song" / name, seed=200 + 8 * actor + emotion)
    page, models = tmp_path / "page.md", tmp_path / "models"
    options = ["--work", tmp_path / "work", "--models", models, "--page", page, "--seeds", 1]
    monkeypatch.setattr(sys, "argv", ["", *map(str, (speech, tmp_path / "song", *options))])
    monkeypatch.setattr(five_systems, "RAVDESS_RECIPES", {"mfcc40": quick("mfcc40")})
    gather_inline(monkeypatch)

    five_systems.main()

    text = page.read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `mfcc40`, ")]
    assert [row.split(" | ")[0] for row in rows] == [
        *("| `mfcc40`, ravdess", "| `mfcc40`, ravdess\\_song", "| `mfcc40`, all"),
    ]
    assert all(len(row.split(" | ")) == 7 for row in rows)
    assert "five_systems.py RAVDESS RAVDESS_SONG --work" in text
    assert "How the leak was made" not in text, "the remarks are on figures without songs"
    training = load_bundle(models / "mfcc40").info["training"]
    assert {name: of["recordings"] for name, of in training["corpora"].items()} == {
        "ravdess": 32,
        "ravdess_song": 12,
    }
    assert training["command"].startswith("batchemo train ravdess ravdess_song --recipe mfcc40")
