"""An emotion has one name, and no unknown label is accepted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from batchemo.corpora import EMOTIONS, KNOWN_LABELS, read_corpus
from batchemo.corpora.labels import SYNONYMS, LabelVocabulary
from batchemo.errors import UsageError

Make = Callable[..., Path]


def emotions(manifest: Path, **options) -> list[str]:
    return [example.emotion for example in read_corpus([manifest], **options).examples]


def test_synonyms_of_known_labels_are_accepted(make_manifest: Make) -> None:
    words = ("fear", "Anger", " JOY", "ps", "Pleasant Surprise")
    manifest = make_manifest("file,label", *(f"{n}.wav,{w}" for n, w in enumerate(words)))

    assert emotions(manifest) == ["fearful", "angry", "happy", "surprised", "surprised"]


def test_every_synonym_means_a_known_label_and_is_none_itself() -> None:
    assert set(SYNONYMS.values()) <= set(KNOWN_LABELS)
    assert not set(SYNONYMS) & set(KNOWN_LABELS)
    assert all(LabelVocabulary().label(word) == label for word, label in SYNONYMS.items())


def test_labels_come_in_the_order_of_ravdess(make_manifest: Make) -> None:
    lines = [f"{label}.wav,{label}" for label in reversed(EMOTIONS)]

    assert read_corpus([make_manifest("file,label", *lines)]).labels == EMOTIONS


def test_boredom_equals_no_class_and_is_left_out_and_counted(make_manifest: Make) -> None:
    manifest = make_manifest("file,label", "1.wav,boredom", "2.wav,sad", "3.wav,Bored")

    corpus = read_corpus([manifest])

    assert corpus.labels == ("sad",)
    assert corpus.without_class == (("boredom", 2),)
    asked_for = read_corpus([manifest], labels=("sad", "boredom"))
    assert (asked_for.labels, asked_for.without_class) == (("sad", "boredom"), ())
    assert emotions(manifest, rename={"boredom": "neutral"}) == ["neutral", "sad", "neutral"]
    with pytest.raises(UsageError, match="'boredom': 1"):
        read_corpus([manifest], labels=("sad",))
    with pytest.raises(UsageError, match="are left: boredom equals none of the classes"):
        read_corpus([manifest], rename={"sad": ""})


def test_all_unknown_labels_are_listed_at_once_with_advice(make_manifest: Make) -> None:
    manifest = make_manifest(
        "file,label", "1.wav,smug", "2.wav,sad", "3.wav,smug", "4.wav,wist\x1bful"
    )

    with pytest.raises(UsageError) as caught:
        read_corpus([manifest])

    message = str(caught.value)
    assert f"'smug': 2, first {manifest.parent}/1.wav" in message
    assert "'wist\\x1bful': 1" in message
    assert "sad.wav" not in message
    assert "\x1b" not in message
    for advice in ("--label old=new", "--label old=,", "--labels a,b,c"):
        assert advice in message


def test_labels_can_be_renamed_by_either_of_their_names(make_manifest: Make) -> None:
    manifest = make_manifest("file,label", "1.wav,Smug", "2.wav,fear", "3.wav,sad")

    assert emotions(manifest, rename={"smug": "Joy", "FEAR": "calm"}) == ["happy", "calm", "sad"]
    assert emotions(manifest, rename={"smug": "happy", "fearful": "calm"}) == [
        *("happy", "calm", "sad"),
    ]


def test_renaming_is_done_once(make_manifest: Make) -> None:
    manifest = make_manifest("file,label", "1.wav,happy", "2.wav,sad")

    assert emotions(manifest, rename={"happy": "sad", "sad": "happy"}) == ["sad", "happy"]


def test_labels_renamed_to_nothing_are_left_out(make_manifest: Make) -> None:
    manifest = make_manifest("file,label", "1.wav,smug", "2.wav,sad")

    assert emotions(manifest, rename={"smug": ""}) == ["sad"]
    with pytest.raises(UsageError, match="every label was renamed to nothing"):
        read_corpus([manifest], rename={"smug": "", "sad": " "})


def test_a_new_name_must_be_known_too(make_manifest: Make) -> None:
    with pytest.raises(UsageError, match="'fearfull': 1"):
        read_corpus([make_manifest("file,label", "1.wav,fear")], rename={"fear": "fearfull"})


def test_a_corpus_may_have_classes_of_its_own(make_manifest: Make) -> None:
    manifest = make_manifest("file,label", "1.wav,LOW", "2.wav,high", "3.wav,fear")

    corpus = read_corpus([manifest], labels=("low", "high", "absent", "fear"))

    assert [example.emotion for example in corpus.examples] == ["low", "high", "fear"]
    assert corpus.labels == ("low", "high", "fear")
    with pytest.raises(UsageError, match=r"known are low, high\.\n  'fear': 1"):
        read_corpus([manifest], labels=("low", "high"))


@pytest.mark.parametrize("name", ["", "very sad", "..", "a/b", "müde", "sad\n"])
def test_the_name_of_a_class_must_be_one_that_a_bundle_accepts(
    make_manifest: Make, name: str
) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a class"):
        read_corpus([make_manifest("file,label", "1.wav,sad")], labels=("sad", name))


def test_no_class_is_named_twice(make_manifest: Make) -> None:
    with pytest.raises(UsageError, match="named twice: sad"):
        read_corpus([make_manifest("file,label", "1.wav,sad")], labels=("sad", "Sad"))
