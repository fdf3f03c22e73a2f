"""A corpus that is left out leaves training with its speakers and its language."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from made_items import made_example

from batchemo.corpora import Example
from batchemo.errors import UsageError
from batchemo.training.data.left_out import corpus_folds, reasons_not_tested
from batchemo.training.data.protocols import Sample, Split, make_splits, protocol_description
from batchemo.training.data.splits import Fold
from batchemo.training.hyperparameters import Hyperparameters

WITH_VALIDATION = Hyperparameters(validation_share=0.25)


def corpus(
    name: str, language: str, emotions: str, speakers: str = "", channel: str = "speech"
) -> list[Example]:
    return [
        made_example(
            f"{speakers or name}-{number}",
            emotion,
            corpus=name,
            language=language,
            channel=f"{channel} of {name}",
        )
        for number in (1, 2, 3)
        for emotion in emotions.split()
    ]


SPEECH = corpus("ravdess", "en", "neutral calm happy sad")
SONG = corpus("ravdess_song", "en", "neutral calm sad", speakers="ravdess", channel="song")
POLISH = corpus("nemo", "pl", "neutral happy sad")
GERMAN = corpus("emodb", "de", "neutral happy sad")
ITALIAN = corpus("emovo", "it", "neutral happy")
PLAIN = corpus("readers", "en-zh", "neutral")
ALL = [*SPEECH, *SONG, *POLISH, *GERMAN, *ITALIAN, *PLAIN]


def corpora(examples: Iterable[Example]) -> set[str]:
    return {example.corpus for example in examples}


def fold_that_tests(name: str, folds: Iterable[Fold]) -> Fold:
    [fold] = [fold for fold in folds if name in corpora(fold.test)]
    return fold


def test_what_is_tested_shares_no_corpus_speaker_or_language_with_what_is_trained_on() -> None:
    for fold in corpus_folds(ALL):
        assert not corpora(fold.train) & corpora(fold.test)
        assert not {one.speaker for one in fold.train} & {one.speaker for one in fold.test}
        languages = [{one.language[:2] for one in part} for part in (fold.train, fold.test)]
        assert not languages[0] & languages[1]


def test_each_corpus_is_tested_once_and_those_of_one_language_share_their_models() -> None:
    folds = corpus_folds(ALL)

    names = ["emodb", "emovo", "nemo", "ravdess+ravdess_song+readers"]
    assert [fold.name for fold in folds] == names
    assert corpora(folds[0].train) == {"emovo", "nemo", "ravdess", "ravdess_song", "readers"}
    assert corpora(folds[-1].train) == {"emodb", "emovo", "nemo"}


def test_a_speaker_leaves_training_also_in_a_corpus_of_another_language() -> None:
    in_french = corpus("french", "fr", "neutral happy sad", speakers="ravdess")
    in_french += corpus("french", "fr", "neutral happy sad")

    fold = fold_that_tests("ravdess", corpus_folds([*SPEECH, *in_french]))

    assert {one.speaker for one in fold.train} == {"french-1", "french-2", "french-3"}


def test_a_corpus_of_several_languages_leaves_with_each_of_them() -> None:
    mixed = corpus("mixed", "hi", "neutral sad") + corpus("mixed", "pl", "happy", speakers="pole")

    folds = corpus_folds([*POLISH, *GERMAN, *mixed])

    assert corpora(fold_that_tests("nemo", folds).train) == {"emodb"}
    assert corpora(fold_that_tests("mixed", folds).train) == {"emodb"}


def test_corpora_that_are_tested_only_are_in_no_training() -> None:
    folds = corpus_folds(ALL, ("emovo", "readers"))

    assert all(not corpora(fold.train) & {"emovo", "readers"} for fold in folds)
    assert corpora(one for fold in folds for one in fold.test) == corpora(ALL)
    assert corpora(fold_that_tests("emovo", folds).train) == corpora(
        [*SPEECH, *SONG, *POLISH, *GERMAN]
    )


def test_a_corpus_without_a_language_leaves_alone() -> None:
    unknown = corpus("mine", "", "neutral sad") + corpus("yours", "", "neutral sad")

    assert corpora(fold_that_tests("mine", corpus_folds(unknown)).train) == {"yours"}


def test_a_class_that_only_the_left_out_corpora_have_is_neither_tested_nor_predicted() -> None:
    samples = [Sample(example) for example in ALL]

    splits = make_splits("corpus", samples, Hyperparameters(), (0,))

    english = splits[-1]
    assert english.untrained == ("calm",)
    tested = {sample.example for split in splits for sample in split.test}
    assert {one.emotion for one in set(ALL) - tested} == {"calm"}
    assert reasons_not_tested(ALL, tested) == {
        "ravdess: calm is in no corpus of another language": 3,
        "ravdess_song: calm is in no corpus of another language": 3,
    }
    assert all(split.untrained == () for split in splits[:-1])


def test_nothing_of_the_left_out_corpora_is_validated_with() -> None:
    samples = [Sample(example) for example in ALL]

    splits = make_splits("corpus", samples, WITH_VALIDATION, (0, 1), test_only=("emovo",))

    assert len(splits) == 8
    for split in splits:
        train, validation, test = ({one.example for one in part} for part in parts_of(split))
        assert validation
        assert not validation & (train | test)
        assert not corpora(validation) & corpora(test)
        assert "emovo" not in corpora(validation)


def parts_of(split: Split) -> tuple[tuple[Sample, ...], ...]:
    return split.train, split.validation, split.test


def test_the_description_says_what_the_temperature_is_fitted_on() -> None:
    text = protocol_description("corpus", WITH_VALIDATION)

    assert "no corpus of its language" in text
    assert "fitted on the other corpora" in text


@pytest.mark.parametrize("examples", [[*SPEECH, *SONG], [*SPEECH, *PLAIN], POLISH])
def test_where_nothing_is_left_to_train_on_the_error_says_why(examples: list[Example]) -> None:
    with pytest.raises(
        UsageError, match=r"leaves nothing to train on \(languages: (en|pl)\)\. Add"
    ):
        corpus_folds(examples)


def test_a_corpus_for_which_nothing_is_left_is_not_tested_and_counted() -> None:
    examples = [*SPEECH, *ITALIAN]

    [fold] = corpus_folds(examples, ("emovo",))

    assert corpora(fold.test) == {"emovo"}
    assert reasons_not_tested(examples, set(fold.test)) == {
        "ravdess: there is no corpus of another language to train on": 12
    }


def test_an_unknown_corpus_to_test_only_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--test-only tess: .* only those of emodb, nemo"):
        corpus_folds([*POLISH, *GERMAN], ("tess",))


def test_the_same_recording_in_two_corpora_is_refused() -> None:
    again = [made_example("x", "sad", digest=POLISH[0].digest, corpus="copy", language="fr")]

    with pytest.raises(UsageError, match="both sides"):
        corpus_folds([*POLISH, *GERMAN, *again])
