"""A context maps splits to its items, and keeps nets apart by what they are trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_items import LABELS, made_example, made_items

from batchemo.features import get_feature_set
from batchemo.training.data.protocols import ALL_VARIANTS, Sample, make_splits
from batchemo.training.experiment.context import RunContext
from batchemo.training.hyperparameters import Hyperparameters
from batchemo.training.recipes import LOGISTIC, Recipe, get_recipe

EXAMPLES = [
    made_example(speaker, label, n) for speaker in "abcdef" for label in LABELS for n in range(2)
]
ITEMS = made_items(EXAMPLES, ("noise",))
HYPERPARAMETERS = Hyperparameters(epochs=3, validation_share=0.25)
RECIPE = replace(get_recipe("mfcc40"), hyperparameters=HYPERPARAMETERS)
CONTEXT = RunContext(RECIPE, ITEMS, LABELS, Path("work"))
SPLIT = make_splits("speaker", CONTEXT.samples, HYPERPARAMETERS, (5,), folds=3)[0]


def test_the_samples_are_those_of_the_items_in_order() -> None:
    assert CONTEXT.samples == tuple(Sample(item.example, item.variant) for item in ITEMS)


def test_an_item_is_selected_for_each_sample_of_one_variant() -> None:
    selected = CONTEXT.select([Sample(EXAMPLES[3]), Sample(EXAMPLES[0], "noise")])

    assert [(item.example, item.variant) for item in selected] == [
        (EXAMPLES[3], "original"),
        (EXAMPLES[0], "noise"),
    ]


@pytest.mark.parametrize("variants", [("noise",), ("pitch", "room")])
def test_all_variants_are_the_original_and_the_augmentations(variants: tuple[str, ...]) -> None:
    context = replace(CONTEXT, items=made_items(EXAMPLES, variants))

    selected = context.select([Sample(EXAMPLES[3], ALL_VARIANTS)])

    assert {item.example for item in selected} == {EXAMPLES[3]}
    assert [item.variant for item in selected] == ["original", *variants]


def test_conditions_are_never_trained_on() -> None:
    with_condition = replace(CONTEXT, items=made_items(EXAMPLES, ("noise", "telephone")))

    selected = with_condition.select(SPLIT.train)

    assert {item.variant for item in selected} == {"original", "noise"}
    assert with_condition.select([Sample(EXAMPLES[0], "telephone")])


def test_a_dataset_has_the_main_corpus() -> None:
    other = [replace(example, corpus="a") for example in EXAMPLES[:6]]
    items = made_items([*other, *EXAMPLES[6:]])
    context = replace(CONTEXT, items=items)

    dataset = context.dataset([Sample(other[0]), Sample(EXAMPLES[6])])

    assert dataset.corpora.tolist() == [1, 0], "the main corpus is 0, although it comes second"


def test_where_the_main_corpus_is_left_out_another_takes_its_place() -> None:
    small = [replace(example, corpus="a") for example in EXAMPLES if example.emotion != "sad"][:2]
    large = [replace(example, corpus="b") for example in EXAMPLES[6:12]]
    context = replace(CONTEXT, items=made_items([*small, *large, *EXAMPLES[12:]]))

    dataset = context.dataset([Sample(example) for example in (*small, *large)])

    assert dataset.corpora.tolist() == [1] * 2 + [0] * 6


def test_the_folder_of_a_fold_is_a_name_whatever_its_corpora_are_called() -> None:
    split = replace(SPLIT, fold="a/b\n" + "c" * 300)

    folder = CONTEXT.folder(split)

    assert folder.parent == Path("work")
    assert folder.name.startswith("mfcc40-a-b-c")
    assert len(folder.name) < 120
    assert CONTEXT.folder(SPLIT).name.startswith("mfcc40-speakers-1-s5-")


def test_label_indices_are_those_of_the_samples_emotions() -> None:
    samples = [Sample(made_example("a", label)) for label in ("sad", "neutral")]

    assert CONTEXT.label_indices(samples).tolist() == [2, 0]


def test_the_inputs_of_a_model_are_the_windows_of_originals() -> None:
    assert CONTEXT.inputs([Sample(EXAMPLES[0])])[0] is ITEMS[0].windows


def test_several_nets_have_seeds_that_no_other_run_has() -> None:
    pair = replace(CONTEXT, recipe=replace(RECIPE, nets=2))

    seeds = [[one.seed for one in pair.net_splits(replace(SPLIT, seed=n))] for n in range(3)]

    assert seeds == [[0, 1], [2, 3], [4, 5]]
    assert {replace(one, seed=5) for one in pair.net_splits(SPLIT)} == {SPLIT}


def test_a_logistic_regression_has_one_seed_as_none_changes_it() -> None:
    regression = replace(CONTEXT, recipe=replace(RECIPE, net=LOGISTIC))

    splits = [regression.net_splits(replace(SPLIT, seed=seed)) for seed in range(3)]

    assert {split.seed for of_seed in splits for split in of_seed} == {0}


def test_the_seed_of_a_split_is_that_of_the_hyperparameters() -> None:
    assert CONTEXT.hyperparameters(SPLIT) == replace(HYPERPARAMETERS, seed=5)


CHANGED_RECIPES = {
    "epochs": replace(RECIPE, hyperparameters=replace(HYPERPARAMETERS, epochs=4)),
    "loss": replace(RECIPE, hyperparameters=replace(HYPERPARAMETERS, loss="focal")),
    "net": replace(RECIPE, net="cnn1d"),
    "features": replace(RECIPE, features=get_feature_set("stats162")),
    "window": replace(RECIPE, features=replace(RECIPE.features, window=2.0)),
    "floor": replace(RECIPE, floor=-2.0),
}


@pytest.mark.parametrize("recipe", CHANGED_RECIPES.values(), ids=CHANGED_RECIPES)
def test_whatever_of_a_recipe_could_change_a_net_has_another_folder(recipe: Recipe) -> None:
    assert replace(CONTEXT, recipe=recipe).folder(SPLIT) != CONTEXT.folder(SPLIT)


def test_other_labels_variants_or_contents_have_another_folder() -> None:
    others = [
        replace(CONTEXT, labels=LABELS[::-1]),
        replace(CONTEXT, items=made_items(EXAMPLES, ("pitch", "room"))),
    ]
    for change in ({"digest": "other"}, {"emotion": "sad"}):
        changed = [replace(example, **change) for example in EXAMPLES]
        renamed = dict(zip(EXAMPLES, changed, strict=True))
        split = replace(
            SPLIT,
            train=tuple(Sample(renamed[one.example], one.variant) for one in SPLIT.train),
            validation=tuple(Sample(renamed[one.example]) for one in SPLIT.validation),
        )
        items = tuple(replace(item, example=renamed[item.example]) for item in ITEMS)
        assert replace(CONTEXT, items=items).folder(split) != CONTEXT.folder(SPLIT)
    for other in others:
        assert other.folder(SPLIT) != CONTEXT.folder(SPLIT)


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
    assert CONTEXT.logits_path(replace(SPLIT, **changes)) != CONTEXT.logits_path(SPLIT)


def test_another_test_is_predicted_by_the_same_net() -> None:
    assert CONTEXT.folder(replace(SPLIT, test=SPLIT.test[1:])) == CONTEXT.folder(SPLIT)


def test_the_folder_is_the_same_wherever_the_recordings_lie() -> None:
    moved = {one: replace(one, path=Path("moved") / one.path) for one in EXAMPLES}
    items = tuple(replace(item, example=moved[item.example]) for item in ITEMS)
    split = replace(
        SPLIT,
        train=tuple(Sample(moved[one.example], one.variant) for one in SPLIT.train),
        validation=tuple(Sample(moved[one.example]) for one in SPLIT.validation),
    )

    assert replace(CONTEXT, items=items).folder(split) == CONTEXT.folder(SPLIT)


def test_how_many_nets_a_recipe_has_changes_no_single_net() -> None:
    """So nets can be added to those that are trained."""
    assert replace(CONTEXT, recipe=replace(RECIPE, nets=3)).folder(SPLIT) == CONTEXT.folder(SPLIT)
