"""A recording counts once, however many names it has."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from batchemo.corpora import Duplicate, read_corpus
from batchemo.corpora.duplicates import signal_digest
from batchemo.errors import UsageError

Make = Callable[..., Path]


def write(path: Path, samples: np.ndarray, rate: int = 8000, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(-9000, 9000, 700_000, dtype=np.int16)


def test_a_copy_of_the_corpus_inside_it_does_not_count(make_folder: Make) -> None:
    names = [f"03-01-0{emotion}-01-01-01-01.wav" for emotion in (1, 2, 3)]
    folder = make_folder(*(f"Actor_01/{name}" for name in names))
    shutil.copytree(folder / "Actor_01", folder / "audio_speech_actors_01-24/Actor_01")

    corpus = read_corpus([folder])

    assert [example.path for example in corpus.examples] == [
        folder / "Actor_01" / name for name in names
    ]
    assert corpus.duplicates == tuple(
        Duplicate(folder / "Actor_01" / name, folder / "audio_speech_actors_01-24/Actor_01" / name)
        for name in names
    )


def test_a_link_is_a_second_name_too(make_folder: Make) -> None:
    folder = make_folder("b/03-01-01-01-01-01-01.wav")
    (folder / "a").symlink_to(folder / "b")
    (folder / "03-01-01-01-01-01-01.wav").symlink_to(folder / "b/03-01-01-01-01-01-01.wav")

    corpus = read_corpus([folder])

    assert len(corpus.examples) == 1
    assert len(corpus.duplicates) == 1


def test_the_same_file_in_two_rows_counts_once(make_manifest: Make) -> None:
    corpus = read_corpus([make_manifest("file,label", "1.wav,sad", "1.wav,sad", "2.wav,sad")])

    assert [example.path.name for example in corpus.examples] == ["1.wav", "2.wav"]
    assert [(pair.kept.name, pair.dropped.name) for pair in corpus.duplicates] == [
        ("1.wav", "1.wav")
    ]


def test_equal_recordings_with_two_labels_are_refused(make_manifest: Make) -> None:
    manifest = make_manifest("file,label", "1.wav,sad", "2.wav,angry")
    shutil.copy(manifest.parent / "1.wav", manifest.parent / "2.wav")

    with pytest.raises(UsageError, match=r"1\.wav is sad, .*2\.wav is angry\. Remove the one"):
        read_corpus([manifest])


def test_the_digest_is_of_the_signal_and_not_of_the_file(tmp_path: Path, noise: np.ndarray) -> None:
    wav = write(tmp_path / "a.wav", noise)

    assert signal_digest(wav) == signal_digest(write(tmp_path / "a.flac", noise))
    assert signal_digest(wav) == signal_digest(write(tmp_path / "b.wav", noise, subtype="PCM_24"))
    assert signal_digest(wav) == signal_digest(
        write(tmp_path / "c.wav", noise / 32768, subtype="FLOAT")
    )


def test_other_signals_have_other_digests(tmp_path: Path, noise: np.ndarray) -> None:
    changed = noise.copy()
    changed[-1] += 1
    stereo = noise.reshape(-1, 2)

    digests = {
        signal_digest(path)
        for path in (
            write(tmp_path / "a.wav", noise),
            write(tmp_path / "b.wav", changed),
            write(tmp_path / "c.wav", noise[:-1]),
            write(tmp_path / "d.wav", noise, rate=16000),
            write(tmp_path / "e.wav", stereo),
        )
    }

    assert len(digests) == 5


def test_a_recording_that_cannot_be_decoded_is_left_out_with_the_reason(make_folder: Make) -> None:
    folder = make_folder("DC_a01.wav", "DC_a02.wav", "DC_a03.wav")
    (folder / "DC_a02.wav").write_bytes(b"")
    (folder / "DC_a03.wav").write_bytes(b"no sound at all, but some text")

    corpus = read_corpus([folder])

    assert [example.path.name for example in corpus.examples] == ["DC_a01.wav"]
    reasons = {path.name: reason.partition(":")[0] for path, reason in corpus.failures}
    assert reasons == {"DC_a02.wav": "empty", "DC_a03.wav": "not_audio"}


def test_a_corpus_without_any_decodable_recording_is_refused(make_folder: Make) -> None:
    folder = make_folder("DC_a01.wav")
    (folder / "DC_a01.wav").write_bytes(b"")

    with pytest.raises(
        UsageError, match=r"None of the 1 recordings can be used.*DC_a01\.wav: empty"
    ):
        read_corpus([folder])
