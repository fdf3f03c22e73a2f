"""A head: written into the base's graph and alone, both with the same bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from adapted_bundle import adapted_bundle, random_head

from batchemo.bundles import Bundle, load_bundle, open_classifier, softmax, write_bundle
from batchemo.bundles.head import head_graphs, log_probabilities
from batchemo.bundles.rerun import open_head_classifier
from batchemo.bundles.schema import CARD, HEAD_GRAPH
from batchemo.common.arrays import Float32
from batchemo.errors import BundleError

Make = Callable[..., Bundle]
EMBEDDING = {"embedding": {"name": "hidden", "size": 5}}
FAMILIAR = {
    "outputs": {**EMBEDDING, "familiarity": {"name": "familiarity"}},
    "calibration": {"method": "familiarity_temperature", "temperature": 0.5, "slope": 1.5},
}


@pytest.fixture(params=[{"outputs": EMBEDDING}, FAMILIAR], ids=["plain", "familiarity"])
def base(request: pytest.FixtureRequest, make_bundle: Make) -> Bundle:
    return make_bundle(name="base", waveform=True, **request.param)


def windows(count: int) -> Float32:
    random = np.random.default_rng(1)
    levels = random.uniform(0.001, 0.5, (count, 1))
    return (levels * random.normal(size=(count, 16000))).astype(np.float32)


def test_the_graph_gives_what_the_head_says(base: Bundle, tmp_path: Path) -> None:
    bundle = adapted_bundle(base, tmp_path / "mine", ["sad", "bored", "happy"])
    before = open_classifier(base).run(windows(11))
    after = open_classifier(bundle).run(windows(11))

    assert before.logits is not None
    assert before.embedding is not None
    logs = log_probabilities(before.logits, before.familiarity, base.calibration)
    expected = random_head(base, 3).logits(logs, before.embedding.astype(np.float64))
    assert after.probabilities == pytest.approx(softmax(expected, 1.25), abs=1e-5)


def test_embedding_and_logits_stay_those_of_the_base(base: Bundle, tmp_path: Path) -> None:
    before = open_classifier(base).run(windows(11))
    after = open_classifier(adapted_bundle(base, tmp_path / "mine")).run(windows(11))

    for name in ("logits", "embedding", "familiarity"):
        ours, theirs = getattr(after, name), getattr(before, name)
        assert (ours is None) == (theirs is None)
        assert ours is None or ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("batch_size", [1, 8])
def test_the_head_alone_gives_the_same_bits(base: Bundle, tmp_path: Path, batch_size: int) -> None:
    bundle = adapted_bundle(base, tmp_path / "mine")
    whole = open_classifier(bundle, batch_size=batch_size).run(windows(21))
    assert whole.logits is not None
    assert whole.embedding is not None

    order = np.random.default_rng(0).permutation(21)
    familiarity = None if whole.familiarity is None else whole.familiarity[order]
    head = open_head_classifier(bundle, batch_size)
    alone = head.run(whole.logits[order], whole.embedding[order], familiarity)

    assert alone.tobytes() == whole.probabilities[order].tobytes()


def test_both_graphs_are_valid_onnx(base: Bundle) -> None:
    for content in head_graphs(base, random_head(base, 4)).values():
        onnx.checker.check_model(onnx.load_from_string(content), full_check=True)


def test_an_adapted_bundle_without_its_head_is_refused(base: Bundle, tmp_path: Path) -> None:
    bundle = adapted_bundle(base, tmp_path / "mine")
    info = {key: value for key, value in bundle.info.items() if key not in ("format", "files")}
    files = {name: bundle.read(name) for name in bundle.info["files"] if name != HEAD_GRAPH}
    with pytest.raises(BundleError, match=f"{HEAD_GRAPH} is missing"):
        write_bundle(tmp_path / "other", info, files)
    del info["outputs"]["embedding"]
    with pytest.raises(BundleError, match="embedding: is missing"):
        write_bundle(tmp_path / "other", info, {**files, HEAD_GRAPH: bundle.read(HEAD_GRAPH)})


def test_a_head_of_another_model_is_refused(
    base: Bundle, make_bundle: Make, tmp_path: Path
) -> None:
    bundle = adapted_bundle(base, tmp_path / "mine")
    other = make_bundle(
        name="other", waveform=True, outputs={"embedding": {"name": "another", "size": 5}}
    )
    info = {key: value for key, value in bundle.info.items() if key not in ("format", "files")}
    foreign = head_graphs(other, random_head(other, 4))
    files = {**{name: bundle.read(name) for name in bundle.info["files"]}, CARD: b"# other\n"}
    files[HEAD_GRAPH] = foreign[HEAD_GRAPH]
    with pytest.raises(BundleError, match="do not name"):
        open_head_classifier(write_bundle(tmp_path / "mixed", info, files), 8)


def test_a_model_is_its_own_base_unless_it_is_adapted(base: Bundle, tmp_path: Path) -> None:
    assert base.base == ("base", base.digest, base.labels)
    bundle = load_bundle(adapted_bundle(base, tmp_path / "mine", ["sad", "bored"]).path)
    assert bundle.base == base.base
