"""The corpora of the benchmarks are made of what is given, and of no more than is asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import soundfile
from speed import corpora as making
from speed.contenders import EVERYTHING
from speed.corpora import Corpora, Folder, gather, link, made, measured, part_of
from voices import write_voice


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("given")
    for number in range(4):
        write_voice(folder / "in" / f"{number}.wav", seconds=1.5, seed=number)
    return folder


@pytest.fixture
def corpora(given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Corpora:
    monkeypatch.setattr(making, "HOUR", 20.0)
    monkeypatch.setattr(making, "DIFFERENT", 6)
    monkeypatch.setattr(making, "make_mix", lambda recordings, short, folder: link(short, folder))
    return gather(given, tmp_path / "work", short=40, hours=2)


def test_they_hold_as_much_as_they_say(corpora: Corpora) -> None:
    assert corpora.given == Folder(corpora.given.path, 4, pytest.approx(4 * 1.5 / 60))
    assert corpora.short.recordings == 40
    assert corpora.short.minutes == pytest.approx(40 / 60)
    assert corpora.thousand.recordings == 2
    assert (corpora.long.recordings, corpora.long.minutes) == (2, pytest.approx(40 / 60))


def test_a_part_of_long_recordings_has_as_many_and_never_more_than_all(corpora: Corpora) -> None:
    part = corpora.part(corpora.long, 5)
    assert (part.recordings, part.minutes) == (2, pytest.approx(15 / 60))
    assert corpora.part(corpora.long, EVERYTHING) is corpora.long


def test_a_part_of_the_mix_would_be_another_mix(corpora: Corpora) -> None:
    assert corpora.part(corpora.mix, 1) is corpora.mix


def test_a_part_of_many_is_spread_over_all(given: Path, tmp_path: Path) -> None:
    part = part_of(measured(given), 2, tmp_path / "part")
    files = sorted(part.path.rglob("*.wav"))
    assert [os.stat(file).st_ino for file in files] == [
        os.stat(given / "in" / name).st_ino for name in ("0.wav", "2.wav")
    ]


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    def make(folder: Path) -> None:
        soundfile.write(folder / "a.wav", [0.0] * 16000, 16000)

    assert made(tmp_path / "a", make).recordings == 1
    assert made(tmp_path / "a", lambda folder: pytest.fail("made again")).recordings == 1


def test_what_was_interrupted_is_made_from_the_beginning(tmp_path: Path) -> None:
    (tmp_path / "a.unfinished").mkdir()
    (tmp_path / "a.unfinished" / "half.wav").touch()
    assert made(tmp_path / "a", lambda folder: None).recordings == 0
