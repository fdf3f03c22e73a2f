import json
import os
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from batchemo.bundles import bundle
from batchemo.diagnostics import doctor


@pytest.fixture
def shipped(make_bundle, monkeypatch, tmp_path):
    """An installation that ships one model."""
    monkeypatch.setattr(bundle, "models_folder", lambda: tmp_path / "models")
    return make_bundle(name="default", folder=tmp_path / "models" / "default")


def states(ran):
    return {check["name"]: check["state"] for check in json.loads(ran.out)}


def test_all_is_well_here_and_the_model_ran_in_a_worker(batchemo, shipped, tmp_path):
    ran = batchemo("doctor", "--output-folder", tmp_path, "--json")
    assert ran.code == 0
    needed = {name: s for name, s in states(ran).items() if name not in doctor.EXTRAS}
    assert set(needed.values()) == {"ok"}
    assert set(needed) == {
        *("python", "packages", "libsndfile", "names", "machine", "folder", "model")
    }
    (model,) = [check for check in json.loads(ran.out) if check["name"] == "model"]
    assert "ran in a worker" in model["detail"]


def test_a_person_gets_a_line_for_each(batchemo, shipped, tmp_path):
    lines = batchemo("doctor", "--output-folder", tmp_path).out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["ok", "ok", "ok"]
    assert any("FLAC" in line for line in lines)


def test_a_damaged_model_is_a_problem(batchemo, shipped, tmp_path):
    (shipped.path / "model.onnx").write_bytes(b"spoilt")
    ran = batchemo("doctor", "--output-folder", tmp_path, "--json")
    assert ran.code == 1
    assert states(ran)["model"] == "problem"


def test_a_folder_that_cannot_be_written_to_is_a_problem(batchemo, shipped, tmp_path):
    ran = batchemo("doctor", "--output-folder", tmp_path / "nowhere", "--json")
    assert ran.code == 1
    assert states(ran)["folder"] == "problem"


def test_it_leaves_nothing_in_the_folder(batchemo, shipped, tmp_path):
    before = sorted(os.listdir(tmp_path))
    batchemo("doctor", "--output-folder", tmp_path)
    assert sorted(os.listdir(tmp_path)) == before


def test_an_installation_without_models_is_a_problem(batchemo, monkeypatch, tmp_path):
    monkeypatch.setattr(bundle, "models_folder", lambda: tmp_path / "nowhere")
    ran = batchemo("doctor", "--output-folder", tmp_path, "--json")
    assert ran.code == 1
    assert states(ran)["model"] == "problem"


def test_a_package_that_is_not_installed_is_named(batchemo, shipped, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "NEEDED", (*doctor.NEEDED, "no-such-package"))
    ran = batchemo("doctor", "--output-folder", tmp_path)
    assert ran.code == 1
    assert "no-such-package is not installed" in ran.out


def test_an_extra_that_is_absent_is_no_problem(batchemo, shipped, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "EXTRAS", {"train": ("no_such_module",)})
    ran = batchemo("doctor", "--output-folder", tmp_path, "--json")
    assert ran.code == 0
    assert states(ran)["train"] == "absent"


def test_a_broken_package_does_not_break_the_check(batchemo_process, tmp_path):
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('made broken')\n")
    (tmp_path / "soundfile.py").write_text("raise OSError('libsndfile is not there')\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    ran = batchemo_process("doctor", "--json", PYTHONPATH=path)
    assert ran.code == 1, ran.err
    assert states(ran)["libsndfile"] == "problem"
    assert ran.err == ""


def test_file_names_that_are_not_utf_8_are_a_problem(batchemo_process):
    ran = batchemo_process("doctor", "--json", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    if states(ran)["names"] == "ok":
        pytest.skip("this system's C locale is UTF-8")
    assert ran.code == 1


def test_it_looks_for_all_that_is_installed_with_batchemo():
    setup = ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg", encoding="utf-8")
    lines = setup["options"]["install_requires"].split("\n")
    wanted = {line.partition(">=")[0] for line in lines if line and "python_version" not in line}
    assert len(wanted) > 10
    assert wanted == set(doctor.NEEDED)
