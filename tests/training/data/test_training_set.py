"""No bundle is tested on what it has learnt from, unless that is what was asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from made_items import made_example

from batchemo.bundles import Bundle, write_bundle
from batchemo.errors import UsageError
from batchemo.training.data.protocols import Protocol
from batchemo.training.data.training_set import (
    TRAINING_SET,
    TrainingSet,
    read_training_set,
    training_set_bytes,
    unseen_by,
)

HEARD = [made_example(who, "sad", take) for who in "ab" for take in range(3)]
OF_HEARD_SPEAKERS = [made_example(who, "happy") for who in "ab"]
OF_OTHERS = [made_example(who, "happy") for who in "cde"]

KNOWN = "the model learnt from this recording"
KNOWN_SPEAKER = "the model learnt from other recordings of this speaker"


@pytest.fixture
def with_file(make_bundle: Callable[..., Bundle], tmp_path: Path) -> Callable[[bytes], Bundle]:
    """Makes a bundle whose learnt.csv has that content."""

    def make(content: bytes) -> Bundle:
        plain = make_bundle()
        files = {name: plain.read(name) for name in plain.info["files"]}
        return write_bundle(tmp_path / "taught", plain.info, {**files, TRAINING_SET: content})

    return make


@pytest.fixture
def taught(with_file: Callable[[bytes], Bundle]) -> Bundle:
    return with_file(training_set_bytes(HEARD))


def test_what_was_learnt_from_comes_back(taught: Bundle) -> None:
    assert read_training_set(taught) == TrainingSet(
        frozenset(example.digest[:16] for example in HEARD), frozenset("ab")
    )


def test_the_file_is_the_same_in_whatever_order_and_place_the_recordings_were() -> None:
    moved = [replace(one, path=Path("moved") / one.path) for one in reversed(HEARD)]

    assert training_set_bytes(moved) == training_set_bytes(HEARD)
    assert training_set_bytes(HEARD).startswith(b"digest,corpus,speaker\n")


def test_names_that_csv_finds_hard_come_back(with_file: Callable[[bytes], Bundle]) -> None:
    odd = [made_example(who, "sad") for who in ('a, "b"', "ü\nx", "")]

    learnt = read_training_set(with_file(training_set_bytes(odd)))

    assert learnt is not None
    assert learnt.speakers == {'a, "b"', "ü\nx"}
    assert learnt.digests == {example.digest[:16] for example in odd}


@pytest.mark.parametrize(
    ("protocol", "kept", "left_out"),
    [
        ("speaker", OF_OTHERS, {KNOWN: 6, KNOWN_SPEAKER: 2}),
        ("random", [*OF_HEARD_SPEAKERS, *OF_OTHERS], {KNOWN: 6}),
        ("leaky", [*HEARD, *OF_HEARD_SPEAKERS, *OF_OTHERS], {}),
    ],
)
def test_each_protocol_leaves_out_what_it_must_and_says_why(
    taught: Bundle, protocol: Protocol, kept: list, left_out: dict[str, int]
) -> None:
    told = unseen_by(taught, [*HEARD, *OF_HEARD_SPEAKERS, *OF_OTHERS], protocol)

    assert told == (tuple(kept), left_out)


def test_a_recording_is_known_by_its_content_whatever_it_is_called(taught: Bundle) -> None:
    renamed = replace(HEARD[0], path=Path("new.wav"), speaker="z", corpus="other")

    assert unseen_by(taught, [renamed, *OF_OTHERS], "random") == (tuple(OF_OTHERS), {KNOWN: 1})


def test_by_speaker_nobody_unknown_is_tested(taught: Bundle) -> None:
    unknown = made_example("", "sad")

    kept, left_out = unseen_by(taught, [unknown, *OF_OTHERS], "speaker")

    assert kept == tuple(OF_OTHERS)
    assert left_out == {"the speaker is not known": 1}


@pytest.mark.parametrize("protocol", ["speaker", "random"])
def test_where_nothing_is_left_the_way_out_is_told(taught: Bundle, protocol: Protocol) -> None:
    with pytest.raises(UsageError, match="no recording is left to test tiny on") as refused:
        unseen_by(taught, HEARD, protocol)

    assert f"6: {KNOWN}" in str(refused.value)
    assert "evaluate the recipe instead" in str(refused.value)
    assert "--protocol leaky" in str(refused.value)


@pytest.mark.parametrize("protocol", ["speaker", "random", "leaky"])
def test_a_bundle_that_does_not_tell_leaves_out_nothing(
    tiny_bundle: Bundle, protocol: Protocol
) -> None:
    assert read_training_set(tiny_bundle) is None
    assert unseen_by(tiny_bundle, HEARD, protocol) == (tuple(HEARD), {})


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\n1", b"digest,speaker\n1,a\n", b"digest,corpus,speaker\n"]
)
def test_a_file_that_tells_nothing_is_refused_by_its_name(
    with_file: Callable[[bytes], Bundle], content: bytes
) -> None:
    with pytest.raises(UsageError, match=r"learnt\.csv"):
        read_training_set(with_file(content))
