"""`batchemo models import`: what is printed, and refusals in words."""

import json

import pytest
from made_sources import net, write_export

pytest.importorskip("onnx")


def test_an_export_becomes_a_bundle_that_the_list_of_a_scan_takes(batchemo, tmp_path):
    source = write_export(tmp_path / "export")
    ran = batchemo("models", "import", source, "-o", tmp_path / "mine", "--licence", "MIT")
    assert ran.code == 0
    for word in ("neutral, happy, angry, sad", "MIT", "hap is happy", "largest difference"):
        assert word in ran.out
    assert batchemo("models", "show", tmp_path / "mine").out.startswith("# mine")


def test_json_has_the_differences(batchemo, tmp_path):
    (tmp_path / "net.onnx").write_bytes(net(softmax=True))
    told = ("--input", "waveform", "--rate", 16000, "--labels", "a,b,c,d", "--label", "a=calm")
    ran = batchemo("models", "import", tmp_path / "net.onnx", "-o", tmp_path / "m", *told, "--json")
    facts = json.loads(ran.out)
    assert facts["labels"] == ["calm", "b", "c", "d"]
    assert set(facts["largest_difference"]) == {"probabilities"}
    assert facts["same_label"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--label", "no"), "is not OLD=NEW"),
        (("--hop", "9", "--window", "3"), "is longer than the window"),
        (("--labels", "a,b"), "gives 4 numbers, and there are 2 labels"),
    ],
)
def test_refusals_end_with_2_and_write_nothing(batchemo, tmp_path, arguments, message):
    source = write_export(tmp_path / "export")
    ran = batchemo("models", "import", source, "-o", tmp_path / "mine", *arguments)
    assert ran.code == 2
    assert message in ran.err
    assert not (tmp_path / "mine").exists()


def test_a_name_puts_the_model_among_the_users(batchemo, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    source = write_export(tmp_path / "export")
    ran = batchemo("models", "import", source, "--name", "mine", "--window", "3")
    assert ran.code == 0
    assert str(tmp_path / "data") in ran.out
    assert batchemo("models", "show", "mine").out.startswith("# mine")
    for arguments in ((), ("--name", "mine", "-o", tmp_path / "m"), ("--name", "default")):
        assert batchemo("models", "import", source, *arguments).code == 2


def test_one_file_is_imported_as_the_page_says(batchemo, tmp_path):
    (tmp_path / "net.onnx").write_bytes(net(samples=32000))
    told = ("--input", "waveform", "--rate", 16000, "--labels", "neutral,happy,sad,angry")
    ran = batchemo("models", "import", tmp_path / "net.onnx", "-o", tmp_path / "net", *told)
    assert ran.code == 0
    assert "neutral, happy, sad, angry" in ran.out
    unknown = batchemo("models", "import", tmp_path / "net.onnx", "-o", tmp_path / "other")
    assert "--input waveform, --rate 16000 and --labels" in unknown.err
