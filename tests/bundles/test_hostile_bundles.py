"""Forged bundles, whole and with right digests, are refused before they process a recording."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hostile_graphs import (
    endless_operator,
    expanded,
    filled,
    folded,
    graph_of,
    slow_on_voices,
    write_unchecked,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_bundle import tiny_graph
from voices import write_voice

from batchemo import scan
from batchemo.batch.options import ScanOptions
from batchemo.batch.scan import run_scan
from batchemo.bundles import Bundle, list_bundles, load_bundle, onnx_model, open_classifier
from batchemo.errors import BatchemoError, BundleError
from batchemo.inference.settings import ModelSettings
from batchemo.sources import SourceOptions
from batchemo.workers import heartbeat
from batchemo.workers.executor import InlineExecutor

onnx = pytest.importorskip("onnx")
helper, numpy_helper, FLOAT = onnx.helper, onnx.numpy_helper, onnx.TensorProto.FLOAT

Make = Callable[..., Bundle]


FORGED: dict[str, tuple[Callable[[], bytes], str]] = {
    "half a graph": (lambda: tiny_graph(64, 4)[:-400], "ends in the middle|refuses it"),
    "no graph": (lambda: b"\x08\x08", "refuses it"),
    "an image": (lambda: b"\x89PNG\r\n\x1a\n" * 9, "is no ONNX graph|refuses it"),
    "4 GB at work": (lambda: expanded(2**30), "refuses it: .*smaller than requested"),
    "1 TB at work": (lambda: expanded(2**38), "refuses it"),
    "more than any memory": (lambda: expanded(2**62), "refuses it"),
    "a constant of 4 GB": (lambda: filled(2**30), "refuses it: .*smaller than requested"),
    "a square of 40 GB": (lambda: folded(100_000), "refuses it: .*smaller than requested"),
    "a negative size": (lambda: filled(-5), "refuses it"),
    "an input unknown": (
        lambda: graph_of(helper.make_node("Add", ["l", "nowhere"], ["logits"])),
        "refuses it",
    ),
    "integer logits": (
        lambda: graph_of(
            helper.make_node("Cast", ["l"], ["logits"], to=onnx.TensorProto.INT64),
            kind=onnx.TensorProto.INT64,
        ),
        "should give 4 numbers of single precision a window, but is tensor.int64",
    ),
    "five logits": (lambda: tiny_graph(64, 5), "should give 4 numbers .* of n × 5"),
}


@pytest.mark.parametrize("case", FORGED)
def test_a_forged_graph_is_refused_when_it_is_opened(case: str, tmp_path: Path) -> None:
    make, message = FORGED[case]
    bundle = load_bundle(write_unchecked(tmp_path / "forged", make()))
    with pytest.raises(BundleError, match=message) as refusal:
        open_classifier(bundle)
    assert "model.onnx" in str(refusal.value)


@given(cut=st.floats(0, 1, exclude_max=True))
@settings(max_examples=40)
def test_a_truncated_graph_is_refused(cut: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    whole = tiny_graph(64, 4)
    content = whole[: int(cut * len(whole))]
    folder = write_unchecked(tmp_path_factory.mktemp("cut") / "forged", content or b"\0")
    with pytest.raises(BundleError):
        open_classifier(load_bundle(folder))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_are_refused(number: float, tmp_path: Path) -> None:
    value = helper.make_tensor("value", FLOAT, [1], [number])
    graph = graph_of(
        helper.make_node("Constant", [], ["bad"], value=value),
        helper.make_node("Add", ["l", "bad"], ["logits"]),
    )
    classifier = open_classifier(load_bundle(write_unchecked(tmp_path / "forged", graph)))
    with pytest.raises(BundleError, match="no numbers"):
        classifier.run(np.zeros((2, 5, 64), np.float32))


def test_memory_that_grows_with_the_batch_is_refused_as_it_runs(tmp_path: Path) -> None:
    graph = graph_of(
        helper.make_node("ReduceMean", ["x"], ["level"], axes=[2], keepdims=0),
        helper.make_node("Flatten", ["level"], ["flat"], axis=2),
        helper.make_node("Transpose", ["flat"], ["turned"]),
        helper.make_node("MatMul", ["flat", "turned"], ["square"]),
        helper.make_node("ReduceMax", ["square"], ["one"], keepdims=0),
        helper.make_node("Add", ["l", "one"], ["logits"]),
    )
    classifier = open_classifier(
        load_bundle(write_unchecked(tmp_path / "forged", graph)), batch_size=256
    )
    with pytest.raises(BundleError, match="refuses it"):
        classifier.run(np.zeros((256, 301, 64), np.float32))


@pytest.mark.process
def test_a_scan_with_a_forged_bundle_ends_with_the_reason_and_writes_no_table(
    tmp_path: Path,
) -> None:
    write_voice(tmp_path / "corpus" / "one.wav")
    folder = write_unchecked(tmp_path / "forged", expanded(2**38))
    arguments = ["scan", str(tmp_path / "corpus"), "-m", str(folder), "-o", str(tmp_path / "t.csv")]
    ran = subprocess.run(
        [sys.executable, "-c", "from batchemo.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode not in (0, 3)
    assert "ONNX Runtime refuses it" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "t.csv").exists()


def test_a_scan_ends_at_the_first_try_of_a_model_that_takes_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_model, "TRIAL_SECONDS", 0.5)
    write_voice(tmp_path / "corpus" / "one.wav")
    folder = write_unchecked(tmp_path / "endless", endless_operator(100_000))
    options = ScanOptions(
        SourceOptions((str(tmp_path / "corpus"),)),
        (ModelSettings(str(folder)),),
        output=str(tmp_path / "t.csv"),
    )
    with pytest.raises(BatchemoError, match=r"endless.* is not done with .* after 0\.5"):
        run_scan(options, executor=InlineExecutor)


def test_the_trial_of_a_model_ends_before_its_worker_counts_as_stuck() -> None:
    assert onnx_model.TRIAL_SECONDS < heartbeat.STARTUP_SECONDS - 30


@pytest.mark.process
def test_a_scan_ends_where_workers_hang_before_they_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "STARTUP_SECONDS", 1.0)
    write_voice(tmp_path / "corpus" / "one.wav")
    folder = write_unchecked(tmp_path / "endless", endless_operator())
    with pytest.raises(BatchemoError, match="hang, before they begin to work"):
        scan(tmp_path / "corpus", output=tmp_path / "t.csv", model=folder, jobs=1, timeout=1)


@pytest.mark.process
def test_a_recording_at_which_a_model_takes_for_ever_is_a_row_with_the_reason(
    tmp_path: Path,
) -> None:
    """It computes little for silence, as on its trial, and for hours when it gets a voice."""
    write_voice(tmp_path / "corpus" / "one.wav")
    folder = write_unchecked(tmp_path / "slow", slow_on_voices())
    table = scan(tmp_path / "corpus", model=folder, jobs=1, timeout=4)
    assert table["reason"].to_pylist() == ["timeout"]


PAYLOAD = """
import sys
from batchemo.bundles import load_bundle, open_classifier
from batchemo.errors import BatchemoError, BundleError
from batchemo.workers import heartbeat
try:
    open_classifier(load_bundle(sys.argv[1]), backend="tensorflow")
