"""Mutants of every format do no harm: 60 of each here, 20,000 of each in tests/faults."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from encoded_recordings import CONTAINERS, RATE, recording, seeds_of
from fuzzing import ANALYSED, CONFIG, DecoderProcess, fuzz
from media_recordings import ENCODINGS, media_seeds
from mutants import mutant
from reference_decoders import find_error
from voices import voice

from batchemo.audio import read_windows

POISON = str(Path(__file__).parents[1] / "helpers" / "poison")


@pytest.fixture(scope="module")
def decoder() -> Iterator[DecoderProcess]:
    with DecoderProcess() as decoder:
        yield decoder


@pytest.mark.process
@pytest.mark.parametrize("container", CONTAINERS)
def test_no_mutant_harms_the_process_or_is_analysed_although_it_should_be_refused(
    container: str, decoder: DecoderProcess, tmp_path: Path
) -> None:
    report = fuzz(seeds_of(container), tmp_path, count=60, seed=1, decoder=decoder)
    assert report.errors == []
    assert report.tried == 60
    assert report.megabytes < 64
    assert len(report.outcomes) > 1


@pytest.mark.process
@pytest.mark.parametrize("name", ENCODINGS)
def test_no_mutant_of_what_pyav_reads_harms_the_process(
    name: str, decoder: DecoderProcess, tmp_path: Path
) -> None:
    pytest.importorskip("av", reason="needs PyAV: pip install 'batchemo[av]'")
    report = fuzz(media_seeds(name), tmp_path, count=60, seed=1, decoder=decoder)
    assert report.errors == []
    assert report.tried == 60
    assert report.megabytes < 64
    assert len(report.outcomes) > 1


def test_a_seed_always_makes_the_same_mutants() -> None:
    pool = seeds_of("WAV")
    first, again, other = (
        [mutant(pool, rng) for _ in range(50)] for rng in map(random.Random, (1, 1, 2))
    )
    assert first == again != other


@pytest.mark.process
@pytest.mark.parametrize(("fault", "error"), [("kill", "it died: -9"), ("hang", "it hung for")])
def test_a_file_that_kills_or_hangs_the_process_is_reported(
    fault: str, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(POISON)
    bad, good = tmp_path / f"{fault}.wav", tmp_path / "good.wav"
    bad.write_bytes(recording("WAV"))
    good.write_bytes(b"no audio")
    with DecoderProcess() as decoder:
        decoder.decode(good)
        assert error in (decoder.decode(bad, time_limit=1.0).error or "")
        assert decoder.decode(good).error is None


def test_the_reference_decoder_finds_windows_that_do_not_fit_the_file(recording_path: Path) -> None:
    recording_path.write_bytes(recording("WAV", "FLOAT"))
    with read_windows(str(recording_path), CONFIG) as reader:
        windows = list(reader)
    assert find_error(recording_path, windows, reader.info, CONFIG) is None
    assert find_error(recording_path, [], reader.info, CONFIG) == "no window with speech"

    tone = 0.1 * np.sin(np.arange(0.75 * RATE) / 3)
    for signal, error in [
        (tone, "another signal"),
        (voice(0.75, RATE, seed=5), "another signal"),
        (np.full(6000, np.nan), "no number"),
        (voice(2.0, RATE), "frames were decoded"),
    ]:
        soundfile.write(recording_path, signal, RATE, subtype="FLOAT")
        assert error in (find_error(recording_path, windows, reader.info, CONFIG) or "")


@pytest.mark.process
def test_every_well_formed_recording_is_analysed(
    decoder: DecoderProcess, recording_path: Path
) -> None:
    for container in CONTAINERS:
        recording_path.write_bytes(recording(container))
        assert decoder.decode(recording_path).reason == ANALYSED
