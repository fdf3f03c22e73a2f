"""Recordings as other programs write them: into pipes, inside other containers, end to end.

Each case is made by hand, so that it is always tried, and by the program itself where it is there.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from decoding import decode
from encoded_recordings import RATE, recording, speech

from batchemo.audio import AudioInfo, Failure, WindowConfig, read_windows

CONFIG = WindowConfig(rate=16_000, window=3.0, hop=1.5)
LONG = np.tile(speech(), 4)
SECONDS = len(LONG) / RATE


def outcome_of(content: bytes, path: Path) -> tuple[str, AudioInfo]:
    """Return the failure as text, or `analysed`."""
    path.write_bytes(content)
    with read_windows(str(path), CONFIG) as reader:
        try:
            list(reader)
        except Failure as failure:
            return str(failure), reader.info
    return "analysed", reader.info


def encode_with(command: str, folder: Path, *, suffix: str = "") -> bytes:
    """Return what a program makes of a WAV on its standard input and writes to its output.

    With a suffix, it writes to a file of that name, in which it can go back.
    """
    words = command.split()
    if shutil.which(words[0]) is None:
        pytest.skip(f"needs {words[0]}")
    source, target = folder / "source.wav", folder / f"target{suffix}"
    soundfile.write(source, LONG, RATE, subtype="PCM_16")
    words = [
        str(target) if suffix and word == "-" and index else word
        for index, word in enumerate(words)
    ]
    words = [str(source) if word == "IN" else word for word in words]
    with source.open("rb") as stream:
        done = subprocess.run(words, stdin=stream, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"{words[0]} was built without this: {done.stderr.decode()[-200:]}")
    return target.read_bytes() if suffix else done.stdout


def original(folder: Path) -> np.ndarray:
    path = folder / "original.wav"
    soundfile.write(path, LONG, RATE, subtype="PCM_16")
    return decode(path)


@pytest.mark.parametrize("container", ["AIFF", "AIFC"])
@pytest.mark.parametrize("size", [0x7F00_0008, 0x7F00_0000, 0x7FFF_FFFF, 0])
def test_an_aiff_that_went_to_a_pipe_is_read_to_its_end(
    container: str, size: int, recording_path: Path
) -> None:
    content = bytearray(recording("AIFF"))
    if container == "AIFC":
        content = bytearray(recording("AIFF", "FLOAT"))
    struct.pack_into(">I", content, content.index(b"SSND") + 4, size)
    reason, info = outcome_of(bytes(content), recording_path)
    assert (reason, info.duration) == ("analysed", 0.75)


def test_a_caf_that_went_to_a_pipe_is_read_to_its_end(recording_path: Path) -> None:
    content = bytearray(recording("CAF", "PCM_16"))
    recording_path.write_bytes(content)
    expected = decode(recording_path)
    struct.pack_into(">q", content, content.index(b"data") + 4, -1)
    assert outcome_of(bytes(content), recording_path)[0] == "analysed"
    np.testing.assert_array_equal(decode(recording_path), expected)


def piped_by_sox(container: str, subtype: str) -> tuple[bytes, int]:
    """Return what SoX writes into a pipe, and the length of the header that comes three times."""
    content = recording(container, subtype, signal=LONG)
    size_at, counted, code = {"CAF": (4, 4, ">Q"), "W64": (16, 24, "<Q")}[container]
    data = content.index(b"data")
    start = data + (16 if container == "CAF" else 24)
    empty, last = bytearray(content[:start]), bytearray(content[:start])
    struct.pack_into(code, empty, data + size_at, counted)
    if container == "W64":
        # The size is computed from that of the file, which in a pipe is 0.
        struct.pack_into(code, last, data + size_at, 2**64 - start)
    return bytes(empty) * 2 + content[start:] + bytes(last), start


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT", "ALAW"])
@pytest.mark.parametrize("container", ["CAF", "W64"])
def test_headers_that_sox_could_not_replace_are_no_audio(
    container: str, subtype: str, recording_path: Path
) -> None:
    recording_path.write_bytes(recording(container, subtype, signal=LONG))
    expected = decode(recording_path)
    content, header = piped_by_sox(container, subtype)
    assert outcome_of(content, recording_path)[0] == "analysed"
    np.testing.assert_array_equal(decode(recording_path), expected)
    for cut in (1, header - 1, header, header + 100, len(content) - 2 * header):
        reason, _ = outcome_of(content[:-cut], recording_path)
        assert reason.startswith("truncated: SoX wrote this into a pipe"), cut


def mp3_in_wav(seconds_declared: float) -> bytes:
    """Return a WAV with the format tag 0x55, as recorders write it."""
    frames = recording("MP3", signal=LONG)
    header = struct.pack("<HHIIHH", 0x55, 1, RATE, 4_000, 1, 0)
    header += struct.pack("<HHIHHH", 12, 1, 2, 576, 1, 1393)
    fact = struct.pack("<I", round(seconds_declared * RATE))
    chunks = [(b"fmt ", header), (b"fact", fact), (b"data", frames + bytes(len(frames) % 2))]
    body = b"".join(name + struct.pack("<I", len(data)) + data for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body


def test_an_mp3_inside_a_wav_is_read(recording_path: Path) -> None:
    # A header that counts the delay of encoder and decoder, which are no loss of audio.
    reason, info = outcome_of(mp3_in_wav(SECONDS + 0.15), recording_path)
    assert reason == "analysed"
    assert info.duration == pytest.approx(SECONDS, abs=0.3)


def test_an_mp3_inside_a_wav_that_breaks_off_is_truncated(recording_path: Path) -> None:
    content = mp3_in_wav(SECONDS)
    assert outcome_of(content[:-1000], recording_path)[0].startswith("truncated")


@pytest.mark.parametrize("length", [300, 500])
def test_an_mp3_of_too_few_frames_is_said_to_be_that(length: int, recording_path: Path) -> None:
    reason, _ = outcome_of(recording("MP3", signal=LONG)[:length], recording_path)
    assert reason.startswith(("not_audio: ", "truncated: "))
    assert "does not exist" not in reason
    assert "Unspecified" not in reason


def test_an_mp3_that_is_damaged_inside_says_so(recording_path: Path) -> None:
    content = recording("MP3", signal=LONG)
    damaged = content[:1500] + np.random.default_rng(1).bytes(20_000) + content[1500:]
    reason, _ = outcome_of(damaged, recording_path)
    assert "Unspecified" not in reason


@pytest.mark.process
@pytest.mark.parametrize(
    "command",
    [
        "sox -t wav - -t aiff -",
        "sox -t wav - -t aifc -",
        "sox -t wav - -t au -",
        "sox -t wav - -t wav -",
        "sox -t wav - -t caf -",
        "sox -t wav - -t w64 -",
        "sox -t wav - -t nist -",
        "sox -t wav - -t flac -",
        "ffmpeg -v error -i - -f aiff -",
        "ffmpeg -v error -i - -f caf -",
        "ffmpeg -v error -i - -f w64 -",
        "ffmpeg -v error -i - -f wav -",
        "ffmpeg -v error -i - -f wav -rf64 always -",
        "ffmpeg -v error -i - -f au -c:a pcm_s16be -",
        "ffmpeg -v error -i - -f flac -",
        "flac -s -c -",
    ],
)
def test_what_a_program_writes_into_a_pipe_is_read_to_the_last_bit(
    command: str, tmp_path: Path, recording_path: Path
) -> None:
    assert outcome_of(encode_with(command, tmp_path), recording_path)[0] == "analysed"
    np.testing.assert_array_equal(decode(recording_path), original(tmp_path))


@pytest.mark.process
@pytest.mark.parametrize(
    ("command", "suffix"),
    [
        ("ffmpeg -v error -i IN -", ".m4a"),
        ("ffmpeg -v error -i IN -movflags +faststart -", ".m4a"),
        ("ffmpeg -v error -i IN -movflags frag_keyframe+empty_moov -", ".mp4"),
        ("ffmpeg -v error -i IN -c:a alac -", ".m4a"),
        ("ffmpeg -v error -i IN -", ".mov"),
        ("ffmpeg -v error -i IN -", ".webm"),
        ("ffmpeg -v error -i IN -f webm -live 1 -", ".webm"),
        ("ffmpeg -v error -i IN -", ".mka"),
        ("ffmpeg -v error -i IN -", ".wma"),
        ("ffmpeg -v error -i IN -c:a wmav1 -", ".wma"),
        ("ffmpeg -v error -i IN -c:a libopus -", ".mka"),
        ("ffmpeg -v error -i IN -c:a libvorbis -", ".webm"),
        ("ffmpeg -v error -i IN -c:a libopus -", ".mp4"),
        ("ffmpeg -v error -i IN -c:a pcm_s24le -", ".mov"),
        ("ffmpeg -v error -f lavfi -i testsrc=d=3:s=64x48 -i IN -c:v mpeg4 -", ".mp4"),
        ("ffmpeg -v error -i IN -i IN -map 0 -map 1 -", ".m4a"),
        ("ffmpeg -v error -i IN -", ".aac"),
        ("ffmpeg -v error -i IN -ar 32000 -", ".ac3"),
        ("ffmpeg -v error -i IN -ar 32000 -", ".eac3"),
        ("ffmpeg -v error -i IN -c:a flac -", ".oga"),
        ("flac -s --ogg -o - IN", ".oga"),
        ("sox IN -t amr-nb -", ".amr"),
        ("ffmpeg -v error -i IN -c:a mp3 -ar 32000 -", ".wav"),
        ("lame --quiet IN -", ".mp3"),
        ("lame --quiet -V 5 IN -", ".mp3"),
    ],
)
def test_what_a_program_writes_into_a_file_is_read_whole(
    command: str, suffix: str, tmp_path: Path, recording_path: Path
) -> None:
    if suffix not in (".wav", ".mp3"):
        pytest.importorskip("av", reason="needs PyAV: pip install 'batchemo[av]'")
    content = encode_with(command, tmp_path, suffix=suffix)
    reason, info = outcome_of(content, recording_path)
    assert reason == "analysed"
    assert info.duration == pytest.approx(SECONDS, abs=0.3)
    cut, _ = outcome_of(content[: len(content) * 2 // 3 | 1], recording_path)
    assert cut.startswith("truncated")
