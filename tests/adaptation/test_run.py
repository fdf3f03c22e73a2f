"""From answers and embeddings to a bundle, or to the reason why there is none."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line import Completed, RunCommand

import batchemo
from batchemo.adaptation.run import AdaptOptions, adapt
from batchemo.bundles import Bundle, load_bundle
from batchemo.errors import UsageError
from batchemo.tables.rows import WindowResults, embedding_columns
from batchemo.tables.schema import EmbeddingShape, embeddings_schema
from batchemo.tables.write import with_provenance

Make = Callable[..., Bundle]
COUNT = 36
CLASSES = ("happy", "sad", "angry")


@pytest.fixture
def base(make_bundle: Make) -> Bundle:
    """A model of four labels with an embedding of five numbers."""
    outputs = {"embedding": {"name": "hidden", "size": 5}}
    return make_bundle(name="base", waveform=True, outputs=outputs)


@pytest.fixture
def table(base: Bundle, tmp_path: Path) -> Path:
    """Embeddings of a corpus whose recordings all sound neutral to the base."""
    random = np.random.default_rng(0)
    directions = 3 * random.normal(size=(len(CLASSES), 5))
    windows = []
    for index in range(COUNT):
        embedding = directions[index % 3] + random.normal(size=(2, 5))
        logits = np.tile([3.0, 0.0, 0.0, 0.0], (2, 1)) + random.normal(size=(2, 4))
        arrays = (each.astype(np.float32) for each in (embedding, logits))
        uniform = np.full((2, 4), 0.25, np.float32)
        windows.append(
            WindowResults(np.array([0.0, 1.5]), np.array([3.0, 4.5]), uniform, None, None, *arrays)
        )
    shape = EmbeddingShape(5, 4)
    columns = embedding_columns(windows, shape)
    names = {"root": ["/data"] * COUNT, "file": [file_of(index) for index in range(COUNT)]}
    schema = with_provenance(embeddings_schema(shape), {"model": base.name, "digest": base.digest})
    plain = pa.table({**{k: pa.array(v) for k, v in names.items()}, **columns})
    path = tmp_path / "e.parquet"
    fields = [plain[field.name].cast(field.type) for field in schema]
    pq.write_table(pa.table(fields, schema=schema), path)
    return path


def file_of(index: int) -> str:
    return f"speaker{index % 4}/{index:02d}.wav"


def true_labels(count: int = COUNT) -> dict[str, str]:
    return {file_of(index): CLASSES[index % 3] for index in range(count)}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def run(labels: Mapping[str, str], more: Sequence[Sequence[str]] = ()) -> Path:
        path = tmp_path / "labels.csv"
        with path.open("w", newline="") as stream:
            rows = csv.writer(stream, lineterminator="\n")
            rows.writerow(["root", "file", "start", "end", "label", "reviewer", "shown", "time"])
            for file, label in labels.items():
                rows.writerow(["/data", file, "", "", label, "anna", "", ""])
            rows.writerows(more)
        return path

    return run


@pytest.fixture
def command(
    batchemo: RunCommand, base: Bundle, table: Path, tmp_path: Path
) -> Callable[..., Completed]:
    def run(labels: Path, *words: object) -> Completed:
        files = ("--labels", labels, "--embeddings", table, "-o", tmp_path / "mine")
        return batchemo("adapt", base.path, *files, *words)

    return run


def test_answers_make_a_bundle_with_a_card(
    command: Callable[..., Completed], write: Callable[..., Path], base: Bundle, tmp_path: Path
) -> None:
    ran = command(write(true_labels()))

    assert ran.code == 0, ran.err
    assert "36 answers: happy 12, sad 12, angry 12" in ran.out
    assert "no answer: neutral" in ran.out
    bundle = load_bundle(tmp_path / "mine")
    assert bundle.name == "mine"
    assert bundle.labels == base.labels
    assert bundle.base == ("base", base.digest, base.labels)
    assert bundle.info["training"]["adapted"]["answers"]["sad"] == 12
    assert "36 answers" in bundle.card
    assert "which it was made from" in bundle.card


def test_json_has_before_and_after(
    command: Callable[..., Completed], write: Callable[..., Path], tmp_path: Path
) -> None:
    facts = json.loads(command(write(true_labels()), "--json").out)

    assert facts["before"]["uar"] < 0.4
    assert facts["after"]["uar"] > 0.8
    low, high = facts["gain_interval"]
    assert 0 < low <= facts["gain"] <= high
    assert facts["helps"]
    assert facts["bundle"] == str(tmp_path / "mine")


def test_a_program_gets_the_figures_and_the_bundle_of_the_command(
    command: Callable[..., Completed],
    write: Callable[..., Path],
    base: Bundle,
    table: Path,
    tmp_path: Path,
) -> None:
    labels = write(true_labels(), [["/data", file_of(0), "x", "", "sad", "anna", "", ""]])
    words = ("--leave-out", "folder", "--class-shares", "happy=1,sad=1,angry=2,neutral=1")
    facts = json.loads(command(labels, *words, "--json").out)
    with pytest.warns(UserWarning, match=r"labels\.csv: "):
        result = batchemo.adapt(
            base.path,
            labels=labels,
            embeddings=table,
            output=tmp_path / "other",
            leave_out="folder",
            class_shares={"happy": 1, "sad": 1, "angry": 2, "neutral": 1},
        )

    assert result.comparison.before.uar == facts["before"]["uar"]
    assert result.comparison.after.ece == facts["after"]["ece"]
    assert result.bundle is not None
    assert result.bundle.path == tmp_path / "other"
    made = [(tmp_path / name / "head.onnx").read_bytes() for name in ("mine", "other")]
    assert made[0] == made[1]


@pytest.mark.parametrize(
    "shares", [{}, {"sad": 0.0}, {"sad": float("nan")}, "sad,happy=1", "sad=1,sad=2"]
)
def test_shares_that_are_none_are_refused(
    shares: Any, write: Callable[..., Path], base: Bundle, table: Path, tmp_path: Path
) -> None:
    labels = write(true_labels())
    files = {"labels": labels, "embeddings": table, "output": tmp_path / "mine"}
    with pytest.raises(UsageError, match=r"--class-shares .* above 0"):
        batchemo.adapt(base.path, **files, class_shares=shares)


def test_answers_by_chance_are_refused_with_figures(
    command: Callable[..., Completed], write: Callable[..., Path], tmp_path: Path
) -> None:
    random = np.random.default_rng(1)
    by_chance = dict.fromkeys(true_labels(), "neutral")
    for file in random.permutation(sorted(by_chance))[:6].tolist():
        by_chance[file] = "sad"
    labels = write(by_chance)
    ran = command(labels)

    assert ran.code == 1
    assert "no model was written" in ran.out
    assert "UAR" in ran.out
    assert not (tmp_path / "mine").exists()
    forced = command(labels, "--force")
    assert (forced.code, "written all the same" in forced.out) == (0, True)


def test_labels_that_the_model_lacks_are_those_of_the_new_one(
    command: Callable[..., Completed], write: Callable[..., Path], tmp_path: Path
) -> None:
    own = {file: "tired" if label == "angry" else label for file, label in true_labels().items()}
    assert command(write(own)).code == 0
    assert load_bundle(tmp_path / "mine").labels == ("happy", "sad", "tired")


def test_what_is_unclear_is_left_out_and_counted(
    command: Callable[..., Completed], write: Callable[..., Path]
) -> None:
    labels = true_labels(30)
    said = [(30, "unsure"), (31, "no_speech"), (32, "sad")]
    more = [["/data", file_of(index), "", "", label, "anna", "", ""] for index, label in said]
    more += [["/data", file_of(32), "", "", "happy", "ben", "", ""]]
    more += [["/data", "elsewhere.wav", "", "", "happy", "ben", "", ""]]
    ran = command(write(labels, more))
    assert "30 answers" in ran.out
    for reason in ("unsure", "no speech in it", "disagree", "not in the embeddings"):
        assert f"1 not used: {reason}" in ran.out.replace("the reviewers were ", "").replace(
            "there is ", ""
        ).replace("reviewers ", "").replace("it is ", "")


def test_speakers_can_be_left_out_together(
    command: Callable[..., Completed], write: Callable[..., Path]
) -> None:
    ran = command(write(true_labels()), "--leave-out", "folder")
    assert "(folder, 4 groups)" in ran.out


def test_shares_of_classes_are_followed(
    command: Callable[..., Completed], write: Callable[..., Path], tmp_path: Path
) -> None:
    assert command(write(true_labels()), "--class-shares", "answers").code == 0
    adapted = load_bundle(tmp_path / "mine").info["training"]["adapted"]
    assert adapted["class_shares"] is True


def test_a_bundle_is_replaced_only_with_overwrite(
    command: Callable[..., Completed], write: Callable[..., Path]
) -> None:
    labels = write(true_labels())
    command(labels)
    assert "--overwrite replaces it" in command(labels).err
    assert command(labels, "--overwrite").code == 0


def test_the_same_answers_give_the_same_bundle(
    command: Callable[..., Completed], write: Callable[..., Path], tmp_path: Path
) -> None:
    command(write(true_labels()))
    digest = load_bundle(tmp_path / "mine").digest
    turned = dict(reversed(true_labels().items()))
    command(write(turned), "--overwrite")
    assert load_bundle(tmp_path / "mine").digest == digest


def test_too_few_answers_are_refused(
    command: Callable[..., Completed], write: Callable[..., Path]
) -> None:
    ran = command(write(true_labels(5)))
    assert (ran.code, "too few" in ran.err) == (2, True)
    one = dict.fromkeys(true_labels(), "sad")
    assert "of two labels or more" in command(write(one)).err


def test_labels_that_are_no_names_are_refused(
    command: Callable[..., Completed], write: Callable[..., Path]
) -> None:
    labels = {**true_labels(), file_of(0): "=cmd() \x1b[31m"}
    ran = command(write(labels))
    assert (ran.code, "cannot be the name of a column" in ran.err) == (2, True)
    assert "\x1b" not in ran.err


def test_models_that_cannot_be_adapted_are_refused(
    base: Bundle, table: Path, write: Callable[..., Path], tiny_bundle: Bundle, tmp_path: Path
) -> None:
    labels, out = str(write(true_labels())), str(tmp_path / "mine")

    def refusal(model: Path) -> str:
        options = AdaptOptions(str(model), labels, str(table), out + "2")
        with pytest.raises(UsageError) as error:
            adapt(options)
        return str(error.value)

    assert "gives no embedding" in refusal(tiny_bundle.path)
    adapt(AdaptOptions(str(base.path), labels, str(table), out))
    assert "is itself adapted" in refusal(Path(out))


def test_embeddings_of_another_model_are_refused(
    make_bundle: Make, table: Path, write: Callable[..., Path], tmp_path: Path
) -> None:
    outputs = {"embedding": {"name": "hidden", "size": 5}}
    other = make_bundle(name="other", waveform=True, outputs=outputs, seed=3)
    options = AdaptOptions(str(other.path), str(write(true_labels())), str(table), str(tmp_path))
    with pytest.raises(UsageError, match="is no bundle"):
        adapt(options)
    options = AdaptOptions(
        str(other.path), str(write(true_labels())), str(table), str(tmp_path / "mine")
    )
    with pytest.raises(UsageError, match="these embeddings are of base"):
        adapt(options)
