"""An Ogg file that is damaged anywhere is refused: the decoder would make up what is missing."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from encoded_recordings import recording
from mutants import mend_the_pages
from voices import voice

from batchemo.audio import Failure, WindowConfig, read_windows
from batchemo.audio.formats.ogg import find_ogg_damage

SUBTYPES = ("VORBIS", "OPUS")


def pages_of(content: bytes) -> list[bytes]:
    starts = [place for place in range(len(content)) if content.startswith(b"OggS\0", place)]
    return [content[a:b] for a, b in zip(starts, [*starts[1:], len(content)], strict=True)]


def places(pages: list[bytes]) -> list[int]:
    return [sum(map(len, pages[:index])) for index in range(len(pages))]


def flaw(content: bytes) -> str | None:
    failure = find_ogg_damage(lambda offset, count: content[offset : offset + count], len(content))
    return failure and str(failure)


@pytest.fixture(params=SUBTYPES)
def pages(request: pytest.FixtureRequest) -> list[bytes]:
    """An Ogg file of six pages or more."""
    pages = pages_of(recording("OGG", request.param, signal=voice(12.0, 8_000)))
    assert len(pages) >= 6
    return pages


def with_serial(pages: list[bytes], serial: int) -> list[bytes]:
    changed = bytearray(b"".join(pages))
    for place in places(pages):
        struct.pack_into("<I", changed, place + 14, serial)
    mend_the_pages(changed)
    return pages_of(bytes(changed))


def test_a_whole_file_is_whole_also_with_a_tag_behind_it_or_another_stream_beside_it(
    pages: list[bytes],
) -> None:
    content = b"".join(pages)
    assert flaw(content) is None
    assert flaw(content + b"TAG" + bytes(125)) is None
    beside = zip(pages, with_serial(pages, 7), strict=True)
    assert flaw(b"".join(page for pair in beside for page in pair)) is None


def test_a_stream_behind_the_first_would_not_be_heard_and_is_refused(pages: list[bytes]) -> None:
    content = b"".join(pages)
    for behind in (content, b"".join(with_serial(pages, 7))):
        told = f"unsupported: another Ogg stream follows the first at byte {len(content):,}"
        assert str(flaw(content + behind)).startswith(told)


def test_a_bit_that_flips_in_any_page_is_found(pages: list[bytes]) -> None:
    content = b"".join(pages)
    for page, place in zip(pages, places(pages), strict=True):
        changed = bytearray(content)
        changed[place + len(page) // 2] ^= 4
        assert flaw(bytes(changed)) == f"truncated: the Ogg page at byte {place:,} is damaged"


def test_a_page_that_is_missing_or_comes_too_early_is_found(pages: list[bytes]) -> None:
    for lost in range(1, len(pages) - 1):
        assert "is missing" in str(flaw(b"".join(pages[:lost] + pages[lost + 1 :])))
    assert "is missing" in str(flaw(b"".join([*pages[:3], pages[4], pages[3], *pages[5:]])))
    assert "breaks off" in str(flaw(b"".join(pages[:-1])))
    assert "breaks off" in str(flaw(b"".join(pages)[:-1]))


def test_time_that_runs_back_is_found(pages: list[bytes]) -> None:
    # libsndfile takes it for a hole of 3,074,457,345,618,255,654 samples.
    changed = bytearray(b"".join(pages))
    struct.pack_into("<q", changed, places(pages)[-1] + 6, 1)
    mend_the_pages(changed)
    assert "out of order" in str(flaw(bytes(changed)))


def test_a_recording_with_a_hole_is_no_row_with_an_emotion(
    pages: list[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "a.ogg"
    path.write_bytes(b"".join(pages[:-2] + pages[-1:]))
    options = WindowConfig(rate=16_000, window=3.0, hop=1.5)
    with (
        pytest.raises(Failure, match="truncated: an Ogg page"),
        read_windows(str(path), options) as heard,
    ):
        list(heard)
