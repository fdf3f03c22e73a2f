"""No bundle is tested on what it was trained on, unless that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from made_items import made_example

from batchemo.bundles import Bundle, write_bundle
from batchemo.corpora import Example
from batchemo.errors import UsageError
from batchemo.training.data.protocols import Protocol
from batchemo.training.data.training_set import (
    TRAINING_SET,
    TrainingSet,
    read_training_set,
    select_unseen,
    training_set_bytes,
)

TRAINED = [made_example(speaker, "sad", take) for speaker in "ab" for take in range(3)]
OF_TRAINED_SPEAKERS = [made_example(speaker, "happy") for speaker in "ab"]
OF_OTHERS = [made_example(speaker, "happy") for speaker in "cde"]

SAME_RECORDING = "the model was trained on this recording"
SAME_SPEAKER = "the model was trained on other recordings of this speaker"


@pytest.fixture
def bundle_with(make_bundle: Callable[..., Bundle], tmp_path: Path) -> Callable[..., Bundle]:
    """Return a function that makes a bundle whose training set has that content."""

    def make(content: bytes, **training: object) -> Bundle:
        plain = make_bundle()
        files = {name: plain.read(name) for name in plain.info["files"]}
        info = {**plain.info, "training": {**plain.info["training"], **training}}
        return write_bundle(tmp_path / "trained", info, {**files, TRAINING_SET: content})

    return make


@pytest.fixture
def trained(bundle_with: Callable[[bytes], Bundle]) -> Bundle:
    return bundle_with(training_set_bytes(TRAINED))


def test_what_was_written_is_read(trained: Bundle) -> None:
    assert read_training_set(trained) == TrainingSet(
        frozenset(example.digest[:16] for example in TRAINED),
        frozenset("ab"),
        frozenset(["made"]),
    )


def test_the_file_is_the_same_for_any_order_and_paths_of_the_recordings() -> None:
    moved = [replace(one, path=Path("moved") / one.path) for one in reversed(TRAINED)]

    assert training_set_bytes(moved) == training_set_bytes(TRAINED)
    assert training_set_bytes(TRAINED).startswith(b"digest,corpus,speaker\n")


def test_speakers_with_commas_quotes_and_line_ends_are_read(
    bundle_with: Callable[[bytes], Bundle],
) -> None:
    odd = [made_example(speaker, "sad") for speaker in ('a, "b"', "ü\nx", "")]

    training_set = read_training_set(bundle_with(training_set_bytes(odd)))

    assert training_set is not None
    assert training_set.speakers == {'a, "b"', "ü\nx"}
    assert training_set.digests == {example.digest[:16] for example in odd}


@pytest.mark.parametrize(
    ("protocol", "unseen", "left_out"),
    [
        ("speaker", OF_OTHERS, {SAME_RECORDING: 6, SAME_SPEAKER: 2}),
        ("random", [*OF_TRAINED_SPEAKERS, *OF_OTHERS], {SAME_RECORDING: 6}),
        ("leaky", [*TRAINED, *OF_TRAINED_SPEAKERS, *OF_OTHERS], {}),
    ],
)
def test_each_protocol_leaves_out_what_it_must_with_the_reasons(
    trained: Bundle, protocol: Protocol, unseen: list[Example], left_out: dict[str, int]
) -> None:
    selected = select_unseen(trained, [*TRAINED, *OF_TRAINED_SPEAKERS, *OF_OTHERS], protocol)

    assert selected == (tuple(unseen), left_out)


def test_a_recording_is_recognised_by_its_content(trained: Bundle) -> None:
    renamed = replace(TRAINED[0], path=Path("new.wav"), speaker="z", corpus="other")

    selected = select_unseen(trained, [renamed, *OF_OTHERS], "random")

    assert selected == (tuple(OF_OTHERS), {SAME_RECORDING: 1})


def test_by_speaker_recordings_of_unknown_speakers_are_left_out(trained: Bundle) -> None:
    selected = select_unseen(trained, [made_example("", "sad"), *OF_OTHERS], "speaker")

    assert selected == (tuple(OF_OTHERS), {"the speaker is not known": 1})


def test_by_corpus_nothing_of_its_corpora_speakers_and_languages_is_left(
    bundle_with: Callable[..., Bundle],
) -> None:
    corpora = {"made": {"recordings": 6, "speakers": 2, "languages": ["en", "pl"]}}
    trained = bundle_with(training_set_bytes(TRAINED), corpora=corpora)
    foreign = made_example("f", "sad", corpus="far", language="tr")
    of_its_speaker = made_example("a", "calm", corpus="far", language="tr")
    in_its_language = made_example("f", "calm", corpus="far", language="en-GB")

    selected = select_unseen(
        trained, [*TRAINED, *OF_OTHERS, foreign, of_its_speaker, in_its_language], "corpus"
    )

    assert selected == (
        (foreign,),
        {
            SAME_RECORDING: 6,
            SAME_SPEAKER: 1,
            "the model was trained on this corpus": 3,
            "the model was trained on this language": 1,
        },
    )


@pytest.mark.parametrize("protocol", ["speaker", "random"])
def test_where_nothing_is_left_the_error_says_what_to_do(
    trained: Bundle, protocol: Protocol
) -> None:
    with pytest.raises(UsageError, match="no recording is left to test tiny on") as refused:
        select_unseen(trained, TRAINED, protocol)

    assert f"6: {SAME_RECORDING}" in str(refused.value)
    assert "evaluate the recipe instead" in str(refused.value)
    assert "--protocol leaky" in str(refused.value)


@pytest.mark.parametrize("protocol", ["speaker", "corpus", "random", "leaky"])
def test_a_bundle_without_a_training_set_leaves_out_nothing(
    tiny_bundle: Bundle, protocol: Protocol
) -> None:
    assert read_training_set(tiny_bundle) is None
    assert select_unseen(tiny_bundle, TRAINED, protocol) == (tuple(TRAINED), {})


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\n1", b"digest,speaker\n1,a\n", b"digest,corpus,speaker\n"]
)
def test_a_file_without_the_columns_or_rows_is_refused_by_its_name(
    bundle_with: Callable[[bytes], Bundle], content: bytes
) -> None:
    with pytest.raises(UsageError, match=r"training_set\.csv"):
        read_training_set(bundle_with(content))
