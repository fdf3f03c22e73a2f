"""Files made to do harm, one of each sort, fail with the reason that fits them."""

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
from encoded_recordings import RATE, recording, speech

from batchemo.audio import AudioInfo, Failure, WindowConfig, read_windows

CONFIG = WindowConfig(rate=16_000, window=3.0, hop=1.5)
GIGABYTES = 0xFFFF_FF00 >> 1
REFUSED = {"not_audio", "unsupported"}


def outcome_of(content: bytes, recording_path: Path) -> tuple[str, AudioInfo]:
    """Return the reason of failure, or `analysed`."""
    recording_path.write_bytes(content)
    with read_windows(str(recording_path), CONFIG) as reader:
        try:
            list(reader)
        except Failure as failure:
            return failure.reason, reader.info
    return "analysed", reader.info


def wav(subtype: str = "PCM_16", **fields: int) -> bytes:
    """Return a WAV with changed header fields: `wav(channels=0, rate=4_000_000_000)`."""
    content = bytearray(recording("WAV", subtype))
    places = {"size": (4, "<I"), "channels": (22, "<H"), "rate": (24, "<I"), "bits": (34, "<H")}
    for name, value in fields.items():
        if name == "audio":
            struct.pack_into("<I", content, content.index(b"data") + 4, value)
        else:
            struct.pack_into(places[name][1], content, places[name][0], value)
    return bytes(content)


def with_header_number(
    container: str, name: bytes, offset: int, number_format: str, value: float
) -> bytes:
    """Return a recording with one number changed, `offset` bytes after a name in its header."""
    content = bytearray(recording(container))
    number = value if number_format.endswith("d") else int(value)
    struct.pack_into(number_format, content, content.index(name) + offset, number)
    return bytes(content)


def rf64(length: int, *, ds64: bytes = b"ds64") -> bytes:
    """Return an RF64 file with another 64-bit size of its audio."""
    content = bytearray(recording("RF64", "PCM_16"))
    offset = content.index(b"ds64")
    content[offset : offset + 4] = ds64
    struct.pack_into("<Q", content, offset + 16, length)
    return bytes(content)


def chunk(name: bytes, body: bytes, *, padded: bool = True) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2 * padded)


def with_chunks(*names: str, padded: bool = True) -> bytes:
    """Return a WAV with these chunks, in this order."""
    content = recording("WAV", "PCM_16")
    offset = content.index(b"data")
    chunks = {
        "format": content[12:offset],
        "sound": content[offset:],
        "odd": chunk(b"LIST", b"abc", padded=padded),
        "long": chunk(b"junk", bytes(70_001), padded=padded),
        "facts": chunk(b"fact", struct.pack("<I", 2**31)),
    }
    body = b"WAVE" + b"".join(chunks[name] for name in names)
    return chunk(b"RIFF", body)


def with_samples(subtype: str, *, value: float, container: str = "WAV") -> bytes:
    """Return a recording of floats, one of which is replaced."""
    number_format = ("<" if container == "WAV" else ">") + {"FLOAT": "f", "DOUBLE": "d"}[subtype]
    content = bytearray(recording(container, subtype))
    struct.pack_into(number_format, content, len(content) - 4000, value)
    return bytes(content)


