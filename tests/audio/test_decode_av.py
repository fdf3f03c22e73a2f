"""What libsndfile does not read is read by PyAV: whole, in bounded memory, or refused in words."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from decoding import decode
from encoded_recordings import recording, speech

from batchemo.audio import AudioInfo, Failure, WindowConfig, open_audio, read_windows
from batchemo.audio.decode import BLOCK_VALUES, open_decoder

pytest.importorskip("av", reason="needs PyAV: pip install 'batchemo[av]'")

from media_recordings import ENCODINGS, encode, media, rate_of, signal_at, video_only

CONFIG = WindowConfig(rate=16_000, window=3.0, hop=1.5)
LOSSLESS = ("MOV", "ALAC", "OGG-FLAC")
FRAMES_ALONE = ("AAC", "AC3", "EAC3")
STEREO = [name for name in ENCODINGS if name != "AMR"]


def outcome_of(content: bytes, path: Path, config: WindowConfig = CONFIG) -> tuple[str, AudioInfo]:
    """Return the failure as text, or `analysed`."""
    path.write_bytes(content)
    with read_windows(str(path), config) as reader:
        try:
            list(reader)
        except Failure as failure:
            return str(failure), reader.info
    return "analysed", reader.info


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_recording_is_analysed_at_its_own_rate_and_whole(name: str, recording_path: Path) -> None:
    reason, info = outcome_of(media(name, seconds=3.0), recording_path)
    assert (reason, info.sample_rate, info.channels) == ("analysed", rate_of(name), 1)
    # An encoder adds up to two of its frames, which not every container tells from the signal.
    assert info.duration == pytest.approx(3.0, abs=0.0 if name in LOSSLESS else 0.15)


@pytest.mark.parametrize("name", STEREO)
def test_channels_are_counted_and_can_be_chosen(name: str, recording_path: Path) -> None:
    signal = signal_at(rate_of(name), speech())
    content = encode(name, np.stack([signal, 0 * signal]))
    loud, silent, missing = (
        WindowConfig(rate=16_000, window=3.0, hop=1.5, channel=channel) for channel in "012"
    )
    assert outcome_of(content, recording_path, loud)[0] == "analysed"
    # Codecs that encode the sum and the difference leave traces of one channel in the other.
    assert outcome_of(content, recording_path, silent)[0].startswith(("silent", "no_speech"))
    assert outcome_of(content, recording_path, missing)[0].startswith("no_such_channel")


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_audio_is_decoded_to_the_last_bit(name: str, recording_path: Path) -> None:
    signal = np.stack([signal_at(rate_of(name), speech())] * 2)
    signal[1] *= -0.5
    recording_path.write_bytes(encode(name, signal))
    expected = (signal * 32_767).astype(np.int16).T.astype(np.float32) / 2**15
    np.testing.assert_array_equal(decode(recording_path), expected)


def best_correlation(signal: np.ndarray, delayed: np.ndarray) -> float:
    """Return the correlation of a signal with a longer one, at the delay where it is highest."""
    length, delays = len(signal), len(delayed) - len(signal) + 1
    centred, delayed = signal - signal.mean(), delayed.astype(np.float64)
    spectrum = np.fft.rfft(delayed) * np.fft.rfft(centred, len(delayed)).conj()
    products = np.fft.irfft(spectrum, len(delayed))[:delays]
    sums, squares = (np.cumsum(np.concatenate([[0.0], values])) for values in (delayed, delayed**2))
    sums, squares = (each[length:] - each[:-length] for each in (sums, squares))
    return float(np.max(products / np.sqrt((squares - sums**2 / length) * np.sum(centred**2))))


@pytest.mark.parametrize("name", ["M4A", "WEBM", "WMA", "AAC", "AC3", "EAC3"])
def test_lossy_audio_is_close_to_what_was_encoded(name: str, recording_path: Path) -> None:
    expected = signal_at(rate_of(name), speech())
    recording_path.write_bytes(media(name))
    decoded = decode(recording_path)[:, 0]
    best = best_correlation(expected[:-4096], decoded[: len(expected)])
    # The encoder of WMA is a poor one: of its files, FFmpeg's own decoder makes the same signal.
    assert best > (0.7 if name == "WMA" else 0.9)


def test_a_long_recording_comes_in_blocks_of_bounded_size(recording_path: Path) -> None:
    recording_path.write_bytes(media("OGG-FLAC", 2, seconds=40))
    with open_audio(str(recording_path)) as file:
        decoder = open_decoder(file)
        sizes = [block.size for block in decoder.blocks()]
        decoder.close()
    assert len(sizes) > 1
    assert max(sizes) <= BLOCK_VALUES
    assert sum(sizes) == 2 * 40 * rate_of("OGG-FLAC")


@pytest.mark.parametrize("name", ["M4A", "MKA", "OGG-FLAC", "MOV"])
def test_six_channels_are_read(name: str, recording_path: Path) -> None:
    signal = signal_at(rate_of(name), speech())
    reason, info = outcome_of(encode(name, np.stack([signal] * 6)), recording_path)
    assert (reason, info.channels) == ("analysed", 6)


# Eight channels at 88.2 kHz, then one at 16 kHz: found by the fuzzing tests.
EIGHT_CHANNELS = bytes.fromhex(
    "fff107ec039ffcde02004c61fe9676992e32382e313032000230400efff16040017ffc01182007fff16040017ffc"
    "00000000fff16040017ffc01182007fff16040017ffc011820072007fff16040017ffc01182007fff16040017ffc"
    "01182007fff16040017ffc01182007"
)


def test_eight_channels_in_planes_of_their_own_do_not_kill_the_process(
    recording_path: Path,
) -> None:
    # PyAV itself would read what stands behind the list of planes.
    reason, _ = outcome_of(EIGHT_CHANNELS, recording_path)
    assert reason.startswith("unsupported: from 88,200 Hz and 8 channels it changes to 16,000 Hz")


@pytest.mark.process
def test_channels_in_an_order_without_a_name_do_not_kill_the_process(tmp_path: Path) -> None:
    signal = signal_at(rate_of("MOV"), speech())
    path = tmp_path / "a.mov"
    content = bytearray(encode("MOV", np.stack([signal] * 8)))
    # Back before side channels: an order for which FFmpeg has no name.
    struct.pack_into(">II", content, content.index(b"chan") + 8, 0x0080_0008, 0)
    path.write_bytes(content)
    code = """
