"""What is learnt from, watched and tested: honest under two protocols, and not under the third."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_items import LABELS, made_example, made_items

from batchemo.corpora import Example
from batchemo.errors import UsageError
from batchemo.training.data.feature_store import FeatureItem
from batchemo.training.data.protocols import (
    PROTOCOLS,
    TWIN,
    Protocol,
    Split,
    final_trial,
    make_trials,
    with_twins,
)
from batchemo.training.data.splits import LUNA_JIMENEZ
from batchemo.training.hyperparameters import Hyperparameters

CHOICES = Hyperparameters(validation_share=0.25)
AUGMENTATIONS = ("noise", "pitch")
SPEAKERS = "abcdefghij"

MADE = [made_example(who, label, take) for who in SPEAKERS for label in LABELS for take in (0, 1)]
ITEMS = made_items(MADE, AUGMENTATIONS)

RAVDESS = [
    made_example(
        f"ravdess-{actor:02d}",
        label,
        corpus="ravdess",
        gender="male" if actor % 2 else "female",
        channel=channel,
    )
    for actor in range(1, 25)
    for label in LABELS
    for channel in ("speech", "song")
]
SUNG = made_items(RAVDESS, AUGMENTATIONS)


def part(items: Iterable[FeatureItem], places: Iterable[int]) -> list[FeatureItem]:
    listed = list(items)
    return [listed[place] for place in places]


def speakers(items: Iterable[FeatureItem]) -> set[str]:
    return {item.example.speaker for item in items}


def digests(items: Iterable[FeatureItem]) -> set[str]:
    return {item.example.digest for item in items}


def augmentations(items: Iterable[FeatureItem]) -> set[str]:
    return {item.copy for item in items}


def check_honest(items: tuple[FeatureItem, ...], split: Split) -> None:
    """No recording in two parts; copies of learnt recordings only, and of each of them all."""
    learn, watch, test = (part(items, places) for places in (split.learn, split.watch, split.test))
    assert not digests(learn) & digests(watch)
    assert not digests(learn) & digests(test)
    assert not digests(watch) & digests(test)
    assert augmentations([*watch, *test]) <= {"original"}
    assert augmentations(learn) == {"original", *AUGMENTATIONS}
    assert len(learn) == len(set(split.learn)) == len(digests(learn)) * (1 + len(AUGMENTATIONS))


def test_by_speaker_nobody_is_in_two_parts_of_a_trial() -> None:
    splits = make_trials("speaker", ITEMS, CHOICES, (0, 1))

    assert len(splits) == 10
    for split in splits:
        check_honest(ITEMS, split)
        learn, watch, test = (
            speakers(part(ITEMS, places)) for places in (split.learn, split.watch, split.test)
        )
        assert learn
        assert watch
        assert not learn & watch
        assert not learn & test
        assert not watch & test
        assert learn | watch | test == set(SPEAKERS)


def test_by_speaker_every_recording_is_tested_once_a_seed() -> None:
    splits = make_trials("speaker", ITEMS, CHOICES, (0, 1))

    originals = [place for place, item in enumerate(ITEMS) if item.copy == "original"]
    for seed in (0, 1):
        tested = [place for one in splits if one.seed == seed for place in one.test]
        assert sorted(tested) == originals


def test_who_is_watched_is_drawn_anew_for_every_seed_and_fold() -> None:
    splits = make_trials("speaker", ITEMS, CHOICES, (0, 1, 2))

    assert len({frozenset(speakers(part(ITEMS, split.watch))) for split in splits}) > 5


def test_a_test_actors_songs_leave_training_with_that_actor() -> None:
    splits = make_trials("speaker", SUNG, CHOICES, (0,))

    assert [split.fold for split in splits] == [f"luna-jimenez-{n}" for n in (1, 2, 3, 4, 5)]
    for split, actors in zip(splits, LUNA_JIMENEZ, strict=True):
        check_honest(SUNG, split)
        test = part(SUNG, split.test)
        assert speakers(test) == {f"ravdess-{actor:02d}" for actor in actors}
        assert {item.example.channel for item in test} == {"speech", "song"}
        heard = part(SUNG, (*split.learn, *split.watch))
        assert not speakers(heard) & speakers(test)
        assert {item.example.channel for item in part(SUNG, split.watch)} == {"speech", "song"}
        assert not speakers(part(SUNG, split.learn)) & speakers(part(SUNG, split.watch))


def test_folds_can_be_any_number_or_the_published_ones() -> None:
    def names(items: tuple[FeatureItem, ...], folds: str | int | None) -> list[str]:
        return [split.fold for split in make_trials("speaker", items, CHOICES, (0,), folds=folds)]

    assert names(SUNG, None) == names(SUNG, "luna-jimenez")
    assert names(SUNG, 3) == ["speakers-1", "speakers-2", "speakers-3"]
    assert names(ITEMS, None) == [f"speakers-{number}" for number in (1, 2, 3, 4, 5)]


@pytest.mark.parametrize("folds", ["published", "", "5"])
def test_folds_that_are_neither_are_refused_by_their_option(folds: str) -> None:
    with pytest.raises(UsageError, match=f"--folds is '{folds}': .* luna-jimenez"):
        make_trials("speaker", ITEMS, CHOICES, (0,), folds=folds)


def test_the_published_folds_are_refused_where_none_of_their_actors_is() -> None:
    with pytest.raises(UsageError, match="Luna-Jiménez"):
        make_trials("speaker", ITEMS, CHOICES, (0,), folds="luna-jimenez")


def test_by_speaker_is_refused_where_somebody_is_not_known() -> None:
    unknown = made_items([*MADE, made_example("", "sad")])

    with pytest.raises(UsageError, match="column speaker"):
        make_trials("speaker", unknown, CHOICES, (0,))


def test_the_same_recording_under_two_speakers_is_refused() -> None:
    twice = [*MADE, replace(MADE[0], speaker="j", path=Path("again.wav"))]

    with pytest.raises(UsageError, match="both sides"):
        make_trials("speaker", made_items(twice), CHOICES, (0,))


@given(st.integers(0, 2**32))
def test_at_random_no_recording_nor_a_copy_of_it_is_in_two_parts(seed: int) -> None:
    (split,) = make_trials("random", ITEMS, CHOICES, (seed,))

    check_honest(ITEMS, split)
    learn, watch, test = (part(ITEMS, places) for places in (split.learn, split.watch, split.test))
    assert digests([*learn, *watch, *test]) == digests(ITEMS)
    for label in LABELS:
        count = sum(item.example.emotion == label for item in test)
        assert count == len(test) / len(LABELS)
    assert len(test) == len(MADE) // 5


def test_at_random_two_files_of_the_same_recording_stay_together() -> None:
    again = [replace(one, path=Path("again") / one.path) for one in MADE]
    items = made_items([*MADE, *again])

    for split in make_trials("random", items, CHOICES, range(5)):
        learn, watch, test = (
            digests(part(items, places)) for places in (split.learn, split.watch, split.test)
        )
        assert len(learn) + len(watch) + len(test) == len(MADE)


def test_the_leaky_split_puts_copies_of_the_same_recordings_on_both_sides() -> None:
    (split,) = make_trials("leaky", ITEMS, CHOICES, (0,))

    learn, test = part(ITEMS, split.learn), part(ITEMS, split.test)
    assert sorted((*split.learn, *split.test)) == list(range(len(ITEMS)))
    assert augmentations(test) == {"original", *AUGMENTATIONS}
    assert len(digests(learn) & digests(test)) > len(digests(test)) / 2
    assert {item.example.emotion for item in test} == set(LABELS)


def test_the_leaky_split_chooses_its_epoch_by_the_very_items_that_are_scored() -> None:
    for split in make_trials("leaky", ITEMS, CHOICES, (0, 1)):
        assert split.watch == split.test


def test_only_the_leaky_protocol_is_called_leaky_and_it_says_so_loudly() -> None:
    assert [name for name, told in PROTOCOLS.items() if "leaky" in told.lower()] == ["leaky"]
    assert PROTOCOLS["leaky"].startswith("LEAKY")
    assert "Not a measure of accuracy" in PROTOCOLS["leaky"]


def test_twins_are_all_recordings_a_second_time_as_they_are() -> None:
    doubled = with_twins(ITEMS)

    twins = [item for item in doubled if item.copy == TWIN]
    originals = [item for item in ITEMS if item.copy == "original"]
    assert doubled[: len(ITEMS)] == ITEMS
    assert [twin.example for twin in twins] == MADE
    assert all(twin.windows is one.windows for twin, one in zip(twins, originals, strict=True))


def test_with_twins_a_leaky_split_leaks_even_without_copies() -> None:
    doubled = with_twins(made_items(MADE))
    (split,) = make_trials("leaky", doubled, CHOICES, (0,))

    assert digests(part(doubled, split.learn)) & digests(part(doubled, split.test))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_trial_is_the_same_for_the_same_seed_and_another_for_another(protocol: Protocol) -> None:
    one, same, other = (make_trials(protocol, ITEMS, CHOICES, (seed,)) for seed in (3, 3, 4))

    assert one == same
    assert [split.learn for split in one] != [split.learn for split in other]


@pytest.mark.parametrize("protocol", ["random", "leaky"])
def test_too_few_recordings_for_a_split_are_told(protocol: Protocol) -> None:
    few = made_items([made_example("a", label) for label in LABELS])

    with pytest.raises(UsageError, match="too few recordings"):
        make_trials(protocol, few, CHOICES, (0,))


def everything_but_a_test(
    items: tuple[FeatureItem, ...], split: Split
) -> tuple[list[FeatureItem], list[FeatureItem]]:
    assert (split.fold, split.test) == ("all", ())
    learn, watch = part(items, split.learn), part(items, split.watch)
    assert digests(learn) | digests(watch) == digests(items)
    check_honest(items, split)
    return learn, watch


def test_a_net_that_ships_learns_all_but_the_watched_speakers() -> None:
    learn, watch = everything_but_a_test(ITEMS, final_trial(ITEMS, CHOICES))

    assert speakers(watch)
    assert not speakers(learn) & speakers(watch)


@pytest.mark.parametrize("who", ["", "a"])
def test_where_speakers_cannot_be_told_apart_some_recordings_are_watched(who: str) -> None:
    examples: list[Example] = [replace(one, speaker=who) for one in MADE]
    items = made_items(examples, AUGMENTATIONS)

    _, watch = everything_but_a_test(items, final_trial(items, CHOICES))

    assert {item.example.emotion for item in watch} == set(LABELS)


def test_a_single_recording_of_each_class_is_too_little_for_a_net_that_ships() -> None:
    with pytest.raises(UsageError, match="too few recordings"):
        final_trial(made_items([made_example("", label) for label in LABELS]), CHOICES)


def test_two_speakers_are_too_few_to_learn_watch_and_test() -> None:
    two = sorted({item.example.speaker for item in ITEMS})[:2]
    items = [item for item in ITEMS if item.example.speaker in two]
    with pytest.raises(UsageError, match=r"at least 3 speakers, .* here are 2"):
        make_trials("speaker", items, CHOICES, (0,))
