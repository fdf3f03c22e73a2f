"""Well-known corpora tell all by the names of their files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.corpora import (
    KNOWN,
    LAYOUTS,
    Example,
    read_corpus,
)
from batchemo.errors import UsageError

Make = Callable[..., Path]


def told(example: Example) -> tuple[str, ...]:
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
            ("ravdess", "ravdess-01", "male", "calm", "normal", "02", "en", "song"),
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
        ("16b10Lb.wav", ("emodb", "emodb-16", "female", "boredom", "", "b10", "de", "speech")),
        ("09a07W.wav", ("emodb", "emodb-09", "female", "angry", "", "a07", "de", "speech")),
        ("dis-f1-b1.wav", ("emovo", "emovo-f1", "female", "disgust", "", "b1", "it", "speech")),
        ("m3/sor-m3-n5.wav", ("emovo", "emovo-m3", "male", "surprised", "", "n5", "it", "speech")),
        ("SM0_happiness_12.wav", ("nemo", "nemo-SM0", "male", "happy", "", "12", "pl", "speech")),
    ],
)
def test_a_name_tells_what_the_corpus_says_it_does(
    make_folder: Make, file: str, expected: tuple[str, ...]
) -> None:
    folder = make_folder(file)

    [example] = read_corpus([folder]).examples

    assert told(example) == expected
    assert example.path == folder / file


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_the_name_shown_in_messages_is_one_of_the_corpus(layout) -> None:
    shown = layout.shown.split(" or ")

    assert all(layout.read(Path(), name) for name in shown)
    others = [other for other in LAYOUTS.values() if other is not layout]
    assert not any(other.read(Path(), name) for other in others for name in shown)


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
def test_a_name_that_is_only_alike_tells_nothing(name: str) -> None:
    assert not any(layout.read(Path(), f"{name}.wav") for layout in LAYOUTS.values())


@given(st.text(st.sampled_from("013-_/.DCaOAF\n\udcff"), max_size=30))
def test_no_name_is_too_odd_to_be_looked_at(name: str) -> None:
    for layout in LAYOUTS.values():
        example = layout.read(Path(), f"{name}.wav")
        assert example is None or example.emotion in KNOWN


def test_recordings_with_other_names_are_left_out_and_told(make_folder: Make) -> None:
    folder = make_folder("03-01-01-01-01-01-01.wav", "02-01-01-01-01-01-01.wav", "extra/take1.wav")
    (folder / "01-01-01-01-01-01-01.mp4").write_bytes(b"a film")

    corpus = read_corpus([folder])

    assert [one.path.name for one in corpus.examples] == ["03-01-01-01-01-01-01.wav"]
    assert [str(path.relative_to(folder)) for path in corpus.unrecognised] == [
        "02-01-01-01-01-01-01.wav",
        "extra/take1.wav",
    ]


def test_crema_d_tells_the_genders_in_a_table_beside_the_recordings(make_folder: Make) -> None:
    folder = make_folder("AudioWAV/1001_DFA_ANG_XX.wav", "AudioWAV/1002_DFA_ANG_XX.wav")
    table = "ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,x\n1002,21,Female,Asian,x\n"
    (folder / "VideoDemographics.csv").write_text(table)

    for place in (folder, folder / "AudioWAV"):
        assert [one.gender for one in read_corpus([place]).examples] == ["male", "female"]


def test_a_broken_table_of_genders_is_named(make_folder: Make) -> None:
    folder = make_folder("1001_DFA_ANG_XX.wav")
    (folder / "VideoDemographics.csv").write_text("version https://git-lfs.github.com/spec/v1\n1\n")

    with pytest.raises(UsageError, match=r"VideoDemographics\.csv is no table with .*ActorID"):
        read_corpus([folder])


def test_several_corpora_in_one_folder_must_be_told_apart(make_folder: Make) -> None:
    folder = make_folder("r/03-01-01-01-01-01-01.wav", "t/OAF_back_angry.wav", "t/YAF_dog_sad.wav")

    with pytest.raises(UsageError, match=r"1 as in ravdess, 2 as in tess.*--layout ravdess"):
        read_corpus([folder])

    assert {one.corpus for one in read_corpus([folder], layout="tess").examples} == {"tess"}
    both = read_corpus([folder / "t", folder / "r"])
    assert [one.corpus for one in both.examples] == ["ravdess", "tess", "tess"]
    assert {
        one.corpus for one in read_corpus([folder / "t", folder / "r"], only=("tess",)).examples
    } == {"tess"}


def test_names_of_no_known_corpus_are_refused_with_a_way_out(make_folder: Make) -> None:
    with pytest.raises(UsageError, match=r"first is take1\.wav.*ravdess \(03-01.*manifest\.csv"):
        read_corpus([make_folder("take1.wav")])


def test_names_that_are_not_those_asked_for_are_refused(make_folder: Make) -> None:
    folder = make_folder("OAF_back_angry.wav")

    with pytest.raises(UsageError, match=r"has a name as in ravdess.*first is OAF_back_angry"):
        read_corpus([folder], layout="ravdess")
    with pytest.raises(UsageError, match=r"'iemocap' are not known; known are ravdess, crema-d"):
        read_corpus([folder], layout="iemocap")


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()

    with pytest.raises(UsageError, match="There are no recordings in"):
        read_corpus([tmp_path])
    with pytest.raises(UsageError, match=r"There is no .*nowhere: check the name"):
        read_corpus([tmp_path / "nowhere"])


def test_odd_bytes_in_names_do_no_harm(make_folder: Make) -> None:
    folder = make_folder("03-01-01-01-01-01-01.wav", "03-01-02-01-01-01-01.wav")
    odd = os.fsencode(folder) + b"/Actor\xff\n_01"
    os.mkdir(odd)
    os.rename(folder / "03-01-01-01-01-01-01.wav", odd + b"/03-01-01-01-01-01-01.wav")
    shutil.copy(folder / "03-01-02-01-01-01-01.wav", os.fsdecode(odd + b"/\x1b[2J\xfe.wav"))

    corpus = read_corpus([folder])

    assert [one.emotion for one in corpus.examples] == ["calm", "neutral"]
    assert len(corpus.unrecognised) == 1


@pytest.mark.corpora
def test_the_names_of_real_corpora_tell_what_their_manifest_does() -> None:
    if not os.environ.get("BATCHEMO_CORPORA"):
        pytest.skip("BATCHEMO_CORPORA does not name the folder of the recordings")
    folder = Path(os.environ["BATCHEMO_CORPORA"])
    corpora = ("ravdess", "nemo", "emovo")

    named = read_corpus([folder / name for name in corpora], layout=None)

    assert named == read_corpus([folder], only=corpora)
    assert not named.failures
    assert not named.unrecognised
