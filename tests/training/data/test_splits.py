"""Splits: no speaker on both sides of a split by speaker, no recording on both sides of any."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from batchemo.corpora import Example
from batchemo.errors import UsageError
from batchemo.training.data.splits import (
    LUNA_JIMENEZ_FOLDS,
    check_disjoint,
    hold_out_speakers,
    luna_jimenez_folds,
    speaker_folds,
    stratified_split,
)


def example(
    speaker: str,
    *,
    corpus: str = "ravdess",
    gender: str = "female",
    emotion: str = "sad",
    channel: str = "speech",
    digest: str = "",
) -> Example:
    path = Path(f"{speaker}-{emotion}-{channel}.wav")
    facts = (path, corpus, speaker, gender, emotion, "normal")
    return Example(*facts, channel=channel, digest=digest)


def actor(number: int, channel: str = "speech") -> Example:
    gender = "male" if number % 2 else "female"
    return example(f"ravdess-{number:02d}", gender=gender, channel=channel)


ACTORS = [actor(number) for number in range(1, 25)]


def speakers(examples: Iterable[Example]) -> set[str]:
    return {example.speaker for example in examples}


examples_of_a_corpus = st.lists(
    st.builds(
        example,
        speaker=st.sampled_from("abcdefg"),
        gender=st.sampled_from(["female", "male", ""]),
        emotion=st.sampled_from(["sad", "happy", "calm"]),
        channel=st.sampled_from(["speech", "song"]),
        digest=st.sampled_from(["", "1", "2", "3", "4"]),
    ),
    min_size=1,
    max_size=40,
)
shares = st.floats(0.01, 0.99)
seeds = st.integers(0, 2**32)


def test_the_published_folds_hold_every_actor_once() -> None:
    assert sorted(number for fold in LUNA_JIMENEZ_FOLDS for number in fold) == list(range(1, 25))


def test_with_all_actors_there_are_all_published_folds() -> None:
    examples = [*ACTORS, example("nemo-AB", corpus="nemo")]

    folds = luna_jimenez_folds(examples)

    assert [fold.name for fold in folds] == [f"luna-jimenez-{n}" for n in (1, 2, 3, 4, 5)]
    for fold in folds:
        assert not speakers(fold.test) & speakers(fold.train)
        assert len(fold.test) + len(fold.train) == len(examples)
        assert {one.corpus for one in fold.test} == {"ravdess"}


def test_a_published_fold_without_all_of_its_actors_is_left_out() -> None:
    folds = luna_jimenez_folds([one for one in ACTORS if one.speaker != "ravdess-08"])

    assert [fold.name for fold in folds] == [f"luna-jimenez-{n}" for n in (1, 2, 3, 5)]
    assert "ravdess-17" in speakers(folds[0].train)


def test_without_any_whole_published_fold_there_is_an_error() -> None:
    with pytest.raises(UsageError, match="No fold"):
        luna_jimenez_folds([actor(1)])


def test_all_channels_of_a_speaker_are_on_the_same_side() -> None:
    both = [actor(number, channel) for number in range(1, 25) for channel in ("speech", "song")]

    for fold in (*luna_jimenez_folds(both), *speaker_folds(both)):
        songs = [one for one in fold.test if one.channel == "song"]
        assert len(songs) == len(fold.test) / 2 > 0
        assert not speakers(songs) & speakers(fold.train)
    rest, held_out = hold_out_speakers(both, 0.2, seed=0)
    assert Counter(one.channel for one in held_out) == {"speech": 4, "song": 4}
    assert not speakers(rest) & speakers(held_out)


def test_folds_of_speakers_are_alike_in_size_and_in_genders() -> None:
    folds = speaker_folds(ACTORS)

    assert sorted(len(fold.test) for fold in folds) == [4, 5, 5, 5, 5]
    for fold in folds:
        genders = Counter(one.gender for one in fold.test)
        assert abs(genders["female"] - genders["male"]) <= 1


def test_few_speakers_are_a_fold_each() -> None:
    folds = speaker_folds([example("tess-OA", corpus="tess"), example("tess-YA", corpus="tess")])

    assert [speakers(fold.test) for fold in folds] == [{"tess-OA"}, {"tess-YA"}]


@given(examples_of_a_corpus, st.integers(2, 6))
def test_each_speaker_is_tested_once(examples: list[Example], count: int) -> None:
    assume(len(speakers(examples)) > 1)

    folds = speaker_folds(examples, count)

    assert folds == speaker_folds(examples, count)
    assert len(folds) == min(count, len(speakers(examples)))
    assert sorted(name for fold in folds for name in speakers(fold.test)) == sorted(
        speakers(examples)
    )
    for fold in folds:
        assert fold.train
        assert not speakers(fold.test) & speakers(fold.train)
        assert Counter((*fold.test, *fold.train)) == Counter(examples)


@given(examples_of_a_corpus, shares, seeds)
def test_all_recordings_of_held_out_speakers_are_held_out(
    examples: list[Example], share: float, seed: int
) -> None:
    assume(len(speakers(examples)) > 1)

    rest, held_out = hold_out_speakers(examples, share, seed)

    assert (rest, held_out) == hold_out_speakers(examples, share, seed)
    assert rest
    assert held_out
    assert not speakers(rest) & speakers(held_out)
    assert Counter((*rest, *held_out)) == Counter(examples)


@given(st.integers(1, 12), st.integers(1, 12), shares, seeds)
def test_of_each_gender_with_two_speakers_some_are_held_out_and_some_stay(
    women: int, men: int, share: float, seed: int
) -> None:
    examples = [example(f"f{n}", gender="female") for n in range(women)]
    examples += [example(f"m{n}", gender="male") for n in range(men)]

    _, held_out = hold_out_speakers(examples, share, seed)

    for gender, count in (("female", women), ("male", men)):
        of_gender = sum(one.gender == gender for one in held_out)
        if count > 1:
            assert of_gender == min(max(1, round(share * count)), count - 1)
        else:
            assert of_gender == 0 or women == men == 1


def test_other_seeds_hold_out_other_speakers() -> None:
    assert len({hold_out_speakers(ACTORS, 0.2, seed)[1] for seed in range(5)}) > 1


@given(examples_of_a_corpus, shares, seeds)
def test_a_random_split_keeps_files_of_equal_content_together(
    examples: list[Example], share: float, seed: int
) -> None:
    rest, held_out = stratified_split(examples, share, seed)

    assert (rest, held_out) == stratified_split(examples, share, seed)
    assert Counter((*rest, *held_out)) == Counter(examples)
    check_disjoint(rest, held_out)


@given(st.dictionaries(st.sampled_from("abcde"), st.integers(1, 30), min_size=1), shares, seeds)
def test_a_random_split_takes_the_same_share_of_every_emotion(
    counts: dict[str, int], share: float, seed: int
) -> None:
    examples = [
        example("s", emotion=emotion, digest=f"{emotion}{n}")
        for emotion, count in counts.items()
        for n in range(count)
    ]

    _, held_out = stratified_split(examples, share, seed)

    for emotion, count in counts.items():
        of_emotion = sum(one.emotion == emotion for one in held_out)
        assert abs(of_emotion - share * count) <= 1
        assert 0 < of_emotion < count if count > 1 else of_emotion == 0


def test_other_seeds_split_differently() -> None:
    examples = [example("s", digest=str(number)) for number in range(30)]

    assert len({stratified_split(examples, 0.2, seed) for seed in range(5)}) > 1


def test_the_same_recording_on_both_sides_is_refused() -> None:
    train, test = example("a", digest="1"), example("b", digest="1")
    without_digest = example("c")

    with pytest.raises(
        UsageError, match=r"both sides of the split: 1.*a-sad-speech\.wav.*b-sad-speech\.wav"
    ):
        check_disjoint([train, without_digest], [test, without_digest])
    check_disjoint([train], [example("b", digest="2")])


@pytest.mark.parametrize("split", [speaker_folds, lambda some: hold_out_speakers(some, 0.2, 0)])
def test_a_split_by_speaker_needs_two_known_speakers(
    split: Callable[[list[Example]], object],
) -> None:
    with pytest.raises(UsageError, match="at least two speakers; here are 1"):
        split([actor(1), actor(1)])
    with pytest.raises(UsageError, match=r"The speaker of .* is not known"):
        split([actor(1), actor(2), example("")])


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, float("nan")])
def test_a_share_must_lie_between_0_and_1(share: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        hold_out_speakers([actor(1), actor(2)], share, 0)
    with pytest.raises(UsageError, match="between 0 and 1"):
        stratified_split([actor(1), actor(2)], share, 0)


def test_a_single_fold_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 2"):
        speaker_folds([actor(1), actor(2)], 1)