import sys
from batchemo.audio import Failure, WindowConfig, read_windows
for _ in range(20):
    try:
        with read_windows(sys.argv[1], WindowConfig(rate=16000, window=3.0, hop=1.5)) as reader:
            list(reader)
    except Failure as failure:
        print(failure)
"""
    command = [sys.executable, "-c", code, str(path)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed.count("unsupported: an unusual order of channels: 8 channels (FL+FR+") == 20


@pytest.mark.parametrize("name", ["MP4", "MKA"])
def test_the_audio_of_a_video_is_read_and_its_pictures_are_not(
    name: str, recording_path: Path
) -> None:
    content = encode(name, signal_at(rate_of(name), speech())[None], video=True)
    reason, info = outcome_of(content, recording_path)
    assert (reason, info.channels) == ("analysed", 1)
    assert info.duration == pytest.approx(0.75, abs=0.1)


def test_a_video_without_audio_says_so(recording_path: Path) -> None:
    assert outcome_of(video_only(), recording_path)[0] == (
        "not_audio: no audio in this file: it holds only video"
    )


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_recording_that_breaks_off_anywhere_is_truncated(name: str, recording_path: Path) -> None:
    content = media(name, seconds=2.0)
    for share in (0.3, 0.6, 0.8, 0.95):
        # Not at the end of a frame, where AAC and AMR, without a header, are just shorter.
        reason, _ = outcome_of(content[: int(share * len(content)) | 1], recording_path)
        assert reason.startswith("truncated"), share
    assert outcome_of(content[:-1], recording_path)[0].startswith("truncated")


@pytest.mark.parametrize("name", [name for name in ENCODINGS if name not in FRAMES_ALONE])
def test_two_recordings_in_one_file_are_never_half_read(name: str, recording_path: Path) -> None:
    content = media(name)
    reason, _ = outcome_of(content * 2, recording_path)
    assert reason.startswith("unsupported: another ")
    assert reason.endswith(f"follows the first at byte {len(content):,}: cut the file there")


@pytest.mark.parametrize("name", FRAMES_ALONE)
def test_frames_without_a_container_may_be_joined(name: str, recording_path: Path) -> None:
    single = outcome_of(media(name), recording_path)[1].duration or 0
    reason, info = outcome_of(media(name) * 2, recording_path)
    assert (reason, info.duration) == ("analysed", pytest.approx(2 * single))


@pytest.mark.parametrize("name", ["M4A", "MKA", "WEBM", "WMA", "AAC", "OGG-FLAC"])
@pytest.mark.parametrize("after", [bytes(1000), b"TAG" + bytes(125), b"Title" * 20])
def test_padding_and_tags_after_a_recording_do_no_harm(
    name: str, after: bytes, recording_path: Path
) -> None:
    expected = outcome_of(media(name), recording_path)[1].duration
    reason, info = outcome_of(media(name) + after, recording_path)
    assert (reason, info.duration) == ("analysed", expected)


@pytest.mark.parametrize("options", ["frag_keyframe+empty_moov", "faststart"])
def test_streamed_mp4_is_read(options: str, recording_path: Path) -> None:
    content = media("MP4", seconds=2.0, options=(("movflags", options),))
    assert outcome_of(content, recording_path)[0] == "analysed"
    assert outcome_of(content[:-9], recording_path)[0].startswith("truncated")


def test_a_live_webm_without_any_length_is_read_to_its_end(recording_path: Path) -> None:
    content = media("WEBM", seconds=2.0, options=(("live", "1"),))
    reason, info = outcome_of(content, recording_path)
    assert (reason, info.duration) == ("analysed", pytest.approx(2.0, abs=0.05))
    assert outcome_of(content[:-20], recording_path)[0].startswith("truncated")
    assert outcome_of(content * 2, recording_path)[0].startswith("unsupported: another Matroska")


def test_tags_before_aac_do_not_matter(recording_path: Path) -> None:
    tag = b"ID3\3\0\0\0\0\1\x48" + bytes(200)
    assert outcome_of(tag + media("AAC"), recording_path)[0] == "analysed"


def test_a_recording_of_another_rate_halfway_is_unsupported(
    recording_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import media_recordings

    first = media("AAC")
    monkeypatch.setitem(media_recordings.RATES, "AAC", 32_000)
    second = encode("AAC", signal_at(32_000, speech())[None])
    reason, _ = outcome_of(first + second, recording_path)
    assert reason.startswith("unsupported: from 16,000 Hz")


@pytest.mark.parametrize("name", ENCODINGS)
def test_damage_prints_nothing(
    name: str, recording_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(media(name, seconds=2.0))
    for offset in range(100, len(content), 97):
        content[offset] ^= 0x55
    outcome_of(bytes(content), recording_path)
    assert capfd.readouterr() == ("", "")


def test_a_size_that_no_memory_holds_is_damage_and_not_a_lack_of_memory(
    recording_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytearray(media("M4A"))
    second_size = content.index(b"stsz") + 4 + 3 * 4 + 4
    content[second_size] = 0x3D
    detail = "a size is declared that no memory could hold"
    outcome, _ = outcome_of(bytes(content), recording_path)
    assert outcome.startswith("truncated")
    assert detail in outcome
    # libav reports either with the same error.
    monkeypatch.setattr("batchemo.audio.decode_av.has_memory", lambda size: False)
    assert outcome_of(bytes(content), recording_path)[0].startswith("out_of_memory")


def test_a_limit_of_the_duration_holds(recording_path: Path) -> None:
    limited = WindowConfig(rate=16_000, window=3.0, hop=1.5, max_duration=1)
    for name in ENCODINGS:
        reason, _ = outcome_of(media(name, seconds=2.0), recording_path, limited)
        assert reason.startswith("too_large"), name


@pytest.mark.parametrize(
    ("name", "title"),
    [("M4A", "MP4 (M4A, MOV, 3GP)"), ("WMA", "ASF (WMA, WMV)"), ("OGG-FLAC", "Ogg FLAC")],
)
def test_without_pyav_the_failure_names_the_format_and_the_command(
    name: str, title: str, recording_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = media(name)
    monkeypatch.setitem(sys.modules, "av", None)
    assert outcome_of(content, recording_path)[0] == (
        f"needs_av: {title} is read by PyAV, which is not installed: pip install 'batchemo[av]'"
    )


def test_a_pyav_that_cannot_be_loaded_is_told_from_one_that_is_missing(
    recording_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = media("M4A")
    (recording_path.parent / "av.py").write_text("raise ImportError('libx.so: cannot open')")
    monkeypatch.delitem(sys.modules, "av")
    monkeypatch.syspath_prepend(recording_path.parent)
    assert "cannot be loaded (libx.so: cannot open)" in outcome_of(content, recording_path)[0]


@pytest.mark.process
def test_pyav_is_not_imported_for_what_libsndfile_reads(tmp_path: Path) -> None:
    paths = [tmp_path / f"a.{container}" for container in ("WAV", "FLAC", "OGG", "MP3")]
    for path in paths:
        path.write_bytes(recording(path.suffix[1:]))
    code = """
