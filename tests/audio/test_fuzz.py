"""A few hundred mutants of every format end well; tests/faults tries 20,000 of each."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from encoded_recordings import CONTAINERS, RATE, recording, seeds_of
from fuzzing import HEARD, OPTIONS, EventHandler, fuzz
from mutants import mutant
from reference_decoders import objection
from voices import voice

from batchemo.audio import read_windows

POISON = str(Path(__file__).parents[1] / "helpers" / "poison")


@pytest.fixture(scope="module")
def listener() -> Iterator[EventHandler]:
    with EventHandler() as listener:
        yield listener


@pytest.mark.parametrize("container", CONTAINERS)
def test_no_mutant_hurts_or_is_heard_that_should_be_refused(
    container: str, listener: EventHandler, tmp_path: Path
) -> None:
    account = fuzz(seeds_of(container), tmp_path, count=60, seed=1, listener=listener)
    assert account.wrong == []
    assert account.tried == 60
    assert account.megabytes < 64
    assert len(account.outcomes) > 1


def test_one_seed_makes_the_same_mutants() -> None:
    pool = seeds_of("WAV")
    first, again, other = (
        [mutant(pool, chance) for _ in range(50)] for chance in map(random.Random, (1, 1, 2))
    )
    assert first == again != other


@pytest.mark.parametrize(("harm", "told"), [("kill", "it died: -9"), ("hang", "it hung for")])
def test_a_file_that_kills_or_hangs_its_listener_is_found(
    harm: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(POISON)
    bad, good = tmp_path / f"{harm}.wav", tmp_path / "good.wav"
    bad.write_bytes(recording("WAV"))
    good.write_bytes(b"no sound, no harm")
    with EventHandler() as listener:
        listener.hear(good)
        assert told in (listener.hear(bad, patience=1.0).wrong or "")
        assert listener.hear(good).wrong is None


def test_the_second_opinion_objects_to_what_should_have_been_refused(place: Path) -> None:
    place.write_bytes(recording("WAV", "FLOAT"))
    with read_windows(str(place), OPTIONS) as heard:
        windows = list(heard)
    assert objection(place, windows, heard.info, OPTIONS) is None
    assert objection(place, [], heard.info, OPTIONS) == "no window with speech"

    steady = 0.1 * np.sin(np.arange(0.75 * RATE) / 3)
    for sound, told in [
        (steady, "another signal"),
        (voice(0.75, RATE, seed=5), "another signal"),
        (np.full(6000, np.nan), "no number"),
        (voice(2.0, RATE), "frames were heard"),
    ]:
        soundfile.write(place, sound, RATE, subtype="FLOAT")
        assert told in (objection(place, windows, heard.info, OPTIONS) or "")


def test_every_good_recording_is_heard(listener: EventHandler, place: Path) -> None:
    for container in CONTAINERS:
        place.write_bytes(recording(container))
        assert listener.hear(place).reason == HEARD
