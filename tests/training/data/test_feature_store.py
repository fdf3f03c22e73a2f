"""What is gathered to learn from: a scan's windows, copies, reasons, and a cache that holds."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
from made_items import made_example
from voices import voice, write_voice

from batchemo.audio import WindowConfig, read_windows
from batchemo.corpora import Example
from batchemo.corpora.duplicates import signal_digest
from batchemo.errors import BatchemoError, UsageError
from batchemo.features import extract, get_feature_set
from batchemo.training.data.augment_audio import AUGMENTATIONS, augment_recording
from batchemo.training.data.augment_spectrogram import Windows
from batchemo.training.data.feature_store import (
    FeatureItems,
    FeatureMaker,
    find_main_corpus,
    gather_items,
    open_cache,
)

RECIPE = get_feature_set("mfcc40")
WINDOWS = Windows(seconds=1.0, hop=0.5)


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


def hear(one: Example, cache: Path, *augmentations: str) -> dict[str, np.ndarray]:
    """What comes of one recording, without another process."""
    hearing = FeatureMaker(RECIPE, WINDOWS, augmentations, None, open_cache(cache, RECIPE, WINDOWS))
    assert hearing.hear(one) == ""
    return {item.copy: item.windows for item in hearing.items(one)}


def told(gathered: FeatureItems) -> list[tuple[str, str]]:
    return [(item.example.path.stem, item.copy) for item in gathered.items]


def test_the_windows_of_the_original_are_those_that_a_scan_hears(
    voices: tuple[Example, ...], tmp_path: Path
) -> None:
    options = WindowConfig(rate=RECIPE.rate, window=WINDOWS.seconds, hop=WINDOWS.hop)
    for one in voices:
        with read_windows(str(one.path), options) as heard:
            scanned = [extract(RECIPE, w.samples, WINDOWS.seconds) for w in heard if w.speech]

        windows = hear(one, tmp_path / "cache")["original"]

        assert windows.dtype == np.float32
        assert np.array_equal(windows, np.stack(scanned))


def test_windows_without_speech_are_no_part_of_an_item(tmp_path: Path) -> None:
    path = tmp_path / "pause.wav"
    soundfile.write(path, np.concatenate([voice(1.0), np.zeros(16000 * 4), voice(1.0)]), 16000)

    heard = hear(example(path), tmp_path / "cache", "pitch")

    # Of eleven windows in all.
    assert 2 <= len(heard["original"]) <= 6
    assert 2 <= len(heard["pitch"]) <= 6


def test_a_copy_is_made_of_the_whole_signal_and_then_cut_as_a_scan_would(
    voices: tuple[Example, ...], tmp_path: Path
) -> None:
    one = voices[2]
    with read_windows(str(one.path), WindowConfig(rate=RECIPE.rate, window=60, hop=60)) as heard:
        (whole,) = heard
    changed = augment_recording("stretch", whole.samples, RECIPE.rate, one.digest)
    path = tmp_path / "changed.wav"
    soundfile.write(path, changed, RECIPE.rate, subtype="FLOAT")

    copy = hear(one, tmp_path / "cache", "stretch")["stretch"]

    assert np.array_equal(copy, hear(example(path), tmp_path / "cache")["original"])


def test_items_come_by_example_and_then_by_copy(
    voices: tuple[Example, ...], tmp_path: Path
) -> None:
    steps: list[tuple[int, int]] = []
    for one in voices:
        hear(one, tmp_path / "cache", "stretch")

    gathered = gather_items(
        voices[::-1],
        RECIPE,
        WINDOWS,
        ("stretch", "noise"),
        cache=tmp_path / "cache",
        jobs=2,
        progress=lambda *step: steps.append(step),
    )

    augmentations = ("original", "stretch", "noise")
    assert told(gathered) == [(name, copy) for name in "210" for copy in augmentations]
    assert gathered.failures == ()
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_what_a_scan_refuses_is_left_out_with_its_copies_and_told(
    voices: tuple[Example, ...], beep: Example, tmp_path: Path
) -> None:
    gone = replace(voices[1], path=tmp_path / "gone.wav", digest="00")
    examples = (voices[0], gone, beep, voices[2])

    gathered = gather_items(examples, RECIPE, WINDOWS, ("noise",), cache=tmp_path / "cache")

    assert told(gathered) == [(name, copy) for name in "02" for copy in ("original", "noise")]
    assert [one for one, _ in gathered.failures] == [gone, beep]
    reasons = [reason.partition(":")[0] for _, reason in gathered.failures]
    assert reasons == ["missing", "no_speech"]


def test_a_copy_in_which_nothing_sounds_like_speech_is_left_out(
    voices: tuple[Example, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(AUGMENTATIONS, "noise", lambda signal, rate, random: 0 * signal)
    hear(voices[0], tmp_path, "noise")

    gathered = gather_items(voices[:1], RECIPE, WINDOWS, ("noise",), cache=tmp_path)

    assert told(gathered) == [("0", "original")]


def test_away_from_home_each_recording_gets_one_of_the_copies_by_lot(tmp_path: Path) -> None:
    augmentations = ("noise", "speed-90", "speed-110")
    voice = write_voice(tmp_path / "voice.wav", seconds=1.2)
    at_home = replace(example(voice), corpus="home")
    away = [replace(at_home, corpus="away", digest=f"{n:08x}") for n in range(7)]
    cache = tmp_path / "cache"

    gathered = gather_items(
        [at_home, *away], RECIPE, WINDOWS, augmentations, main_corpus="home", cache=cache
    )

    every = [(item.example, item.copy) for item in gathered.items]
    assert every[:4] == [(at_home, copy) for copy in ("original", *augmentations)]
    lots = [augmentations[n % 3] for n in range(7)]
    assert every[4:] == [
        (one, copy) for one, lot in zip(away, lots, strict=True) for copy in ("original", lot)
    ]


def spoken(corpus: str, emotions: str, speakers: str) -> list[Example]:
    return [
        made_example(who, label, corpus=corpus)
        for label in emotions.split()
        for who in speakers.split()
    ]


@pytest.mark.parametrize(
    ("others", "why"),
    [
        (spoken("a", "sad", "1 2 3 4 5 6 7"), "it has more labels"),
        (spoken("a", "sad happy", "1 2"), "it has more speakers"),
        (spoken("z", "sad happy", "1 2 3"), "it comes first by name"),
    ],
)
def test_home_is_one_corpus_in_whatever_order_recordings_come(
    others: list[Example], why: str
) -> None:
    wanted = spoken("home", "sad happy", "7 8 9")

    assert find_main_corpus([*others, *wanted]) == find_main_corpus([*wanted, *others]) == "home", (
        why
    )


def test_what_was_drawn_by_lot_is_kept_and_found_again_when_all_are_wanted(
    voices: tuple[Example, ...], tmp_path: Path
) -> None:
    def gather(main_corpus: str | None) -> tuple[list[tuple[int, int]], FeatureItems]:
        steps: list[tuple[int, int]] = []
        gathered = gather_items(
            voices[:1],
            RECIPE,
            WINDOWS,
            ("noise", "speed-90"),
            main_corpus=main_corpus,
            cache=tmp_path / "cache",
            progress=lambda *step: steps.append(step),
        )
        return steps, gathered

    assert len(gather("elsewhere")[1].items) == 2
    assert gather("elsewhere")[0] == [(1, 1)]
    steps, gathered = gather(None)
    assert steps == [(0, 1), (1, 1)]
    assert told(gathered) == [("0", copy) for copy in ("original", "noise", "speed-90")]
    assert told(gather("made")[1]) == told(gathered)


def test_without_copies_there_is_no_lot(voices: tuple[Example, ...], tmp_path: Path) -> None:
    gathered = gather_items(voices[:1], RECIPE, WINDOWS, main_corpus="elsewhere", cache=tmp_path)

    assert told(gathered) == [("0", "original")]


def test_what_is_kept_is_not_heard_again_even_if_the_recording_is_gone(
    voices: tuple[Example, ...], tmp_path: Path
) -> None:
    first = hear(voices[0], tmp_path / "cache", "noise")
    voices[0].path.unlink()

    gathered = gather_items(voices[:1], RECIPE, WINDOWS, ("noise",), cache=tmp_path / "cache")

    for item in gathered.items:
        assert np.array_equal(item.windows, first[item.copy])


def test_another_recipe_or_other_windows_are_another_part_of_the_cache(tmp_path: Path) -> None:
    narrower = replace(WINDOWS, hop=0.25)
    wider = get_feature_set("mfcc40", n_mfcc=20)

    parts = {
        open_cache(tmp_path, recipe, windows).folder
        for recipe in (RECIPE, wider)
        for windows in (WINDOWS, narrower)
    }

    assert len(parts) == 4
    assert (
        open_cache(tmp_path, get_feature_set("mfcc40"), Windows(seconds=1, hop=0.5)).folder in parts
    )


@pytest.mark.parametrize("left", [0, 40, 200])
def test_a_damaged_file_of_the_cache_is_made_again(
    left: int, voices: tuple[Example, ...], tmp_path: Path
) -> None:
    whole = hear(voices[0], tmp_path / "cache")["original"]
    (kept,) = tmp_path.glob("cache/*/*.npy")
    kept.write_bytes(kept.read_bytes()[:left])

    gathered = open_cache(tmp_path / "cache", RECIPE, WINDOWS)

    assert not FeatureMaker(RECIPE, WINDOWS, (), None, gathered).is_kept(voices[0])
    assert np.array_equal(hear(voices[0], tmp_path / "cache")["original"], whole)


def test_a_cache_that_cannot_be_written_is_told(
    voices: tuple[Example, ...], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(BatchemoError, match=r"file/mfcc40-.*: features cannot be kept there"):
        gather_items(voices[:1], RECIPE, WINDOWS, cache=tmp_path / "file")


def test_unknown_copies_and_recordings_without_a_digest_are_refused_before_any_work(
    voices: tuple[Example, ...], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="'echo'"):
        gather_items(voices, RECIPE, WINDOWS, ("echo",), cache=tmp_path / "cache")
    with pytest.raises(ValueError, match=r"0\.wav: has no digest"):
        gather_items([replace(voices[0], digest="")], RECIPE, WINDOWS, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


GATHER = """
import signal
import sys
from pathlib import Path
from batchemo.features import get_recipe
from batchemo.training.corpora import Example
from batchemo.training.items import gather_items
from batchemo.training.pictures import Windows

