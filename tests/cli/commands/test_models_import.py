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
