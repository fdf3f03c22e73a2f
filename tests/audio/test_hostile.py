"""Files that were made to do harm, one of each sort, end in the reason that fits them."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from encoded_recordings import RATE, recording, sound

from batchemo.audio import AudioInfo, Failure, WindowConfig, read_windows

OPTIONS = WindowConfig(rate=16_000, window=3.0, hop=1.5)
GIGABYTES = 0xFFFF_FF00 >> 1
REFUSED = {"not_audio", "unsupported"}


def end_of(content: bytes, place: Path) -> tuple[str, AudioInfo]:
    """How the recording ends: a reason, or `heard`."""
    place.write_bytes(content)
    with read_windows(str(place), OPTIONS) as heard:
        try:
            list(heard)
        except Failure as failure:
            return failure.reason, heard.info
    return "heard", heard.info


def wav(subtype: str = "PCM_16", **fields: int) -> bytes:
    """A WAV whose header says something else: `wav(channels=0, rate=4_000_000_000)`."""
    content = bytearray(recording("WAV", subtype))
    places = {"size": (4, "<I"), "channels": (22, "<H"), "rate": (24, "<I"), "bits": (34, "<H")}
    for name, value in fields.items():
        if name == "sound":
            struct.pack_into("<I", content, content.index(b"data") + 4, value)
        else:
            struct.pack_into(places[name][1], content, places[name][0], value)
    return bytes(content)


def put(container: str, after: bytes, offset: int, form: str, value: float) -> bytes:
    """A recording with one number of its header changed, `offset` bytes behind a name in it."""
    content = bytearray(recording(container))
    number = value if form.endswith("d") else int(value)
    struct.pack_into(form, content, content.index(after) + offset, number)
    return bytes(content)


def rf64(length: int, *, ds64: bytes = b"ds64") -> bytes:
    """An RF64 whose 64-bit size of the sound is another."""
    content = bytearray(recording("RF64", "PCM_16"))
    at = content.index(b"ds64")
    content[at : at + 4] = ds64
    struct.pack_into("<Q", content, at + 16, length)
    return bytes(content)


def chunk(name: bytes, body: bytes, *, padded: bool = True) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2 * padded)


def in_order(*names: str, padded: bool = True) -> bytes:
    """A WAV with its chunks in another order, and odd ones between them."""
    content = recording("WAV", "PCM_16")
    at = content.index(b"data")
    chunks = {
        "format": content[12:at],
        "sound": content[at:],
        "odd": chunk(b"LIST", b"abc", padded=padded),
        "long": chunk(b"junk", bytes(70_001), padded=padded),
        "facts": chunk(b"fact", struct.pack("<I", 2**31)),
    }
    body = b"WAVE" + b"".join(chunks[name] for name in names)
    return chunk(b"RIFF", body)


def with_samples(subtype: str, *, value: float, container: str = "WAV") -> bytes:
    """A recording of floats, one of which is none."""
    form = ("<" if container == "WAV" else ">") + {"FLOAT": "f", "DOUBLE": "d"}[subtype]
    content = bytearray(recording(container, subtype))
    struct.pack_into(form, content, len(content) - 4000, value)
    return bytes(content)


HOSTILE: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    "promises 4 GB": (lambda: wav(sound=0xFFFF_0000 - 100, size=0xFFFF_FFFF), {"heard"}),
    "promises 2 GB": (lambda: wav(sound=GIGABYTES >> 1), {"truncated"}),
    "promises 4 GB of stereo": (lambda: wav(sound=0x7FFE_0000, channels=2), {"truncated"}),
    "no channels": (lambda: wav(channels=0), {"not_audio"}),
    "255 channels": (lambda: wav(channels=255), REFUSED),
    "65,535 channels": (lambda: wav(channels=65_535), REFUSED),
    "a rate of 0": (lambda: wav(rate=0), REFUSED),
    "a rate of 4 GHz": (lambda: wav(rate=4_000_000_000), REFUSED),
    "a rate of 2 GHz": (lambda: wav(rate=2_000_000_000), {"unsupported"}),
    "AU, no channels": (lambda: put("AU", b".snd", 20, ">I", 0), REFUSED),
    "AU, 4,000,000,000 channels": (lambda: put("AU", b".snd", 20, ">I", 4e9), REFUSED),
    "AU, a rate of 4 GHz": (lambda: put("AU", b".snd", 16, ">I", 4e9), REFUSED),
    "AU, sound far away": (
        lambda: put("AU", b".snd", 4, ">I", 2**32 - 1),
        {*REFUSED, "zero_frames"},
    ),
    "AIFF, no channels": (lambda: put("AIFF", b"COMM", 8, ">H", 0), REFUSED),
    "AIFF, 255 channels": (lambda: put("AIFF", b"COMM", 8, ">H", 255), REFUSED),
    "AIFF, a rate of infinity": (lambda: put("AIFF", b"COMM", 16, ">H", 0x7FFF), REFUSED),
    "AIFF, a rate of nothing": (lambda: put("AIFF", b"COMM", 16, ">Q", 0), REFUSED),
    "CAF, no channels": (lambda: put("CAF", b"desc", 36, ">I", 0), REFUSED),
    "CAF, 255 channels": (lambda: put("CAF", b"desc", 36, ">I", 255), REFUSED),
    "CAF, a rate of infinity": (lambda: put("CAF", b"desc", 12, ">d", float("inf")), REFUSED),
    "CAF, a rate that is no number": (lambda: put("CAF", b"desc", 12, ">d", float("nan")), REFUSED),
    "CAF, a rate below 0": (lambda: put("CAF", b"desc", 12, ">d", -8000.0), REFUSED),
    "CAF, 4 EB of sound": (lambda: put("CAF", b"data", 4, ">q", 2**62 - 1), {"truncated"}),
    "W64, no channels": (lambda: put("W64", b"fmt ", 26, "<H", 0), REFUSED),
    "W64, 255 channels": (lambda: put("W64", b"fmt ", 26, "<H", 255), REFUSED),
    "W64, a rate of 4 GHz": (lambda: put("W64", b"fmt ", 28, "<I", 4e9), REFUSED),
    "FLAC, a rate of 0": (lambda: put("FLAC", b"fLaC", 18, ">H", 0), {*REFUSED, "truncated"}),
    "no bits": (lambda: wav(bits=0), REFUSED),
    "65,535 bits": (lambda: wav(bits=65_535), REFUSED),
    "RIFX": (lambda: recording("RIFX"), {"heard"}),
    "RIFX called RIFF": (lambda: b"RIFF" + recording("RIFX")[4:], {"not_audio"}),
    "RIFF called RIFX": (lambda: b"RIFX" + recording("WAV")[4:], {"not_audio"}),
    "RF64 of too much": (lambda: rf64(2**40), {"truncated"}),
    "RF64 of 2**63": (lambda: rf64(2**63 - 1), {"heard"}),
    "RF64 of -1": (lambda: rf64(2**64 - 1), {"heard"}),
    "RF64 of an odd byte": (lambda: rf64(len(sound()) * 2 - 1), {"heard"}),
    "RF64 of ten bytes": (lambda: rf64(10), {"too_short"}),
    "RF64 without its sizes": (lambda: rf64(0, ds64=b"junk"), {"heard", "not_audio"}),
    "sound before format": (lambda: in_order("sound", "format"), {"not_audio"}),
    "two formats": (lambda: in_order("format", "format", "sound"), {"heard", "not_audio"}),
    "two sounds": (lambda: in_order("format", "sound", "sound"), {"not_audio"}),
    "facts that lie": (lambda: in_order("facts", "format", "facts", "sound"), {"heard"}),
    "odd chunks": (lambda: in_order("odd", "format", "long", "sound", "odd"), {"heard"}),
    "odd, not padded": (
        lambda: in_order("odd", "format", "long", "sound", padded=False),
        {"heard", "not_audio"},
    ),
    "not a number": (lambda: with_samples("FLOAT", value=float("nan")), {"non_finite"}),
    "infinity": (lambda: with_samples("FLOAT", value=float("inf")), {"non_finite"}),
    "minus infinity": (lambda: with_samples("DOUBLE", value=float("-inf")), {"non_finite"}),
    "beyond float32": (lambda: with_samples("DOUBLE", value=1e300), {"non_finite"}),
    "not a number, AIFF": (
        lambda: with_samples("FLOAT", value=float("nan"), container="AIFF"),
        {"non_finite"},
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_ends_as_it_should(what: str, place: Path) -> None:
    make, expected = HOSTILE[what]
    reason, info = end_of(make(), place)
    assert reason in expected
    if reason == "heard":
        assert info.duration == pytest.approx(len(sound()) / RATE, abs=2 / RATE)


def test_a_count_of_frames_that_overflows_is_refused(place: Path) -> None:
    """IMA ADPCM: blocks times their samples are more than 31 bits hold (CVE-2026-37555)."""
    content = recording("WAV", "IMA_ADPCM")
    header = bytearray(content[: content.index(b"data") + 8])
    block, blocks = 32_000, 33_600
    struct.pack_into("<H", header, 32, block)
    struct.pack_into("<H", header, 38, 2 * (block - 4) + 1)
    struct.pack_into("<I", header, len(header) - 4, block * blocks)
    place.write_bytes(header)
    os.truncate(place, len(header) + block * blocks)
    with read_windows(str(place), OPTIONS) as heard, pytest.raises(Failure) as caught:
        list(heard)
    assert caught.value.reason == "not_audio"


def test_a_bomb_of_silence_is_heard_in_bounded_memory(tmp_path: Path) -> None:
    bomb, small = tmp_path / "bomb.flac", tmp_path / "small.flac"
    second = np.zeros((48_000, 8), np.int16)
    soundfile.write(small, second, 48_000)
    with soundfile.SoundFile(bomb, "w", 48_000, 8, "PCM_16", format="FLAC") as file:
        for _ in range(120):
            file.write(second)
    assert bomb.stat().st_size * 500 < 120 * second.nbytes
    (small_reason, before), (bomb_reason, after) = heard_alone(small, bomb)
    assert small_reason == bomb_reason == "silent"
    assert after - before < 24


def heard_alone(*paths: Path) -> list[tuple[str, float]]:
    """Hear recordings in a process of its own: the reason, and the most MB so far, of each."""
    code = """
