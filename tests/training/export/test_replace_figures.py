"""A finished bundle gets the figures that it can have only when it is finished."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from made_predictions import make_evaluation

from batchemo.bundles import Bundle, find_bundle, load_bundle
from batchemo.evaluation import figures_for_card
from batchemo.training.export.model_card import write_system_card
from batchemo.training.export.package import replace_figures


@pytest.fixture
def mine(tmp_path: Path) -> Bundle:
    """A copy of a shipped bundle."""
    shutil.copytree(find_bundle("mfcc40"), tmp_path / "mfcc40")
    return load_bundle(tmp_path / "mfcc40")


def test_card_and_figures_change_and_nothing_else(mine: Bundle) -> None:
    found = make_evaluation()

    changed = replace_figures(mine, [found])

    assert changed.path == mine.path
    assert changed == load_bundle(mine.path)
    assert changed.info["figures"]["speaker"]["uar"]["mean"] == found.figures["uar"].mean
    assert changed.card == write_system_card(changed.info, figures_for_card([found]))
    same = mine.info.keys() - {"figures", "files"}
    assert {key: changed.info[key] for key in same} == {key: mine.info[key] for key in same}
    before, after = mine.info["files"], changed.info["files"]
    changing = {"README.md", "coverage.png", "reliability.png"}
    assert changing <= after.keys()
    assert {name for name in after if after[name] != before.get(name)} == changing
    assert before.keys() <= after.keys()


def test_the_same_figures_make_the_same_bundle(mine: Bundle) -> None:
    evaluations = [make_evaluation(), make_evaluation("random")]

    once = replace_figures(mine, evaluations, [make_evaluation(subject="functionals")])
    again = replace_figures(once, evaluations, [make_evaluation(subject="functionals")])

    assert again.digest == once.digest
    assert "for comparison, `functionals`" in again.card
    assert "on speakers that are not in its training data" in again.card
