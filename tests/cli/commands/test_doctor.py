"""`batchemo doctor`: what is checked, and how problems are reported."""

import json
import os
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from batchemo.bundles import bundle, device
from batchemo.diagnostics import doctor

# The models are run in worker processes.
pytestmark = pytest.mark.process


@pytest.fixture
def shipped(make_bundle, monkeypatch, tmp_path):
    """An installation that ships one model."""
    monkeypatch.setattr(bundle, "models_folder", lambda: tmp_path / "models")
    return make_bundle(name="default", folder=tmp_path / "models" / "default")


def states(ran):
    return {check["name"]: check["state"] for check in json.loads(ran.out)}


def test_everything_works_and_the_model_ran_in_a_worker(batchemo, shipped, tmp_path):
    ran = batchemo("doctor", "--output-folder", tmp_path, "--json")
    assert ran.code == 0
    needed = {name: s for name, s in states(ran).items() if name not in doctor.EXTRAS}
    assert set(needed.values()) == {"ok"}
    assert set(needed) == {
        *("python", "packages", "libsndfile", "devices", "names", "machine", "folder", "model")
    }
    (model,) = [check for check in json.loads(ran.out) if check["name"] == "model"]
    assert "ran in a worker" in model["detail"]


def test_text_has_a_line_for_each_check(batchemo, shipped, tmp_path):
    lines = batchemo("doctor", "--output-folder", tmp_path).out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["ok", "ok", "ok"]
    assert any("FLAC" in line for line in lines)


def test_damaged_model_is_a_problem(batchemo, shipped, tmp_path):
    (shipped.path / "model.onnx").write_bytes(b"damaged")
    ran = batchemo("doctor", "--output-folder", tmp_path, "--json")
    assert ran.code == 1
    assert states(ran)["model"] == "problem"


def test_folder_that_cannot_be_written_to_is_a_problem(batchemo, shipped, tmp_path):
    ran = batchemo("doctor", "--output-folder", tmp_path / "nowhere", "--json")
    assert ran.code == 1
    assert states(ran)["folder"] == "problem"


def test_output_folder_is_left_unchanged(batchemo, shipped, tmp_path):
    before = sorted(os.listdir(tmp_path))
    batchemo("doctor", "--output-folder", tmp_path)
    assert sorted(os.listdir(tmp_path)) == before


def test_installation_without_models_is_a_problem(batchemo, monkeypatch, tmp_path):
    monkeypatch.setattr(bundle, "models_folder", lambda: tmp_path / "nowhere")
    ran = batchemo("doctor", "--output-folder", tmp_path, "--json")
    assert ran.code == 1
    assert states(ran)["model"] == "problem"


def test_missing_package_is_named(batchemo, shipped, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "NEEDED", (*doctor.NEEDED, "no-such-package"))
    ran = batchemo("doctor", "--output-folder", tmp_path)
    assert ran.code == 1
    assert "no-such-package is not installed" in ran.out


def test_missing_extra_is_not_a_problem(batchemo, shipped, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "EXTRAS", {"train": ("no_such_module",)})
    ran = batchemo("doctor", "--output-folder", tmp_path, "--json")
    assert ran.code == 0
    assert states(ran)["train"] == "absent"


def test_broken_package_is_reported_without_a_traceback(batchemo_process, tmp_path):
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('broken for this test')\n")
    (tmp_path / "soundfile.py").write_text("raise OSError('libsndfile is not there')\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    ran = batchemo_process("doctor", "--json", PYTHONPATH=path)
    assert ran.code == 1, ran.err
    assert states(ran)["libsndfile"] == "problem"
    assert ran.err == ""


def test_file_names_in_another_encoding_are_a_problem(tmp_path):
    code = (
        "import sys; from pathlib import Path; from batchemo.bundles import bundle\n"
        f"bundle.models_folder = lambda: Path({str(tmp_path)!r})  # no models, to be quick\n"
        "from batchemo.cli.main import run; sys.exit(run(['doctor', '--json']))"
    )
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ran = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **locale}, capture_output=True, text=True
    )
    state = {check["name"]: check["state"] for check in json.loads(ran.stdout)}["names"]
    if state == "ok":
        pytest.skip("this system's C locale is UTF-8")
    assert (state, ran.returncode) == ("problem", 1)


def test_every_required_package_is_checked():
    setup = ConfigParser()
    setup.read(Path(__file__).parents[3] / "setup.cfg", encoding="utf-8")
    lines = setup["options"]["install_requires"].split("\n")
    required = {line.partition(">=")[0] for line in lines if line and "python_version" not in line}
    assert len(required) > 10
    assert required == set(doctor.NEEDED)


def test_the_devices_and_what_is_missing_for_a_gpu_are_told(monkeypatch):
    assert "CPUExecutionProvider" in doctor._devices().detail
    monkeypatch.setattr(device, "cuda_providers", lambda: (device.CPU, device.CPU))
    assert doctor._devices().detail.startswith("cpu and 2 GPUs")
    monkeypatch.setattr(device, "cuda_providers", tuple)
    assert "pip install 'batchemo[gpu]'" in doctor._devices().detail