except BundleError as error:
    print(error, "|", [m for m in ("keras", "tensorflow") if m in sys.modules])
"""


@pytest.mark.process
@pytest.mark.skipif("functionals" not in list_bundles(), reason="needs a shipped model")
def test_a_keras_model_with_a_lambda_is_refused_before_keras_is_imported(
    tmp_path: Path,
) -> None:
    shipped = load_bundle("functionals").path / "model.keras"
    forged = tmp_path / "model.keras"
    with zipfile.ZipFile(shipped) as whole, zipfile.ZipFile(forged, "w") as copy:
        for name in whole.namelist():
            content = whole.read(name)
            if name == "config.json":
                config = json.loads(content)
                code = {"class_name": "__lambda__", "config": {"value": "4wEAAAAAAAAA"}}
                inside = {"module": "keras.layers", "class_name": "Lambda"}
                config["config"]["layers"].append({**inside, "config": {"function": code}})
                content = json.dumps(config).encode()
            copy.writestr(name, content)
    graph = tiny_graph(64, 4)
    folder = write_unchecked(tmp_path / "forged", graph, **{"model.keras": forged.read_bytes()})
    ran = subprocess.run(
        [sys.executable, "-c", PAYLOAD, str(folder)], capture_output=True, text=True, check=True
    )
    assert "has a Lambda layer, which could run foreign code | []" in ran.stdout


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_constants_that_json_does_not_know_are_refused(word: str, tiny_bundle: Bundle) -> None:
    place = tiny_bundle.path / "bundle.json"
    place.write_text(place.read_text().replace('"figures": {}', f'"figures": {{"uar": {word}}}'))
    with pytest.raises(BundleError, match=f"{word} is no number"):
        load_bundle(tiny_bundle.path)