import resource, sys
from batchemo.audio import Failure, ListenOptions, listen
for path in sys.argv[1:]:
    with listen(path, ListenOptions(rate=16000, window=3.0, hop=1.5)) as heard:
        try:
            reason = f"{len(list(heard))} windows"
        except Failure as failure:
            reason = failure.reason
    print(reason, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, sep=":")
"""
    command = [sys.executable, "-c", code, *map(str, paths)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [(reason, float(mb)) for reason, mb in (line.split(":") for line in lines)]


def test_a_bomb_that_tells_its_length_is_not_even_begun(place: Path) -> None:
    content = bytearray(recording("FLAC"))
    struct.pack_into(">I", content, 22, 0xFFFF_FFFF)  # frames: six days at 8 kHz
    reason, info = end_of(bytes(content), place)
    assert (reason, info.duration) == ("too_large", None)


def test_a_bomb_that_tells_no_length_is_left_at_the_limit(place: Path) -> None:
    soundfile.write(place, np.zeros(60 * RATE, np.int16), RATE, format="FLAC")
    content = bytearray(place.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    place.write_bytes(content)
    limited = WindowConfig(rate=16_000, window=3.0, hop=1.5, max_duration=10)
    with (
        read_windows(str(place), limited) as heard,
        pytest.raises(Failure, match="the limit is 10 s"),
    ):
        list(heard)
