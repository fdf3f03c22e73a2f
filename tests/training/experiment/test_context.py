"""Members share splits, map them to items of their own, and keep their nets apart by content."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_items import LABELS, made_example, made_items

from batchemo.features import get_feature_set
from batchemo.training.data.protocols import ALL_VARIANTS, Sample, make_splits
from batchemo.training.experiment.context import MemberContext, RunContext
from batchemo.training.hyperparameters import Hyperparameters
from batchemo.training.recipes import LOGISTIC, Member, Recipe, get_recipe

EXAMPLES = [
    made_example(speaker, label, n) for speaker in "abcdef" for label in LABELS for n in range(2)
]
ITEMS = made_items(EXAMPLES, ("noise",))
OTHER_ITEMS = made_items(EXAMPLES[::-1], ("pitch", "room"))
HYPERPARAMETERS = Hyperparameters(epochs=3, validation_share=0.25)
MEMBER = Member(get_feature_set("mfcc40"), "mfcc40", HYPERPARAMETERS)
FIRST = MemberContext(MEMBER, ITEMS, LABELS, Path("work"))
SECOND = MemberContext(MEMBER, OTHER_ITEMS, LABELS, Path("work"))
RECIPE = Recipe("pair", "The same net twice.", (MEMBER, MEMBER))
CONTEXT = RunContext(RECIPE, (FIRST, SECOND))
SPLIT = make_splits("speaker", CONTEXT.samples, HYPERPARAMETERS, (5,), folds=3)[0]


def test_the_samples_of_a_member_are_those_of_its_items_in_order() -> None:
    assert FIRST.samples == tuple(Sample(item.example, item.variant) for item in ITEMS)


def test_a_member_selects_an_item_for_each_sample_of_one_variant() -> None:
    selected = FIRST.select([Sample(EXAMPLES[3]), Sample(EXAMPLES[0], "noise")])

    assert [(item.example, item.variant) for item in selected] == [
        (EXAMPLES[3], "original"),
        (EXAMPLES[0], "noise"),
    ]


def test_all_variants_are_the_original_and_the_augmentations_that_each_member_has() -> None:
    for member, variants in ((FIRST, ["noise"]), (SECOND, ["pitch", "room"])):
        selected = member.select([Sample(EXAMPLES[3], ALL_VARIANTS)])

        assert {item.example for item in selected} == {EXAMPLES[3]}
        assert [item.variant for item in selected] == ["original", *variants]


def test_conditions_are_never_trained_on() -> None:
    with_condition = replace(FIRST, items=made_items(EXAMPLES, ("noise", "telephone")))

    selected = with_condition.select(SPLIT.train)

    assert {item.variant for item in selected} == {"original", "noise"}
    assert with_condition.select([Sample(EXAMPLES[0], "telephone")])


def test_all_members_train_validate_and_test_the_same_recordings() -> None:
    for part in (SPLIT.train, SPLIT.validation, SPLIT.test):
        first, second = (
            {item.example for item in member.select(part)} for member in CONTEXT.members
        )
        assert first == second == {sample.example for sample in part}
    tested = [
        [(item.example, item.variant) for item in member.select(SPLIT.test)]
        for member in CONTEXT.members
    ]
    assert tested[0] == tested[1]


def test_what_can_be_tested_are_the_samples_of_which_all_members_have_features() -> None:
    assert CONTEXT.samples == tuple(Sample(example) for example in EXAMPLES)
    fewer = replace(CONTEXT, members=(FIRST, replace(FIRST, items=ITEMS[2:])))
    assert fewer.samples == FIRST.samples[2:]


def test_the_dataset_of_a_member_has_its_main_corpus() -> None:
    other = [replace(example, corpus="a") for example in EXAMPLES[:6]]
    items = made_items([*other, *EXAMPLES[6:]])
    member = replace(FIRST, items=items)

    dataset = member.dataset([Sample(other[0]), Sample(EXAMPLES[6])])

    assert dataset.corpora.tolist() == [1, 0], "the main corpus is 0, although it comes second"


def test_where_the_main_corpus_is_left_out_another_takes_its_place() -> None:
    small = [replace(example, corpus="a") for example in EXAMPLES if example.emotion != "sad"][:2]
    large = [replace(example, corpus="b") for example in EXAMPLES[6:12]]
    member = replace(FIRST, items=made_items([*small, *large, *EXAMPLES[12:]]))

    dataset = member.dataset([Sample(example) for example in (*small, *large)])

    assert dataset.corpora.tolist() == [1] * 2 + [0] * 6


def test_the_folder_of_a_fold_is_a_name_whatever_its_corpora_are_called() -> None:
    split = replace(SPLIT, fold="a/b\n" + "c" * 300)

    folder = FIRST.folder(split)

    assert folder.parent == Path("work")
    assert folder.name.startswith("mfcc40-a-b-c")
    assert len(folder.name) < 120
    assert FIRST.folder(SPLIT).name.startswith("mfcc40-speakers-1-s5-")


def test_label_indices_are_those_of_the_samples_emotions() -> None:
    samples = [Sample(made_example("a", label)) for label in ("sad", "neutral")]

    assert CONTEXT.label_indices(samples).tolist() == [2, 0]


def test_the_inputs_of_a_model_are_the_windows_of_originals() -> None:
    single = RunContext(get_recipe("mfcc40"), (FIRST,))

    assert single.inputs([Sample(EXAMPLES[0])])[0] is ITEMS[0].windows


def test_several_nets_have_seeds_that_no_other_run_has() -> None:
    pair = replace(FIRST, member=replace(MEMBER, nets=2))

    seeds = [[one.seed for one in pair.net_splits(replace(SPLIT, seed=n))] for n in range(3)]

    assert seeds == [[0, 1], [2, 3], [4, 5]]
    assert {replace(one, seed=5) for one in pair.net_splits(SPLIT)} == {SPLIT}


def test_a_logistic_regression_has_one_seed_as_none_changes_it() -> None:
    regression = replace(FIRST, member=replace(MEMBER, net=LOGISTIC, nets=1))

    splits = [regression.net_splits(replace(SPLIT, seed=seed)) for seed in range(3)]

    assert {split.seed for of_seed in splits for split in of_seed} == {0}


def test_the_seed_of_a_split_is_that_of_the_hyperparameters() -> None:
    assert FIRST.hyperparameters(SPLIT) == replace(HYPERPARAMETERS, seed=5)


CHANGED_MEMBERS = {
    "epochs": replace(MEMBER, hyperparameters=replace(HYPERPARAMETERS, epochs=4)),
    "loss": replace(MEMBER, hyperparameters=replace(HYPERPARAMETERS, loss="focal")),
    "net": replace(MEMBER, net="cnn1d"),
    "features": replace(MEMBER, features=get_feature_set("stats162")),
    "window": replace(MEMBER, features=replace(MEMBER.features, window=2.0)),
    "floor": replace(MEMBER, floor=-2.0),
}


@pytest.mark.parametrize("member", CHANGED_MEMBERS.values(), ids=CHANGED_MEMBERS)
def test_whatever_of_a_member_could_change_a_net_has_another_folder(member: Member) -> None:
    assert replace(FIRST, member=member).folder(SPLIT) != FIRST.folder(SPLIT)


def test_other_labels_variants_or_contents_have_another_folder() -> None:
    others = [replace(FIRST, labels=LABELS[::-1]), SECOND]
    for change in ({"digest": "other"}, {"emotion": "sad"}):
        changed = [replace(example, **change) for example in EXAMPLES]
        renamed = dict(zip(EXAMPLES, changed, strict=True))
        split = replace(
            SPLIT,
            train=tuple(Sample(renamed[one.example], one.variant) for one in SPLIT.train),
            validation=tuple(Sample(renamed[one.example]) for one in SPLIT.validation),
        )
        items = tuple(replace(item, example=renamed[item.example]) for item in ITEMS)
        assert replace(FIRST, items=items).folder(split) != FIRST.folder(SPLIT)
    for other in others:
        assert other.folder(SPLIT) != FIRST.folder(SPLIT)


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 6},
        {"train": SPLIT.train[1:]},
        {"validation": SPLIT.validation[1:]},
        {"test": SPLIT.test[1:]},
        {"train": SPLIT.validation, "validation": SPLIT.train},
    ],
    ids=lambda changes: " ".join(changes),
)
def test_another_seed_or_part_has_another_result(changes: dict[str, object]) -> None:
    assert FIRST.logits_path(replace(SPLIT, **changes)) != FIRST.logits_path(SPLIT)


def test_another_test_is_predicted_by_the_same_net() -> None:
    assert FIRST.folder(replace(SPLIT, test=SPLIT.test[1:])) == FIRST.folder(SPLIT)


def test_the_folder_is_the_same_wherever_the_recordings_lie() -> None:
    moved = {one: replace(one, path=Path("moved") / one.path) for one in EXAMPLES}
    items = tuple(replace(item, example=moved[item.example]) for item in ITEMS)
    split = replace(
        SPLIT,
        train=tuple(Sample(moved[one.example], one.variant) for one in SPLIT.train),
        validation=tuple(Sample(moved[one.example]) for one in SPLIT.validation),
    )

    assert replace(FIRST, items=items).folder(split) == FIRST.folder(SPLIT)


def test_how_many_nets_a_member_has_changes_no_single_net() -> None:
    """So nets can be added to those that are trained."""
    assert replace(FIRST, member=replace(MEMBER, nets=3)).folder(SPLIT) == FIRST.folder(SPLIT)
