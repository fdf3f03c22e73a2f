"""The file names of well-known corpora say who speaks and which emotion is expressed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.corpora import (
    KNOWN_LABELS,
    LAYOUTS,
    Example,
    read_corpus,
)
from batchemo.errors import UsageError

Make = Callable[..., Path]


def properties(example: Example) -> tuple[str, ...]:
    """All but the path and the digest."""
    return astuple(example)[1:-1]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (
            "Actor_12/03-01-06-02-01-02-12.wav",
            ("ravdess", "ravdess-12", "female", "fearful", "strong", "01", "en", "speech"),
        ),
        (
            "Actor_01/03-02-02-01-02-01-01.wav",
            ("ravdess_song", "ravdess-01", "male", "calm", "normal", "02", "en", "song"),
        ),
        (
            "01-01-08-01-02-01-24.wav",
            ("ravdess", "ravdess-24", "female", "surprised", "normal", "02", "en", "speech"),
        ),
        (
            "AudioWAV/1001_DFA_ANG_HI.wav",
            ("crema-d", "crema-d-1001", "", "angry", "high", "DFA", "en", "speech"),
        ),
        (
            "1091_WSI_NEU_XX.wav",
            ("crema-d", "crema-d-1091", "", "neutral", "", "WSI", "en", "speech"),
        ),
        ("1040_ITH_SAD_X.wav", ("crema-d", "crema-d-1040", "", "sad", "", "ITH", "en", "speech")),
        (
            "OAF_Pleasant_surprise/OAF_back_ps.wav",
            ("tess", "tess-OA", "female", "surprised", "", "back", "en", "speech"),
        ),
        ("YAF_pole_fear.wav", ("tess", "tess-YA", "female", "fearful", "", "pole", "en", "speech")),
        (
            "OA_bite_neutral.wav",
            ("tess", "tess-OA", "female", "neutral", "", "bite", "en", "speech"),
        ),
        ("ALL/DC_a01.wav", ("savee", "savee-DC", "male", "angry", "", "01", "en", "speech")),
        (
            "AudioData/KL/su15.wav",
            ("savee", "savee-KL", "male", "surprised", "", "15", "en", "speech"),
        ),
        ("JK/sa02.wav", ("savee", "savee-JK", "male", "sad", "", "02", "en", "speech")),
        ("wav/03a01Fa.wav", ("emodb", "emodb-03", "male", "happy", "", "a01", "de", "speech")),
        ("16b10Tb.wav", ("emodb", "emodb-16", "female", "sad", "", "b10", "de", "speech")),
        ("09a07W.wav", ("emodb", "emodb-09", "female", "angry", "", "a07", "de", "speech")),
        ("dis-f1-b1.wav", ("emovo", "emovo-f1", "female", "disgust", "", "b1", "it", "speech")),
        ("m3/sor-m3-n5.wav", ("emovo", "emovo-m3", "male", "surprised", "", "n5", "it", "speech")),
        ("SM0_happiness_12.wav", ("nemo", "nemo-SM0", "male", "happy", "", "12", "pl", "speech")),
    ],
)
def test_a_file_name_is_parsed_as_its_corpus_documents(
    make_folder: Make, file: str, expected: tuple[str, ...]
) -> None:
    folder = make_folder(file)

    [example] = read_corpus([folder]).examples

    assert properties(example) == expected
    assert example.path == folder / file


def test_an_actors_songs_are_a_corpus_of_the_same_speaker(make_folder: Make) -> None:
    folder = make_folder("Actor_01/03-01-02-01-02-01-01.wav", "Actor_01/03-02-02-01-02-01-01.wav")

    speech, song = read_corpus([folder]).examples

    assert (speech.corpus, song.corpus) == ("ravdess", "ravdess_song")
    assert speech.speaker == song.speaker
    assert read_corpus([folder], only=("ravdess_song",)).examples == (song,)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_the_example_in_messages_is_a_name_of_the_corpus(layout) -> None:
    shown = layout.shown.split(" or ")

    assert all(layout.parse(Path(), name) for name in shown)
    others = [other for other in LAYOUTS.values() if other is not layout]
    assert not any(other.parse(Path(), name) for other in others for name in shown)


@pytest.mark.parametrize(
    "name",
    [
        "02-01-06-01-02-01-12",  # a film without sound
        "03-01-09-01-02-01-12",
        "03-01-06-01-02-01-25",
        "03-01-06-01-02-01-12-1",
        "x03-01-06-01-02-01-12",
        "1001_DFA_JOY_XX",
        "OAF_back_boredom",
        "XX_a01",
        "DC_x01",
        "03a01Xa",
        "07a01Fa",
        "dis-f4-b1",
        "SM0_disgust_12",
    ],
)
def test_a_name_that_only_resembles_a_layout_is_not_parsed(name: str) -> None:
    assert not any(layout.parse(Path(), f"{name}.wav") for layout in LAYOUTS.values())


@given(st.text(st.sampled_from("013-_/.DCaOAF\n\udcff"), max_size=30))
def test_any_name_can_be_parsed(name: str) -> None:
    for layout in LAYOUTS.values():
        example = layout.parse(Path(), f"{name}.wav")
        assert example is None or example.emotion in KNOWN_LABELS


def test_genders_of_crema_d_are_read_from_its_table(make_folder: Make) -> None:
    folder = make_folder("AudioWAV/1001_DFA_ANG_XX.wav", "AudioWAV/1002_DFA_ANG_XX.wav")
    table = "ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,x\n1002,21,Female,Asian,x\n"
    (folder / "VideoDemographics.csv").write_text(table)

    for path in (folder, folder / "AudioWAV"):
        assert [example.gender for example in read_corpus([path]).examples] == ["male", "female"]


def test_a_broken_table_of_genders_is_named(make_folder: Make) -> None:
    folder = make_folder("1001_DFA_ANG_XX.wav")
    (folder / "VideoDemographics.csv").write_text("version https://git-lfs.github.com/spec/v1\n1\n")

    with pytest.raises(UsageError, match=r"VideoDemographics\.csv is no table with .*ActorID"):
        read_corpus([folder])
