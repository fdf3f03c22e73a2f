"""Nobody is on both sides of a split by speaker, and no recording on both sides of any."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from batchemo.corpora import Example
from batchemo.errors import UsageError
from batchemo.training.data.splits import (
    LUNA_JIMENEZ,
    check_apart,
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
    told = (path, corpus, speaker, gender, emotion, "normal")
    return Example(*told, channel=channel, digest=digest)


def actor(number: int, channel: str = "speech") -> Example:
    gender = "male" if number % 2 else "female"
    return example(f"ravdess-{number:02d}", gender=gender, channel=channel)


def speakers(examples) -> set[str]:
    return {one.speaker for one in examples}


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
    assert sorted(number for fold in LUNA_JIMENEZ for number in fold) == list(range(1, 25))


def test_with_all_actors_there_are_all_published_folds() -> None:
    everybody = [actor(number) for number in range(1, 25)] + [example("nemo-AB", corpus="nemo")]

    folds = luna_jimenez_folds(everybody)

    assert [fold.name for fold in folds] == [f"luna-jimenez-{k}" for k in (1, 2, 3, 4, 5)]
    for fold in folds:
        assert not speakers(fold.test) & speakers(fold.training)
        assert len(fold.test) + len(fold.training) == len(everybody)
        assert {one.corpus for one in fold.test} == {"ravdess"}


def test_a_fold_whose_actors_are_not_all_here_is_left_out() -> None:
    here = [actor(number) for number in range(1, 25) if number != 8]

    folds = luna_jimenez_folds(here)

    assert [fold.name for fold in folds] == [f"luna-jimenez-{k}" for k in (1, 2, 3, 5)]
    assert "ravdess-17" in speakers(folds[0].training)


def test_without_any_whole_fold_nothing_is_pretended() -> None:
    with pytest.raises(UsageError, match="No fold"):
        luna_jimenez_folds([actor(1)])


def test_a_test_actors_songs_leave_with_that_actor() -> None:
    both = [actor(number, channel) for number in range(1, 25) for channel in ("speech", "song")]

    for fold in (*luna_jimenez_folds(both), *speaker_folds(both)):
        songs = [one for one in fold.test if one.channel == "song"]
        assert len(songs) == len(fold.test) / 2 > 0
        assert not speakers(songs) & speakers(fold.training)
    rest, part = hold_out_speakers(both, 0.2, seed=0)
    assert Counter(one.channel for one in part) == {"speech": 4, "song": 4}
    assert not speakers(rest) & speakers(part)


def test_folds_of_speakers_are_alike_in_size_and_in_genders() -> None:
    folds = speaker_folds([actor(number) for number in range(1, 25)])

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
        assert fold.training
        assert not speakers(fold.test) & speakers(fold.training)
        assert Counter((*fold.test, *fold.training)) == Counter(examples)


@given(examples_of_a_corpus, shares, seeds)
def test_speakers_held_out_leave_nothing_behind(
    examples: list[Example], share: float, seed: int
) -> None:
    assume(len(speakers(examples)) > 1)

    rest, part = hold_out_speakers(examples, share, seed)

    assert (rest, part) == hold_out_speakers(examples, share, seed)
    assert rest
    assert part
    assert not speakers(rest) & speakers(part)
    assert Counter((*rest, *part)) == Counter(examples)


@given(st.integers(1, 12), st.integers(1, 12), shares, seeds)
def test_both_genders_are_held_out_and_both_stay_where_there_are_two(
    women: int, men: int, share: float, seed: int
) -> None:
    everybody = [example(f"f{n}", gender="female") for n in range(women)]
    everybody += [example(f"m{n}", gender="male") for n in range(men)]

    rest, part = hold_out_speakers(everybody, share, seed)

    for gender, count in (("female", women), ("male", men)):
        held = sum(one.gender == gender for one in part)
        if count > 1:
            assert held == min(max(1, round(share * count)), count - 1)
        else:
            assert held == 0 or women == men == 1


def test_other_seeds_hold_out_others() -> None:
    everybody = [actor(number) for number in range(1, 25)]

    parts = {hold_out_speakers(everybody, 0.2, seed)[1] for seed in range(5)}

    assert len(parts) > 1


@given(examples_of_a_corpus, shares, seeds)
def test_a_split_at_random_keeps_copies_together(
    examples: list[Example], share: float, seed: int
) -> None:
    rest, part = stratified_split(examples, share, seed)

    assert (rest, part) == stratified_split(examples, share, seed)
    assert Counter((*rest, *part)) == Counter(examples)
    check_apart(rest, part)


@given(st.dictionaries(st.sampled_from("abcde"), st.integers(1, 30), min_size=1), shares, seeds)
def test_every_emotion_is_split_alike(counts: dict[str, int], share: float, seed: int) -> None:
    examples = [
        example("s", emotion=emotion, digest=f"{emotion}{n}")
        for emotion, count in counts.items()
        for n in range(count)
    ]

    rest, part = stratified_split(examples, share, seed)

    for emotion, count in counts.items():
        taken = sum(one.emotion == emotion for one in part)
        assert abs(taken - share * count) <= 1
        if count > 1:
            assert 0 < taken < count
        else:
            assert taken == 0


def test_other_seeds_split_otherwise() -> None:
    examples = [example("s", digest=str(number)) for number in range(30)]

    assert len({stratified_split(examples, 0.2, seed) for seed in range(5)}) > 1


def test_the_same_recording_on_both_sides_is_refused() -> None:
    one, other = example("a", digest="1"), example("b", digest="1")
    without_speech = example("c")

    with pytest.raises(
        UsageError, match=r"both sides of the split: 1.*a-sad-speech\.wav.*b-sad-speech\.wav"
    ):
        check_apart([one, without_speech], [other, without_speech])
    check_apart([one], [example("b", digest="2")])


@pytest.mark.parametrize("split", [speaker_folds, lambda some: hold_out_speakers(some, 0.2, 0)])
def test_without_two_known_speakers_nothing_is_split_by_speaker(split) -> None:
    with pytest.raises(UsageError, match="at least two speakers; here are 1"):
        split([actor(1), actor(1)])
    with pytest.raises(UsageError, match=r"Who speaks in .* is not known"):
        split([actor(1), actor(2), example("")])


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, float("nan")])
def test_a_share_lies_between_nothing_and_all(share: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        hold_out_speakers([actor(1), actor(2)], share, 0)
    with pytest.raises(UsageError, match="between 0 and 1"):
        stratified_split([actor(1), actor(2)], share, 0)


def test_one_fold_is_no_split() -> None:
    with pytest.raises(UsageError, match="at least 2"):
        speaker_folds([actor(1), actor(2)], 1)
