"""`batchemo models`: the list, model cards, and verification of files."""

import json

import pytest
from hostile_graphs import endless_operator, write_unchecked

from batchemo.bundles import bundle, write_bundle
from batchemo.bundles.user_models import place_for
from batchemo.diagnostics import model_trial


@pytest.fixture
def shipped(make_bundle, monkeypatch, tmp_path):
    """An installation that ships two models."""
    folder = tmp_path / "models"
    monkeypatch.setattr(bundle, "models_folder", lambda: folder)
    figures = {"unseen_actors": {"uar": 0.6251, "accuracy": 0.6}}
    return [
        make_bundle(name="default", folder=folder / "default", figures=figures),
        make_bundle(name="small", folder=folder / "small", seed=1),
    ]


def damage(bundle):
    path = bundle.path / "model.onnx"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_list_has_a_line_for_each_model_and_marks_the_default(batchemo, shipped):
    ran = batchemo("models")
    assert batchemo("models", "list").out == ran.out
    assert ran.code == 0
    _, default, small, *_ = ran.out.splitlines()
    assert default.startswith("* default     0.625 ")
    assert small.startswith("  small  ")
    for word in ("MiB", "MIT", "4 labels"):
        assert word in default
    assert all(len(line) <= 80 for line in ran.out.splitlines())


@pytest.mark.parametrize(
    ("figures", "text"),
    [
        ({"speaker": {"uar": {"mean": 0.4}, "accuracy": {"mean": 0.41}}}, " 0.400 "),
        ({"corpus": {"uar": {"mean": 0.3}}}, " 0.300 "),
        ({"leaky": {"uar": {"mean": 0.9}, "accuracy": {"mean": 0.9}}}, None),
        ({"unseen_actors": ["0.9"]}, None),
        ({"speaker": {"uar": "0.9", "accuracy": {"mean": None}}}, None),
    ],
)
def test_list_has_only_figures_on_unseen_speech(batchemo, make_bundle, shipped, figures, text):
    make_bundle(name="other", folder=shipped[0].path.parent / "other", figures=figures)
    ran = batchemo("models")
    assert ran.code == 0
    listed = ran.out.partition("  other")[2].partition("small")[0]
    assert text in listed if text else " 0.9" not in listed


def test_list_as_json(batchemo, shipped):
    found = json.loads(batchemo("models", "--json").out)
    assert batchemo("models", "list", "--json").out == batchemo("models", "--json").out
    assert [model["name"] for model in found] == ["default", "small"]
    assert [model["digest"] for model in found] == [bundle.digest for bundle in shipped]
    assert found[0]["bytes"] == sum(f["bytes"] for f in shipped[0].info["files"].values())


def test_card_is_shown_by_name_by_folder_and_by_default(batchemo, shipped):
    card = "# tiny\n\nRandom weights, for tests only.\n"
    assert batchemo("models", "show", "small").out == card
    assert batchemo("models", "show", shipped[1].path).out == card
    assert batchemo("models", "show").out == card


@pytest.mark.process
def test_verify_lists_every_intact_model(batchemo, shipped):
    ran = batchemo("models", "verify")
    assert ran.code == 0
    assert [line.split(":")[0] for line in ran.out.splitlines()] == ["default", "small"]


@pytest.mark.process
def test_verify_names_the_damaged_file_and_checks_the_other_models(batchemo, shipped):
    damage(shipped[0])
    ran = batchemo("models", "verify")
    assert ran.code == 1
    assert "default/model.onnx: is not the file" in ran.err
    assert ran.out.startswith("small: ok")


@pytest.mark.process
def test_verify_checks_only_the_given_models(batchemo, shipped):
    damage(shipped[0])
    assert batchemo("models", "verify", "small", shipped[1].path).code == 0


@pytest.mark.process
def test_verify_refuses_a_model_that_takes_for_ever(batchemo, tmp_path, monkeypatch):
    monkeypatch.setattr(model_trial.run_once, "__defaults__", (4.0,))
    folder = write_unchecked(tmp_path / "endless", endless_operator())
    ran = batchemo("models", "verify", folder)
    assert ran.code == 1
    assert "endless: is not done with a batch of 4 windows after 4 s" in ran.err


def test_list_warns_about_damaged_models(batchemo, shipped):
    damage(shipped[1])
    ran = batchemo("models")
    assert ran.code == 1
    assert "small/model.onnx" in ran.err
    assert "default" in ran.out


def test_unknown_model_is_refused_with_the_known_ones(batchemo, shipped):
    ran = batchemo("models", "show", "huge")
    assert ran.code == 2
    assert "default, small" in ran.err


def test_control_characters_of_a_bundle_are_escaped(batchemo, shipped):
    info = {k: v for k, v in shipped[1].info.items() if k not in ("format", "files")}
    files = {
        "model.onnx": shipped[1].read("model.onnx"),
        "README.md": b"# pretty\x1b]0;evil\x07\n\nbut\x1b[2J harmless\n",
    }
    licences = {"weights": "pretty\x1b[2J", "training_data": {}}
    write_bundle(shipped[1].path, {**info, "licences": licences}, files)
    assert r"pretty\x1b[2J" in batchemo("models").out
    card = batchemo("models", "show", "small").out
    assert card == "# pretty\\x1b]0;evil\\x07\n\nbut\\x1b[2J harmless\n"


@pytest.fixture
def own_model(make_bundle, tmp_path, monkeypatch):
    """A model of the user's, called mine."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return make_bundle(name="mine", folder=place_for("mine"))


def test_list_has_models_of_the_user_too(batchemo, shipped, own_model):
    ran = batchemo("models")
    assert ran.code == 0
    assert "\n  mine " in ran.out
    assert str(own_model.path.parent) in ran.out
    assert [model["name"] for model in json.loads(batchemo("models", "--json").out)] == [
        *("default", "small", "mine"),
    ]


def test_remove_asks_or_is_told_and_leaves_shipped_models(batchemo, shipped, own_model):
    asked = batchemo("models", "remove", "mine")
    assert (asked.code, own_model.path.exists()) == (2, True)
    assert "--yes removes it" in asked.err
    refused = batchemo("models", "remove", "default", "--yes")
    assert refused.code == 2
    assert "shipped model" in refused.err
    removed = batchemo("models", "remove", "mine", "--yes")
    assert (removed.code, own_model.path.exists()) == (0, False)
    assert shipped[0].path.exists()
