import json

import pytest

from batchemo.bundles import bundle, write_bundle


@pytest.fixture
def shipped(make_bundle, monkeypatch, tmp_path):
    """An installation that ships two models."""
    place = tmp_path / "models"
    monkeypatch.setattr(bundle, "models_folder", lambda: place)
    figures = {"unseen_actors": {"uar": 0.6251, "accuracy": 0.6}}
    return [
        make_bundle(name="default", folder=place / "default", figures=figures),
        make_bundle(name="small", folder=place / "small", seed=1),
    ]


def spoil(bundle):
    path = bundle.path / "model.onnx"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_models_are_listed_with_size_licence_and_figures(batchemo, shipped):
    ran = batchemo("models")
    assert ran.code == 0
    for word in ("default", "small", "made weights", "MiB", "MIT", "UAR 0.625, accuracy 0.600"):
        assert word in ran.out


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ({"speaker": {"uar": {"mean": 0.4}, "accuracy": {"mean": 0.41}}}, "UAR 0.400, accuracy"),
        ({"leaky": {"uar": {"mean": 0.9}, "accuracy": {"mean": 0.9}}}, None),
        ({"unseen_actors": ["0.9"]}, None),
        ({"speaker": {"uar": "0.9", "accuracy": {"mean": None}}}, None),
    ],
)
def test_only_figures_on_unseen_speakers_are_listed(batchemo, make_bundle, shipped, figures, told):
    make_bundle(name="other", folder=shipped[0].path.parent / "other", figures=figures)
    ran = batchemo("models")
    assert ran.code == 0
    listed = ran.out.partition("other")[2].partition("small")[0]
    assert told in listed if told else "figures" not in listed


def test_the_list_is_there_for_machines_too(batchemo, shipped):
    found = json.loads(batchemo("models", "--json").out)
    assert [model["name"] for model in found] == ["default", "small"]
    assert [model["digest"] for model in found] == [bundle.digest for bundle in shipped]
    assert found[0]["bytes"] == sum(f["bytes"] for f in shipped[0].info["files"].values())


def test_the_card_is_shown_by_name_by_folder_and_by_default(batchemo, shipped):
    card = "# tiny\n\nMade weights, for tests only.\n"
    assert batchemo("models", "show", "small").out == card
    assert batchemo("models", "show", shipped[1].path).out == card
    assert batchemo("models", "show").out == card


def test_verify_names_every_model_that_is_whole(batchemo, shipped):
    ran = batchemo("models", "verify")
    assert ran.code == 0
    assert [line.split(":")[0] for line in ran.out.splitlines()] == ["default", "small"]


def test_verify_names_the_damaged_file_and_still_checks_the_others(batchemo, shipped):
    spoil(shipped[0])
    ran = batchemo("models", "verify")
    assert ran.code == 1
    assert "default/model.onnx: is not the file" in ran.err
    assert ran.out.startswith("small: ok")


def test_verify_checks_only_what_was_named(batchemo, shipped):
    spoil(shipped[0])
    assert batchemo("models", "verify", "small", shipped[1].path).code == 0


def test_the_list_tells_of_damage_too(batchemo, shipped):
    spoil(shipped[1])
    ran = batchemo("models")
    assert ran.code == 1
    assert "small/model.onnx" in ran.err
    assert "default" in ran.out


def test_an_unknown_model_is_refused_with_those_that_there_are(batchemo, shipped):
    ran = batchemo("models", "show", "huge")
    assert ran.code == 2
    assert "default, small" in ran.err


def test_neither_list_nor_card_can_play_with_the_terminal(batchemo, shipped):
    told = {k: v for k, v in shipped[1].info.items() if k not in ("format", "files")}
    files = {
        "model.onnx": shipped[1].read("model.onnx"),
        "README.md": b"# pretty\x1b]0;evil\x07\n\nbut\x1b[2J harmless\n",
    }
    write_bundle(shipped[1].path, {**told, "description": "pretty\x1b[2J"}, files)
    assert r"pretty\x1b[2J" in batchemo("models").out
    card = batchemo("models", "show", "small").out
    assert card == "# pretty\\x1b]0;evil\\x07\n\nbut\\x1b[2J harmless\n"
