"""The corpora that the benchmarks make of the given recordings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import soundfile
from speed import corpora as corpora_module
from speed.contenders import ALL
from speed.corpora import (
    Corpora,
    Folder,
    link,
    make_corpora,
    make_once,
    measure_folder,
    part_of,
)
from voices import write_voice


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("given")
    for number in range(4):
        write_voice(folder / "in" / f"{number}.wav", seconds=1.5, seed=number)
    return folder


@pytest.fixture
def corpora(given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Corpora:
    monkeypatch.setattr(corpora_module, "HOUR", 20.0)
    monkeypatch.setattr(corpora_module, "DIFFERENT", 6)
    monkeypatch.setattr(
        corpora_module, "make_mix", lambda recordings, short, folder: link(short, folder)
    )
    return make_corpora(given, tmp_path / "work", short=40, hours=2)


def test_corpora_have_the_number_and_length_that_they_report(corpora: Corpora) -> None:
    assert corpora.given == Folder(corpora.given.path, 4, pytest.approx(4 * 1.5 / 60))
    assert corpora.short.recordings == 40
    assert corpora.short.minutes == pytest.approx(40 / 60)
    assert corpora.thousand.recordings == 2
    assert (corpora.long.recordings, corpora.long.minutes) == (2, pytest.approx(40 / 60))


def test_a_part_of_the_long_recordings_has_shorter_ones(corpora: Corpora) -> None:
    part = corpora.part(corpora.long, 5)
    assert (part.recordings, part.minutes) == (2, pytest.approx(15 / 60))
    assert corpora.part(corpora.long, ALL) is corpora.long


def test_the_mix_has_no_parts(corpora: Corpora) -> None:
    assert corpora.part(corpora.mix, 1) is corpora.mix


def test_a_part_is_spread_over_all_recordings(given: Path, tmp_path: Path) -> None:
    part = part_of(measure_folder(given), 2, tmp_path / "part")
    files = sorted(part.path.rglob("*.wav"))
    assert [os.stat(file).st_ino for file in files] == [
        os.stat(given / "in" / name).st_ino for name in ("0.wav", "2.wav")
    ]


def test_an_existing_corpus_is_not_made_again(tmp_path: Path) -> None:
    def make(folder: Path) -> None:
        soundfile.write(folder / "a.wav", [0.0] * 16000, 16000)

    assert make_once(tmp_path / "a", make).recordings == 1
    assert make_once(tmp_path / "a", lambda folder: pytest.fail("made again")).recordings == 1


def test_an_unfinished_corpus_is_made_from_the_beginning(tmp_path: Path) -> None:
    (tmp_path / "a.unfinished").mkdir()
    (tmp_path / "a.unfinished" / "half.wav").touch()
    assert make_once(tmp_path / "a", lambda folder: None).recordings == 0
