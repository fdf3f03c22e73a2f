"""A damaged Ogg file is refused: libsndfile would fill gaps with other content of its memory."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from encoded_recordings import recording
from mutants import fix_ogg_checksums
from voices import voice

from batchemo.audio import Failure, WindowConfig, read_windows
from batchemo.audio.formats.ogg import find_ogg_damage

SUBTYPES = ("VORBIS", "OPUS")


def pages_of(content: bytes) -> list[bytes]:
    starts = [offset for offset in range(len(content)) if content.startswith(b"OggS\0", offset)]
    return [content[a:b] for a, b in zip(starts, [*starts[1:], len(content)], strict=True)]


def offsets(pages: list[bytes]) -> list[int]:
    return [sum(map(len, pages[:index])) for index in range(len(pages))]


def damage(content: bytes) -> str | None:
    failure = find_ogg_damage(lambda offset, count: content[offset : offset + count], len(content))
    return failure and str(failure)


@pytest.fixture(params=SUBTYPES)
def pages(request: pytest.FixtureRequest) -> list[bytes]:
    """The pages of an Ogg file, six or more."""
    pages = pages_of(recording("OGG", request.param, signal=voice(12.0, 8_000)))
    assert len(pages) >= 6
    return pages


def with_serial(pages: list[bytes], serial: int) -> list[bytes]:
    changed = bytearray(b"".join(pages))
    for offset in offsets(pages):
        struct.pack_into("<I", changed, offset + 14, serial)
    fix_ogg_checksums(changed)
    return pages_of(bytes(changed))


def test_a_complete_file_passes_also_with_a_tag_after_it_or_a_second_interleaved_stream(
    pages: list[bytes],
) -> None:
    content = b"".join(pages)
    assert damage(content) is None
    assert damage(content + b"TAG" + bytes(125)) is None
    interleaved = zip(pages, with_serial(pages, 7), strict=True)
    assert damage(b"".join(page for pair in interleaved for page in pair)) is None


def test_a_second_stream_after_the_first_is_refused(pages: list[bytes]) -> None:
    content = b"".join(pages)
    for following in (content, b"".join(with_serial(pages, 7))):
        expected = f"unsupported: another Ogg stream follows the first at byte {len(content):,}"
        assert str(damage(content + following)).startswith(expected)


def test_a_flipped_bit_in_any_page_is_found(pages: list[bytes]) -> None:
    content = b"".join(pages)
    for page, offset in zip(pages, offsets(pages), strict=True):
        changed = bytearray(content)
        changed[offset + len(page) // 2] ^= 4
        assert damage(bytes(changed)) == f"truncated: the Ogg page at byte {offset:,} is damaged"


def test_a_missing_or_misplaced_page_is_found(pages: list[bytes]) -> None:
    for lost in range(1, len(pages) - 1):
        assert "is missing" in str(damage(b"".join(pages[:lost] + pages[lost + 1 :])))
    assert "is missing" in str(damage(b"".join([*pages[:3], pages[4], pages[3], *pages[5:]])))
    assert "breaks off" in str(damage(b"".join(pages[:-1])))
    assert "breaks off" in str(damage(b"".join(pages)[:-1]))


def test_a_position_that_runs_back_is_found(pages: list[bytes]) -> None:
    # libsndfile takes it for a gap of 3,074,457,345,618,255,654 samples.
    changed = bytearray(b"".join(pages))
    struct.pack_into("<q", changed, offsets(pages)[-1] + 6, 1)
    fix_ogg_checksums(changed)
    assert "out of order" in str(damage(bytes(changed)))


def test_a_recording_with_a_missing_page_is_truncated(pages: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    path.write_bytes(b"".join(pages[:-2] + pages[-1:]))
    config = WindowConfig(rate=16_000, window=3.0, hop=1.5)
    with (
        pytest.raises(Failure, match="truncated: an Ogg page"),
        read_windows(str(path), config) as reader,
    ):
        list(reader)