# Whoever runs the tests in the background of a shell has Ctrl-C ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
voice, cache, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
examples = [Example(voice, "", "", "", "sad", "", digest=f"{n:04x}") for n in range(count)]
say = lambda done, total: print(done, flush=True)
options = get_recipe("mfcc40"), Windows(seconds=1.0, hop=0.5), sys.argv[4:]
gather_items(examples, *options, cache=cache, progress=say)
print(*({"librosa", "tensorflow", "scipy"} & set(sys.modules)), "done")
"""


def gathering(voice: Path, cache: Path, count: int, *augmentations: str) -> subprocess.Popen[str]:
    """Another process that gathers as many recordings, and says how many are done."""
    command = [sys.executable, "-c", GATHER, str(voice), str(cache), str(count), *augmentations]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_stopped_gathering_leaves_no_process_and_goes_on_where_it_was(
    how: signal.Signals, voices: tuple[Example, ...], tmp_path: Path
) -> None:
    process = gathering(voices[0].path, tmp_path / "cache", 3000, "noise")
    assert process.stdout is not None
    while int(process.stdout.readline()) < 3:
        pass
    workers = psutil.Process(process.pid).children(recursive=True)

    process.send_signal(how)

    assert process.wait(10) != 0
    assert process.stderr is not None
    assert "Exception in thread" not in process.stderr.read()
    assert psutil.wait_procs(workers, timeout=5)[1] == []
    kept = list(tmp_path.glob("cache/*/*.npy"))
    assert 6 <= len(kept) < 2 * 3000
    assert all(np.load(path).shape[1:] == (40,) for path in kept)
    with gathering(voices[0].path, tmp_path / "cache", 3, "noise") as again:
        assert again.stdout is not None
        assert again.stdout.readline() == "3\n"


def test_two_processes_that_gather_the_same_do_not_hurt_each_other_and_stay_light(
    voices: tuple[Example, ...], tmp_path: Path
) -> None:
    augmentations = (("noise",), ("noise", "stretch"))
    both = [gathering(voices[0].path, tmp_path / "cache", 20, *some) for some in augmentations]

    said = [process.communicate(timeout=60) for process in both]

    assert [out.splitlines()[-1].strip() for out, _ in said] == ["done", "done"]
    assert len(list(tmp_path.glob("cache/*/*.npy"))) == 60
    assert list(tmp_path.glob("cache/*/.*")) == []
