"""What is trained on, validated and tested: honest under two protocols, and not under the third."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_items import LABELS, made_example

from batchemo.corpora import Example
from batchemo.errors import UsageError
from batchemo.training.data.protocols import (
    ALL_VARIANTS,
    PROTOCOLS,
    Protocol,
    Sample,
    Split,
    final_split,
    make_splits,
    protocol_description,
)
from batchemo.training.data.splits import LUNA_JIMENEZ_FOLDS
from batchemo.training.hyperparameters import Hyperparameters

HYPERPARAMETERS = Hyperparameters(validation_share=0.25)
WITHOUT_VALIDATION = Hyperparameters(validation_share=0.0, select_epoch="last")
VARIANTS = ("original", "noise", "pitch")
SPEAKERS = "abcdefghij"

EXAMPLES = [
    made_example(speaker, label, take)
    for speaker in SPEAKERS
    for label in LABELS
    for take in (0, 1)
]
RAVDESS = [
    made_example(
        f"ravdess-{actor:02d}",
        label,
        corpus="ravdess" if channel == "speech" else "ravdess_song",
        gender="male" if actor % 2 else "female",
        channel=channel,
    )
    for actor in range(1, 25)
    for label in LABELS
    for channel in ("speech", "song")
]


def samples_of(examples: Iterable[Example], variants: Iterable[str] = VARIANTS) -> list[Sample]:
    return [Sample(example, variant) for example in examples for variant in variants]


SAMPLES, RAVDESS_SAMPLES = samples_of(EXAMPLES), samples_of(RAVDESS)


def parts_of(split: Split) -> tuple[tuple[Sample, ...], ...]:
    return split.train, split.validation, split.test


def speakers(samples: Iterable[Sample]) -> set[str]:
    return {sample.example.speaker for sample in samples}


def digests(samples: Iterable[Sample]) -> set[str]:
    return {sample.example.digest for sample in samples}


def variants(samples: Iterable[Sample]) -> set[str]:
    return {sample.variant for sample in samples}


def check_honest(split: Split) -> None:
    """No recording is in two parts; only what is trained on comes in other variants."""
    train, validation, test = parts_of(split)
    assert not digests(train) & digests(validation)
    assert not digests(train) & digests(test)
    assert not digests(validation) & digests(test)
    assert variants([*validation, *test]) <= {"original"}
    assert variants(train) == {ALL_VARIANTS}
    assert len(train) == len(digests(train))


def test_by_speaker_no_speaker_is_in_two_parts_of_a_split() -> None:
    splits = make_splits("speaker", SAMPLES, HYPERPARAMETERS, (0, 1))

    assert len(splits) == 10
    for split in splits:
        check_honest(split)
        train, validation, test = map(speakers, parts_of(split))
        assert train
        assert validation
        assert not train & validation
        assert not train & test
        assert not validation & test
        assert train | validation | test == set(SPEAKERS)


def test_by_speaker_every_recording_is_tested_once_a_seed() -> None:
    splits = make_splits("speaker", SAMPLES, HYPERPARAMETERS, (0, 1))

    for seed in (0, 1):
        tested = [sample for split in splits if split.seed == seed for sample in split.test]
        assert sorted(sample.example.digest for sample in tested) == sorted(digests(SAMPLES))


def test_validation_speakers_are_drawn_anew_for_every_seed_and_fold() -> None:
    splits = make_splits("speaker", SAMPLES, HYPERPARAMETERS, (0, 1, 2))

    assert len({frozenset(speakers(split.validation)) for split in splits}) > 5


def test_without_a_share_of_validation_all_others_are_trained_on() -> None:
    for split in make_splits("speaker", SAMPLES, WITHOUT_VALIDATION, (0,)):
        assert split.validation == ()
        assert speakers(split.train) | speakers(split.test) == set(SPEAKERS)


def test_a_test_actors_songs_leave_training_with_that_actor() -> None:
    splits = make_splits("speaker", RAVDESS_SAMPLES, HYPERPARAMETERS, (0,))

    assert [split.fold for split in splits] == [f"luna-jimenez-{n}" for n in (1, 2, 3, 4, 5)]
    for split, actors in zip(splits, LUNA_JIMENEZ_FOLDS, strict=True):
        check_honest(split)
        train, validation, test = parts_of(split)
        assert speakers(test) == {f"ravdess-{actor:02d}" for actor in actors}
        assert {sample.example.channel for sample in test} == {"speech", "song"}
        assert not speakers((*train, *validation)) & speakers(test)
        assert {sample.example.channel for sample in validation} == {"speech", "song"}
        assert not speakers(train) & speakers(validation)


def test_folds_can_be_any_number_or_the_published_ones() -> None:
    def names(samples: list[Sample], folds: str | int | None) -> list[str]:
        splits = make_splits("speaker", samples, HYPERPARAMETERS, (0,), folds=folds)
        return [split.fold for split in splits]

    assert names(RAVDESS_SAMPLES, None) == names(RAVDESS_SAMPLES, "luna-jimenez")
    assert names(RAVDESS_SAMPLES, 3) == ["speakers-1", "speakers-2", "speakers-3"]
    assert names(SAMPLES, None) == [f"speakers-{number}" for number in (1, 2, 3, 4, 5)]


@pytest.mark.parametrize("folds", ["published", "", "5"])
def test_folds_that_are_neither_are_refused_by_their_option(folds: str) -> None:
    with pytest.raises(UsageError, match=f"--folds is '{folds}': .* luna-jimenez"):
        make_splits("speaker", SAMPLES, HYPERPARAMETERS, (0,), folds=folds)


def test_the_published_folds_are_refused_where_none_of_their_actors_is() -> None:
    with pytest.raises(UsageError, match="Luna-Jiménez"):
        make_splits("speaker", SAMPLES, HYPERPARAMETERS, (0,), folds="luna-jimenez")


def test_by_speaker_is_refused_where_a_speaker_is_not_known() -> None:
    unknown = samples_of([*EXAMPLES, made_example("", "sad")])

    with pytest.raises(UsageError, match="column speaker"):
        make_splits("speaker", unknown, HYPERPARAMETERS, (0,))


def test_two_speakers_are_too_few_for_training_validation_and_test() -> None:
    two = [sample for sample in SAMPLES if sample.example.speaker in "ab"]

    with pytest.raises(UsageError, match=r"at least 3 speakers, .* here are 2"):
        make_splits("speaker", two, HYPERPARAMETERS, (0,))


def test_the_same_recording_under_two_speakers_is_refused() -> None:
    twice = [*EXAMPLES, replace(EXAMPLES[0], speaker="j", path=Path("again.wav"))]

    with pytest.raises(UsageError, match="both sides"):
        make_splits("speaker", samples_of(twice), HYPERPARAMETERS, (0,))


@given(st.integers(0, 2**32))
def test_at_random_no_recording_is_in_two_parts_in_any_variant(seed: int) -> None:
    (split,) = make_splits("random", SAMPLES, HYPERPARAMETERS, (seed,))

    check_honest(split)
    assert digests([*split.train, *split.validation, *split.test]) == digests(SAMPLES)
    for label in LABELS:
        count = sum(sample.example.emotion == label for sample in split.test)
        assert count == len(split.test) / len(LABELS)
    assert len(split.test) == len(EXAMPLES) // 5


def test_at_random_two_files_of_the_same_recording_stay_together() -> None:
    again = [replace(one, path=Path("again") / one.path) for one in EXAMPLES]
    samples = samples_of([*EXAMPLES, *again])

    for split in make_splits("random", samples, HYPERPARAMETERS, range(5)):
        assert sum(len(digests(part)) for part in parts_of(split)) == len(EXAMPLES)


def test_the_leaky_split_has_variants_of_the_same_recordings_on_both_sides() -> None:
    (split,) = make_splits("leaky", SAMPLES, HYPERPARAMETERS, (0,))

    assert sorted((*split.train, *split.test), key=repr) == sorted(SAMPLES, key=repr)
    assert variants(split.test) == set(VARIANTS)
    assert len(digests(split.train) & digests(split.test)) > len(digests(split.test)) / 2
    assert {sample.example.emotion for sample in split.test} == set(LABELS)


def test_the_leaky_split_selects_its_epoch_by_the_very_samples_that_are_scored() -> None:
    for split in make_splits("leaky", SAMPLES, HYPERPARAMETERS, (0, 1)):
        assert split.validation == split.test


def test_with_twins_a_leaky_split_leaks_even_without_augmentations() -> None:
    doubled = [*samples_of(EXAMPLES, ("original",)), *samples_of(EXAMPLES, ("twin",))]

    (split,) = make_splits("leaky", doubled, HYPERPARAMETERS, (0,))

    assert digests(split.train) & digests(split.test)


def test_by_speaker_only_some_corpora_may_be_tested_and_all_are_trained_on() -> None:
    seed = (0,)
    every = make_splits("speaker", RAVDESS_SAMPLES, HYPERPARAMETERS, seed)
    some = make_splits("speaker", RAVDESS_SAMPLES, HYPERPARAMETERS, seed, test_on=["ravdess"])

    assert [split.train for split in some] == [split.train for split in every]
    for one, of_all in zip(some, every, strict=True):
        assert {sample.example.corpus for sample in of_all.test} == {"ravdess", "ravdess_song"}
        assert one.test == tuple(s for s in of_all.test if s.example.corpus == "ravdess")


def test_folds_without_recordings_of_the_tested_corpora_are_left_out() -> None:
    few = [*SAMPLES, *samples_of([made_example("k", label, corpus="few") for label in LABELS])]

    (split,) = make_splits("speaker", few, HYPERPARAMETERS, (0,), test_on=["few"])

    assert speakers(split.test) == {"k"}
    with pytest.raises(UsageError, match="--test-on calls: no fold has recordings"):
        make_splits("speaker", few, HYPERPARAMETERS, (0,), test_on=["calls"])


def test_only_the_leaky_protocol_is_called_leaky_and_it_is_loud_about_it() -> None:
    leaky = [name for name, description in PROTOCOLS.items() if "leaky" in description.lower()]

    assert leaky == ["leaky"]
    assert PROTOCOLS["leaky"].startswith("LEAKY")
    assert "Not a measure of accuracy" in PROTOCOLS["leaky"]


def test_the_description_says_how_the_epoch_and_the_temperature_were_selected() -> None:
    assert "held out to select" in protocol_description("speaker", HYPERPARAMETERS)
    assert "No epoch was selected" in protocol_description("speaker", WITHOUT_VALIDATION)
    assert protocol_description("leaky", HYPERPARAMETERS) == PROTOCOLS["leaky"]


@pytest.mark.parametrize("protocol", ["speaker", "random", "leaky"])
def test_a_split_depends_on_its_seed(protocol: Protocol) -> None:
    one, same, other = (
        make_splits(protocol, SAMPLES, HYPERPARAMETERS, (seed,)) for seed in (3, 3, 4)
    )

    assert one == same
    assert [split.train for split in one] != [split.train for split in other]


@pytest.mark.parametrize("protocol", ["random", "leaky"])
def test_too_few_recordings_for_a_split_are_refused(protocol: Protocol) -> None:
    few = samples_of([made_example("a", label) for label in LABELS], ("original",))

    with pytest.raises(UsageError, match="too few recordings"):
        make_splits(protocol, few, HYPERPARAMETERS, (0,))


# The split of a model that is shipped.


def check_final(split: Split) -> None:
    check_honest(split)
    assert (split.fold, split.test) == ("all", ())
    assert digests((*split.train, *split.validation)) == digests(SAMPLES)


def test_a_shipped_model_is_trained_on_all_but_the_validation_speakers() -> None:
    split = final_split(SAMPLES, HYPERPARAMETERS)

    check_final(split)
    assert speakers(split.validation)
    assert not speakers(split.train) & speakers(split.validation)


def test_a_shipped_model_without_validation_is_trained_on_all() -> None:
    split = final_split(SAMPLES, WITHOUT_VALIDATION)

    check_final(split)
    assert split.validation == ()


@pytest.mark.parametrize("speaker", ["", "a"])
def test_where_speakers_cannot_be_told_apart_some_recordings_are_for_validation(
    speaker: str,
) -> None:
    samples = samples_of(replace(example, speaker=speaker) for example in EXAMPLES)

    split = final_split(samples, HYPERPARAMETERS)

    check_final(split)
    assert {sample.example.emotion for sample in split.validation} == set(LABELS)


def test_a_single_recording_of_each_class_is_too_little_for_validation() -> None:
    with pytest.raises(UsageError, match="too few recordings"):
        final_split(samples_of([made_example("", label) for label in LABELS]), HYPERPARAMETERS)