import sys
from batchemo.audio import WindowConfig, read_windows
for path in sys.argv[1:]:
    with read_windows(path, WindowConfig(rate=16000, window=3.0, hop=1.5)) as reader:
        list(reader)
print("av" in sys.modules)
"""
    command = [sys.executable, "-c", code, *map(str, paths)]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "False\n"


@pytest.mark.process
@pytest.mark.parametrize("name", ["M4A", "WEBM", "OGG-FLAC"])
def test_memory_does_not_grow_with_the_duration(name: str, tmp_path: Path) -> None:
    code = """
import resource, sys
from batchemo.audio import WindowConfig, read_windows
for path in sys.argv[1:]:
    with read_windows(path, WindowConfig(rate=16000, window=3.0, hop=1.5)) as reader:
        count = sum(1 for window in reader)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    paths = [tmp_path / "short", tmp_path / "long"]
    for path, seconds in zip(paths, (40.0, 600.0), strict=True):
        path.write_bytes(media(name, seconds=seconds))
    command = [sys.executable, "-c", code, *map(str, paths)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert (int(printed[1]) - int(printed[0])) / 1024 < 24


@pytest.mark.parametrize(
    "content",
    [
        b"\0\0\0\x08ftyp",
        b"\0\0\0\0mdat" + bytes(100),
        b"\0\0\0\x01moov" + b"\xff" * 8,
        b"\x1a\x45\xdf\xa3" + bytes(100),
        b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01" + b"\xff" * 7,
        bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + b"\xff" * 8,
        b"#!AMR\n",
        b"#!AMR-WB\n\xff",
        b"\xff\xf1\x50\x80\x01\x1f\xfc" + bytes(1),
        b"\x0b\x77\0\0\0\x40" + bytes(122),
        b"OggS" + bytes(22) + b"\1\5\x7fFLAC",
        b"\0\0\0\x14ftypqt  \0\0\0\0qt  " + b"\0\0\0\x08moov",
    ],
    ids=range(12),
)
def test_headers_alone_are_refused(content: bytes, recording_path: Path) -> None:
    reason = outcome_of(content, recording_path)[0].split(":")[0]
    assert reason in {"not_audio", "truncated", "zero_frames", "unsupported"}
