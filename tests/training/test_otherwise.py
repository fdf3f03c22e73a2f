"""The nets of an evaluation are asked again about what they were tested on, heard otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_corpus import make_ravdess

from batchemo.corpora import Corpus, read_corpus
from batchemo.training.data.augment_audio import ORIGINAL
from batchemo.training.experiment.cross_validation import Exam, hear_otherwise, sit
from batchemo.training.experiment.evaluate import evaluate_bundle, evaluate_system
from batchemo.training.recipes import get_system

pytest.importorskip("tensorflow")

CONDITIONS = ("noise0", "level")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return read_corpus([make_ravdess(tmp_path_factory.mktemp("otherwise") / "ravdess")])


@pytest.fixture(scope="module")
def exam(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Exam:
    system = get_system("mfcc40")
    return Exam(
        system=system,
        choices=replace(system.choices, epochs=1, copies=("noise",)),
        examples=corpus.examples,
        labels=corpus.labels,
        work=tmp_path_factory.mktemp("work"),
        folds=2,
    )


def checkpoints(work: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in work.rglob("checkpoint.npz")}


def test_only_what_is_tested_is_heard_otherwise_and_by_the_net_that_tests_it(exam: Exam) -> None:
    room = exam.room()
    trials = exam.trials(room)[:1]

    wide, changed = hear_otherwise(room, trials, CONDITIONS)

    assert wide.items[: len(room.items)] == room.items
    assert [replace(one, test=trials[0].test) for one in changed] == list(trials)
    asked = wide.some(changed[0].test)
    tested = [item.example for item in room.some(trials[0].test)]
    assert [(item.example, item.copy) for item in asked if item.copy == "level"] == [
        (example, "level") for example in tested
    ]
    assert {item.copy for item in asked} <= set(CONDITIONS)
    assert len(wide.items) == len(room.items) + len(asked), "the other fold is not heard again"


def test_conditions_are_told_beside_the_same_figures_and_nothing_is_taught_again(
    exam: Exam, corpus: Corpus
) -> None:
    plain = evaluate_system(exam, corpus)
    taught = checkpoints(exam.work)

    found = evaluate_system(replace(exam, conditions=CONDITIONS), corpus)

    assert [one.name for one in found.conditions] == list(CONDITIONS)
    assert replace(found, conditions=()) == plain
    level = found.conditions[1]
    assert (level.recordings, level.unheard) == (plain.recordings, 0)
    assert len(taught) == 2
    assert checkpoints(exam.work) == taught


def test_each_verdict_is_of_the_fold_that_did_not_learn_from_the_speaker(exam: Exam) -> None:
    judged = sit(replace(exam, conditions=("level",))).judged

    folds = {(one.example, one.copy): one.fold for one in judged}
    for (example, copy), fold in folds.items():
        assert copy == ORIGINAL or fold == folds[example, ORIGINAL]
    assert len(judged) == 2 * len(exam.examples)


def test_a_finished_model_is_asked_too(exam: Exam, corpus: Corpus, tmp_path: Path) -> None:
    from batchemo.bundles import load_bundle

    found = evaluate_bundle(
        load_bundle("mfcc40"), corpus, "leaky", conditions=CONDITIONS, cache=tmp_path
    )

    assert [one.name for one in found.conditions] == list(CONDITIONS)
    assert found.recordings == len(corpus.examples)
    assert found.conditions[1].uar.mean == pytest.approx(
        found.figures["uar"].mean + found.conditions[1].change, abs=1e-5
    )