HOSTILE: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    "declares 4 GB": (lambda: wav(audio=0xFFFF_0000 - 100, size=0xFFFF_FFFF), {"analysed"}),
    "declares 2 GB": (lambda: wav(audio=GIGABYTES >> 1), {"truncated"}),
    "declares 4 GB of stereo": (lambda: wav(audio=0x7FFE_0000, channels=2), {"truncated"}),
    "no channels": (lambda: wav(channels=0), {"not_audio"}),
    "255 channels": (lambda: wav(channels=255), REFUSED),
    "65,535 channels": (lambda: wav(channels=65_535), REFUSED),
    "a rate of 0": (lambda: wav(rate=0), REFUSED),
    "a rate of 4 GHz": (lambda: wav(rate=4_000_000_000), REFUSED),
    "a rate of 2 GHz": (lambda: wav(rate=2_000_000_000), {"unsupported"}),
    "AU, no channels": (lambda: with_header_number("AU", b".snd", 20, ">I", 0), REFUSED),
    "AU, 4,000,000,000 channels": (
        lambda: with_header_number("AU", b".snd", 20, ">I", 4e9),
        REFUSED,
    ),
    "AU, a rate of 4 GHz": (lambda: with_header_number("AU", b".snd", 16, ">I", 4e9), REFUSED),
    "AU, sound far away": (
        lambda: with_header_number("AU", b".snd", 4, ">I", 2**32 - 1),
        {*REFUSED, "zero_frames"},
    ),
    "AIFF, no channels": (lambda: with_header_number("AIFF", b"COMM", 8, ">H", 0), REFUSED),
    "AIFF, 255 channels": (lambda: with_header_number("AIFF", b"COMM", 8, ">H", 255), REFUSED),
    "AIFF, a rate of infinity": (
        lambda: with_header_number("AIFF", b"COMM", 16, ">H", 0x7FFF),
        REFUSED,
    ),
    "AIFF, a rate of nothing": (lambda: with_header_number("AIFF", b"COMM", 16, ">Q", 0), REFUSED),
    "CAF, no channels": (lambda: with_header_number("CAF", b"desc", 36, ">I", 0), REFUSED),
    "CAF, 255 channels": (lambda: with_header_number("CAF", b"desc", 36, ">I", 255), REFUSED),
    "CAF, a rate of infinity": (
        lambda: with_header_number("CAF", b"desc", 12, ">d", float("inf")),
        REFUSED,
    ),
    "CAF, a rate that is no number": (
        lambda: with_header_number("CAF", b"desc", 12, ">d", float("nan")),
        REFUSED,
    ),
    "CAF, a rate below 0": (lambda: with_header_number("CAF", b"desc", 12, ">d", -8000.0), REFUSED),
    "CAF, 4 EB of sound": (
        lambda: with_header_number("CAF", b"data", 4, ">q", 2**62 - 1),
        {"truncated"},
    ),
    "W64, no channels": (lambda: with_header_number("W64", b"fmt ", 26, "<H", 0), REFUSED),
    "W64, 255 channels": (lambda: with_header_number("W64", b"fmt ", 26, "<H", 255), REFUSED),
    "W64, a rate of 4 GHz": (lambda: with_header_number("W64", b"fmt ", 28, "<I", 4e9), REFUSED),
    "FLAC, a rate of 0": (
        lambda: with_header_number("FLAC", b"fLaC", 18, ">H", 0),
        {*REFUSED, "truncated"},
    ),
    "no bits": (lambda: wav(bits=0), REFUSED),
    "65,535 bits": (lambda: wav(bits=65_535), REFUSED),
    "RIFX": (lambda: recording("RIFX"), {"analysed"}),
    "RIFX called RIFF": (lambda: b"RIFF" + recording("RIFX")[4:], {"not_audio"}),
    "RIFF called RIFX": (lambda: b"RIFX" + recording("WAV")[4:], {"not_audio"}),
    "RF64 of too much": (lambda: rf64(2**40), {"truncated"}),
    "RF64 of 2**63": (lambda: rf64(2**63 - 1), {"analysed"}),
    "RF64 of -1": (lambda: rf64(2**64 - 1), {"analysed"}),
    "RF64 of an odd byte": (lambda: rf64(len(speech()) * 2 - 1), {"analysed"}),
    "RF64 of ten bytes": (lambda: rf64(10), {"too_short"}),
    "RF64 without its sizes": (lambda: rf64(0, ds64=b"junk"), {"analysed", "not_audio"}),
    "sound before format": (lambda: with_chunks("sound", "format"), {"not_audio"}),
    "two formats": (lambda: with_chunks("format", "format", "sound"), {"analysed", "not_audio"}),
    "two sounds": (lambda: with_chunks("format", "sound", "sound"), {"not_audio"}),
    "wrong facts": (lambda: with_chunks("facts", "format", "facts", "sound"), {"analysed"}),
    "odd chunks": (lambda: with_chunks("odd", "format", "long", "sound", "odd"), {"analysed"}),
    "odd, not padded": (
        lambda: with_chunks("odd", "format", "long", "sound", padded=False),
        {"analysed", "not_audio"},
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


@pytest.mark.parametrize("title", HOSTILE)
def test_a_hostile_file_fails_with_the_expected_reason(title: str, recording_path: Path) -> None:
    make, expected = HOSTILE[title]
    reason, info = outcome_of(make(), recording_path)
    assert reason in expected
    if reason == "analysed":
        assert info.duration == pytest.approx(len(speech()) / RATE, abs=2 / RATE)


def test_a_count_of_frames_that_overflows_is_refused(recording_path: Path) -> None:
    """IMA ADPCM: blocks times their samples are more than 31 bits hold (CVE-2026-37555)."""
    content = recording("WAV", "IMA_ADPCM")
    header = bytearray(content[: content.index(b"data") + 8])
    block, blocks = 32_000, 33_600
    struct.pack_into("<H", header, 32, block)
    struct.pack_into("<H", header, 38, 2 * (block - 4) + 1)
    struct.pack_into("<I", header, len(header) - 4, block * blocks)
    recording_path.write_bytes(header)
    os.truncate(recording_path, len(header) + block * blocks)
    with read_windows(str(recording_path), CONFIG) as reader, pytest.raises(Failure) as raised:
        list(reader)
    assert raised.value.reason == "not_audio"


@pytest.mark.process
def test_a_decompression_bomb_is_decoded_in_bounded_memory(tmp_path: Path) -> None:
    bomb, small = tmp_path / "bomb.flac", tmp_path / "small.flac"
    second = np.zeros((48_000, 8), np.int16)
    soundfile.write(small, second, 48_000)
    with soundfile.SoundFile(bomb, "w", 48_000, 8, "PCM_16", format="FLAC") as file:
        for _ in range(120):
            file.write(second)
    assert bomb.stat().st_size * 500 < 120 * second.nbytes
    (small_reason, before), (bomb_reason, after) = read_in_a_process(small, bomb)
    assert small_reason == bomb_reason == "silent"
    assert after - before < 24


def read_in_a_process(*paths: Path) -> list[tuple[str, float]]:
    """Return the reason and the peak memory so far, in MB, of each recording."""
    code = """
import resource, sys
from batchemo.audio import Failure, WindowConfig, read_windows
for path in sys.argv[1:]:
    with read_windows(path, WindowConfig(rate=16000, window=3.0, hop=1.5)) as reader:
        try:
            reason = f"{len(list(reader))} windows"
        except Failure as failure:
            reason = failure.reason
    print(reason, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, sep=":")
"""
    command = [sys.executable, "-c", code, *map(str, paths)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [(reason, float(mb)) for reason, mb in (line.split(":") for line in lines)]


def test_a_recording_that_declares_too_long_a_duration_is_not_decoded(recording_path: Path) -> None:
    content = bytearray(recording("FLAC"))
    struct.pack_into(">I", content, 22, 0xFFFF_FFFF)  # frames: six days at 8 kHz
    reason, info = outcome_of(bytes(content), recording_path)
    assert (reason, info.duration) == ("too_large", None)


def test_a_recording_that_declares_no_duration_is_decoded_up_to_the_limit(
    recording_path: Path,
) -> None:
    soundfile.write(recording_path, np.zeros(60 * RATE, np.int16), RATE, format="FLAC")
    content = bytearray(recording_path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    recording_path.write_bytes(content)
    limited = WindowConfig(rate=16_000, window=3.0, hop=1.5, max_duration=10)
    with (
        read_windows(str(recording_path), limited) as reader,
        pytest.raises(Failure, match="the limit is 10 s"),
    ):
        list(reader)
