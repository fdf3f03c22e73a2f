"""FLAC or Ogg streams that follow each other in one file are one recording, never half of it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from decoding import decode
from encoded_recordings import recording, tone
from voices import voice

from batchemo.audio import AudioInfo, Failure, WindowConfig, read_windows
from batchemo.audio import decode as decoding
from batchemo.audio.formats import flac
from batchemo.audio.formats.ogg import find_ogg_streams

CONFIG = WindowConfig(rate=16_000, window=3.0, hop=1.5)
ENCODINGS = [("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("OGG", "OPUS")]
KINDS = pytest.mark.parametrize(("container", "subtype"), ENCODINGS)


def outcome_of(content: bytes, path: Path) -> tuple[str, AudioInfo]:
    """Return the failure as text, or `analysed`."""
    path.write_bytes(content)
    with read_windows(str(path), CONFIG) as reader:
        try:
            list(reader)
        except Failure as failure:
            return str(failure), reader.info
    return "analysed", reader.info


def decoded(content: bytes, path: Path) -> np.ndarray:
    path.write_bytes(content)
    return decode(path)


@KINDS
def test_streams_in_a_row_are_decoded_one_after_another(
    container: str, subtype: str, recording_path: Path
) -> None:
    contents = [
        recording(container, subtype, signal=signal) for signal in (voice(2.0, 8_000), tone())
    ]
    contents.append(contents[0])
    expected = np.concatenate([decoded(content, recording_path) for content in contents])
    np.testing.assert_array_equal(decoded(b"".join(contents), recording_path), expected)
    reason, info = outcome_of(b"".join(contents), recording_path)
    assert (reason, info.duration) == ("analysed", len(expected) / 8_000)


@KINDS
def test_a_stream_of_another_kind_is_never_half_read(
    container: str, subtype: str, recording_path: Path
) -> None:
    first, second = recording(container, subtype), recording(container, subtype, channels=2)
    reason, _ = outcome_of(first + second, recording_path)
    place = f"the stream at byte {len(first):,}: 8,000 Hz and 2 channels instead of 8,000 Hz and 1"
    assert reason == f"unsupported: {place}: cut the file there"


@KINDS
def test_a_damaged_or_incomplete_stream_is_named(
    container: str, subtype: str, recording_path: Path
) -> None:
    stream = recording(container, subtype, signal=voice(2.0, 8_000))
    for cut in (-9, len(stream) * 3 // 4):
        reason, info = outcome_of(stream * 2 + stream[:cut], recording_path)
        assert reason.startswith(f"truncated: the stream at byte {2 * len(stream):,}: ")
        assert (info.sample_rate, info.channels) == (8_000, 1)
    cut_first = stream[: len(stream) * 2 // 3] + stream
    assert outcome_of(cut_first, recording_path)[0].startswith("truncated: ")


def test_a_limit_of_the_duration_holds_for_all_streams_together(recording_path: Path) -> None:
    recording_path.write_bytes(recording("FLAC", signal=voice(2.0, 8_000)) * 3)
    limited = WindowConfig(rate=16_000, window=3.0, hop=1.5, max_duration=5)
    with (
        pytest.raises(Failure, match=r"too_large: 6.000 s; the limit is 5 s"),
        read_windows(str(recording_path), limited) as reader,
    ):
        list(reader)


def test_no_more_than_a_bounded_number_of_streams_is_opened(
    recording_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "_MAX_STREAMS", 3)
    stream = recording("FLAC")
    assert outcome_of(stream * 3, recording_path)[0] == "analysed"
    reason, _ = outcome_of(stream * 4, recording_path)
    assert reason == "unsupported: more than 3 streams follow each other"


def test_tags_before_the_streams_and_padding_after_them_do_no_harm(recording_path: Path) -> None:
    stream = recording("FLAC")
    tag = b"ID3\3\0\0\0\0\1\x48" + bytes(200)
    expected = decoded(stream * 2, recording_path)
    for content in (tag + stream * 2, stream * 2 + bytes(1000), stream + tag + stream):
        np.testing.assert_array_equal(decoded(content, recording_path), expected)


def test_a_second_flac_stream_is_found_across_the_pieces_of_a_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = recording("FLAC")
    content = stream + bytes(100) + stream
    for piece in range(20, 40):
        monkeypatch.setattr(flac, "_SEARCH_BYTES", piece)
        found = flac.find_flac_streams(lambda at, n: content[at : at + n], 0, len(content))
        assert found == [0, len(stream) + 100]
        assert flac.find_flac_streams(lambda at, n: stream[at : at + n], 0, len(stream)) == [0]


def test_ogg_streams_within_each_other_count_as_one() -> None:
    stream = recording("OGG", "VORBIS")
    ends = [at for at in range(len(stream) + 1) if stream[at : at + 5] == b"OggS\0"] + [len(stream)]
    pages = [stream[start:end] for start, end in pairwise(ends)]
    others = [page[:14] + b"\7\0\0\0" + page[18:] for page in pages]
    both = b"".join(page for pair in zip(pages, others, strict=True) for page in pair)
    for content, starts in [
        (stream, [0]),
        (both, [0]),
        (both + stream * 2, [0, len(both), len(both) + len(stream)]),
    ]:
        assert find_ogg_streams(lambda at, n, c=content: c[at : at + n], len(content)) == starts
