"""The feature store: a scan's windows, augmented copies, reasons for failures, files that last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from inline_map import gather_inline
from made_items import made_example, made_items
from voices import voice, write_voice

from batchemo.audio import WindowConfig, read_windows
from batchemo.common.arrays import Float32
from batchemo.corpora import Example
from batchemo.corpora.duplicates import signal_digest
from batchemo.errors import BatchemoError, UsageError
from batchemo.features import extract, get_feature_set
from batchemo.training.data.augment_audio import AUGMENTATIONS, augment_recording
from batchemo.training.data.feature_store import (
    TWIN,
    FeatureItems,
    FeatureMaker,
    find_main_corpus,
    gather_items,
    open_store,
    with_twins,
)

FEATURES = get_feature_set("mfcc40")
WINDOWS = WindowConfig(rate=FEATURES.rate, window=1.0, hop=0.5)


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    gather_inline(monkeypatch)


def example(path: Path) -> Example:
    return Example(path, "made", "1", "female", "sad", "normal", digest=signal_digest(path))


@pytest.fixture
def voices(tmp_path: Path) -> tuple[Example, ...]:
    return tuple(
        example(write_voice(tmp_path / f"{n}.wav", seconds=1.2 + 0.4 * n, seed=n)) for n in range(3)
    )


@pytest.fixture
def beep(tmp_path: Path) -> Example:
    path = tmp_path / "beep.wav"
    soundfile.write(path, 0.3 * np.sin(np.arange(24000) / 9), 16000)
    return example(path)


def gather(
    examples: Sequence[Example], folder: Path, *variants: str, main_corpus: str | None = None
) -> FeatureItems:
    return gather_items(
        examples, FEATURES, WINDOWS, variants, main_corpus=main_corpus, folder=folder
    )


def windows_by_variant(one: Example, folder: Path, *variants: str) -> dict[str, Float32]:
    """Return the windows of each variant of one recording."""
    gathered = gather([one], folder, *variants)
    assert gathered.failures == ()
    return {item.variant: item.windows for item in gathered.items}


def names(gathered: FeatureItems) -> list[tuple[str, str]]:
    return [(item.example.path.stem, item.variant) for item in gathered.items]


def test_the_windows_of_the_original_are_those_of_a_scan(
    voices: tuple[Example, ...], tmp_path: Path
) -> None:
    for one in voices:
        with read_windows(str(one.path), WINDOWS) as reader:
            scanned = [extract(FEATURES, w.samples, WINDOWS.window) for w in reader if w.speech]

        windows = windows_by_variant(one, tmp_path / "store")["original"]

        assert windows.dtype == np.float32
        assert np.array_equal(windows, np.stack(scanned))


def test_windows_without_speech_are_no_part_of_an_item(tmp_path: Path) -> None:
    path = tmp_path / "pause.wav"
    soundfile.write(path, np.concatenate([voice(1.0), np.zeros(16000 * 4), voice(1.0)]), 16000)

    windows = windows_by_variant(example(path), tmp_path / "store", "speed-90")

    # Of eleven windows in all.
    assert 2 <= len(windows["original"]) <= 6
    assert 2 <= len(windows["speed-90"]) <= 6


def test_the_whole_signal_is_augmented_and_then_cut_as_a_scan_would(
    voices: tuple[Example, ...], tmp_path: Path
) -> None:
    one = voices[2]
    with read_windows(str(one.path), replace(WINDOWS, window=60, hop=60)) as reader:
        (whole,) = reader
    augmented = augment_recording("speed-110", whole.samples, FEATURES.rate, one.digest)
    path = tmp_path / "augmented.wav"
    soundfile.write(path, augmented, FEATURES.rate, subtype="FLOAT")

    windows = windows_by_variant(one, tmp_path / "store", "speed-110")["speed-110"]

    of_file = windows_by_variant(example(path), tmp_path / "store")["original"]
    assert np.array_equal(windows, of_file)


def test_items_come_by_recording_and_then_by_variant(
    voices: tuple[Example, ...], tmp_path: Path
) -> None:
    progress: list[tuple[int, int]] = []
    # The order must not depend on what is stored already.
    gather(voices, tmp_path / "store", "speed-110")

    gathered = gather_items(
        voices[::-1],
        FEATURES,
        WINDOWS,
        ("speed-110", "noise"),
        folder=tmp_path / "store",
        on_progress=lambda *step: progress.append(step),
    )

    variants = ("original", "speed-110", "noise")
    assert names(gathered) == [(name, variant) for name in "210" for variant in variants]
    assert gathered.failures == ()
    assert progress == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_what_a_scan_refuses_is_left_out_with_its_variants_and_the_reason(
    voices: tuple[Example, ...], beep: Example, tmp_path: Path
) -> None:
    missing = replace(voices[1], path=tmp_path / "missing.wav", digest="00")

    gathered = gather((voices[0], missing, beep, voices[2]), tmp_path / "store", "noise")

    assert names(gathered) == [(name, kind) for name in "02" for kind in ("original", "noise")]
    assert [one for one, _ in gathered.failures] == [missing, beep]
    reasons = [reason.partition(":")[0] for _, reason in gathered.failures]
    assert reasons == ["missing", "no_speech"]


def test_a_variant_without_any_speech_is_left_out(
    voices: tuple[Example, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(AUGMENTATIONS, "noise", lambda signal, rate, random: 0 * signal)

    gathered = gather(voices[:1], tmp_path / "store", "noise")

    assert names(gathered) == [("0", "original")]
    assert names(gather(voices[:1], tmp_path / "store", "noise")) == [("0", "original")]


def test_recordings_of_other_corpora_get_one_of_the_variants_each(tmp_path: Path) -> None:
    variants = ("noise", "speed-90", "speed-105")
    in_main = replace(example(write_voice(tmp_path / "voice.wav", seconds=1.2)), corpus="main")
    others = [replace(in_main, corpus="other", digest=f"{n:08x}") for n in range(7)]

    gathered = gather([in_main, *others], tmp_path / "store", *variants, main_corpus="main")

    samples = [(item.example, item.variant) for item in gathered.items]
    assert samples[:4] == [(in_main, variant) for variant in ("original", *variants)]
    drawn = [variants[n % 3] for n in range(7)]
    assert samples[4:] == [
        (one, variant)
        for one, by_digest in zip(others, drawn, strict=True)
        for variant in ("original", by_digest)
    ]


def test_the_drawn_variant_is_found_again_when_all_are_wanted(
    voices: tuple[Example, ...], tmp_path: Path
) -> None:
    def gather_and_count(main_corpus: str | None) -> tuple[list[tuple[int, int]], FeatureItems]:
        progress: list[tuple[int, int]] = []
        gathered = gather_items(
            voices[:1],
            FEATURES,
            WINDOWS,
            ("noise", "speed-90"),
            main_corpus=main_corpus,
            folder=tmp_path / "store",
            on_progress=lambda *step: progress.append(step),
        )
        return progress, gathered

    assert len(gather_and_count("elsewhere")[1].items) == 2
    assert gather_and_count("elsewhere")[0] == [(1, 1)]
    progress, gathered = gather_and_count(None)
    assert progress == [(0, 1), (1, 1)]
    assert names(gathered) == [("0", variant) for variant in ("original", "noise", "speed-90")]
    assert names(gather_and_count("made")[1]) == names(gathered)


def test_without_variants_none_is_drawn(voices: tuple[Example, ...], tmp_path: Path) -> None:
    gathered = gather(voices[:1], tmp_path / "store", main_corpus="elsewhere")

    assert names(gathered) == [("0", "original")]


def recordings(corpus: str, emotions: str, speakers: str) -> list[Example]:
    return [
        made_example(speaker, emotion, corpus=corpus)
        for emotion in emotions.split()
        for speaker in speakers.split()
    ]


@pytest.mark.parametrize(
    "others",
    [
        pytest.param(recordings("a", "sad", "1 2 3 4 5 6 7"), id="more labels"),
        pytest.param(recordings("a", "sad happy", "1 2"), id="more speakers"),
        pytest.param(recordings("z", "sad happy", "1 2 3"), id="first by name"),
    ],
)
def test_the_main_corpus_is_the_richest_in_any_order_of_recordings(others: list[Example]) -> None:
    richest = recordings("main", "sad happy", "7 8 9")

    assert find_main_corpus([*others, *richest]) == "main"
    assert find_main_corpus([*richest, *others]) == "main"


def test_twins_are_all_originals_a_second_time() -> None:
    items = made_items(recordings("made", "sad happy", "1 2"), ("noise",))

    doubled = with_twins(items)

    originals = [item for item in items if item.variant == "original"]
    twins = doubled[len(items) :]
    assert doubled[: len(items)] == items
    assert [twin.example for twin in twins] == [item.example for item in originals]
    assert {twin.variant for twin in twins} == {TWIN}
    assert all(twin.windows is one.windows for twin, one in zip(twins, originals, strict=True))


def test_stored_features_are_found_even_if_the_recording_is_gone(
    voices: tuple[Example, ...], tmp_path: Path
) -> None:
    first = windows_by_variant(voices[0], tmp_path / "store", "noise")
    voices[0].path.unlink()

    for item in gather(voices[:1], tmp_path / "store", "noise").items:
        assert np.array_equal(item.windows, first[item.variant])


def test_other_features_or_windows_are_another_part_of_the_store(tmp_path: Path) -> None:
    fewer = get_feature_set("mfcc40", n_mfcc=20)

    parts = {
        open_store(tmp_path, features, windows).folder
        for features in (FEATURES, fewer)
        for windows in (WINDOWS, replace(WINDOWS, hop=0.25))
    }

    assert len(parts) == 4
    same = WindowConfig(rate=FEATURES.rate, window=1, hop=0.5)
    assert open_store(tmp_path, get_feature_set("mfcc40"), same).folder in parts


@pytest.mark.parametrize("length", [0, 40, 200])
def test_a_damaged_file_is_computed_again(
    length: int, voices: tuple[Example, ...], tmp_path: Path
) -> None:
    whole = windows_by_variant(voices[0], tmp_path / "store")["original"]
    (path,) = tmp_path.glob("store/*/*.npy")
    path.write_bytes(path.read_bytes()[:length])

    store = open_store(tmp_path / "store", FEATURES, WINDOWS)

    assert not FeatureMaker(FEATURES, WINDOWS, (), None, store).is_stored(voices[0])
    assert np.array_equal(windows_by_variant(voices[0], tmp_path / "store")["original"], whole)


def test_a_folder_that_cannot_be_written_is_named(
    voices: tuple[Example, ...], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(BatchemoError, match=r"file/mfcc40-.*: features cannot be kept there"):
        gather(voices[:1], tmp_path / "file")


def test_unknown_variants_and_recordings_without_a_digest_are_refused_before_any_work(
    voices: tuple[Example, ...], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="'echo'"):
        gather(voices, tmp_path / "store", "echo")
    with pytest.raises(ValueError, match=r"0\.wav: has no digest"):
        gather([replace(voices[0], digest="")], tmp_path / "store")
    assert not (tmp_path / "store").exists()
