"""A folder is read by the file names of its recordings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from batchemo.corpora import read_corpus
from batchemo.errors import UsageError

Make = Callable[..., Path]


def test_recordings_with_other_names_are_left_out_and_listed(make_folder: Make) -> None:
    folder = make_folder("03-01-01-01-01-01-01.wav", "02-01-01-01-01-01-01.wav", "extra/take1.wav")
    (folder / "01-01-01-01-01-01-01.mp4").write_bytes(b"a film")

    corpus = read_corpus([folder])

    assert [example.path.name for example in corpus.examples] == ["03-01-01-01-01-01-01.wav"]
    assert [str(path.relative_to(folder)) for path in corpus.unrecognised] == [
        "02-01-01-01-01-01-01.wav",
        "extra/take1.wav",
    ]


def test_several_corpora_in_one_folder_need_a_choice(make_folder: Make) -> None:
    folder = make_folder("r/03-01-01-01-01-01-01.wav", "t/OAF_back_angry.wav", "t/YAF_dog_sad.wav")

    with pytest.raises(UsageError, match=r"1 as in ravdess, 2 as in tess.*--layout ravdess"):
        read_corpus([folder])

    assert {example.corpus for example in read_corpus([folder], layout="tess").examples} == {"tess"}
    both = read_corpus([folder / "t", folder / "r"])
    assert [example.corpus for example in both.examples] == ["ravdess", "tess", "tess"]
    assert {
        example.corpus
        for example in read_corpus([folder / "t", folder / "r"], only=("tess",)).examples
    } == {"tess"}


def test_names_of_no_known_corpus_are_refused_with_advice(make_folder: Make) -> None:
    with pytest.raises(UsageError, match=r"first is take1\.wav.*ravdess \(03-01.*manifest\.csv"):
        read_corpus([make_folder("take1.wav")])


def test_names_that_do_not_fit_the_chosen_layout_are_refused(make_folder: Make) -> None:
    folder = make_folder("OAF_back_angry.wav")

    with pytest.raises(UsageError, match=r"has a name as in ravdess.*first is OAF_back_angry"):
        read_corpus([folder], layout="ravdess")
    with pytest.raises(UsageError, match=r"'iemocap' is not known; known are ravdess, crema-d"):
        read_corpus([folder], layout="iemocap")


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()

    with pytest.raises(UsageError, match="There are no recordings in"):
        read_corpus([tmp_path])
    with pytest.raises(UsageError, match=r"There is no .*nowhere: check the name"):
        read_corpus([tmp_path / "nowhere"])


def test_names_that_are_no_utf_8_are_read(make_folder: Make) -> None:
    folder = make_folder("03-01-01-01-01-01-01.wav", "03-01-02-01-01-01-01.wav")
    odd = os.fsencode(folder) + b"/Actor\xff\n_01"
    os.mkdir(odd)
    os.rename(folder / "03-01-01-01-01-01-01.wav", odd + b"/03-01-01-01-01-01-01.wav")
    shutil.copy(folder / "03-01-02-01-01-01-01.wav", os.fsdecode(odd + b"/\x1b[2J\xfe.wav"))

    corpus = read_corpus([folder])

    assert [example.emotion for example in corpus.examples] == ["calm", "neutral"]
    assert len(corpus.unrecognised) == 1


@pytest.mark.corpora
def test_the_file_names_of_real_corpora_agree_with_their_manifest() -> None:
    if not os.environ.get("BATCHEMO_CORPORA"):
        pytest.skip("BATCHEMO_CORPORA does not name the folder of the recordings")
    folder = Path(os.environ["BATCHEMO_CORPORA"])
    corpora = ("ravdess", "nemo", "emodb", "emovo", "speechocean")

    named = read_corpus([folder / name for name in corpora], layout=None)

    assert named == read_corpus([folder], only=corpora)
    assert not named.failures
    assert not named.unrecognised
