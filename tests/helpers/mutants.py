"""Damages recordings as bit rot, broken recorders and attackers do; reproducible by the seed."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

HEADER_BYTES = 120
"""Headers, where most damage has an effect, are about as long."""

INTEGERS = (
    *(0, 1, 2, 3, 7, 16, 255, 256, 1023, 1024, 1025, 65_535, 65_536),
    *(8_000, 768_000, 768_001, 4_000_000_000, 0x7FFF_0000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF),
    *(2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1),
)
FLOATS = (float("nan"), float("inf"), float("-inf"), 1e38, -1e38, 5e-324)

Change = Callable[[bytearray, random.Random], None]


def mutant(pool: Sequence[bytes], rng: random.Random) -> bytes:
    """Damage a recording of the pool in one to four ways; sometimes append the end of another."""
    content = bytearray(rng.choice(pool))
    if rng.random() < 0.05:
        donor = rng.choice(pool)
        content[_random_offset(content, rng) :] = donor[_random_offset(donor, rng) :]
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        if content:
            rng.choice(CHANGES)(content, rng)
    if content[:4] == b"OggS" and rng.random() < 0.8:
        fix_ogg_checksums(content)
    return bytes(content)


def _random_offset(content: bytes | bytearray, rng: random.Random) -> int:
    """Return an offset in the file, in its header more often than not."""
    end = min(len(content), HEADER_BYTES) if rng.random() < 0.7 else len(content)
    return rng.randrange(end) if end else 0


def flip_bit(content: bytearray, rng: random.Random) -> None:
    content[_random_offset(content, rng)] ^= 1 << rng.randrange(8)


def replace_byte(content: bytearray, rng: random.Random) -> None:
    content[_random_offset(content, rng)] = rng.randrange(256)


def replace_integer(content: bytearray, rng: random.Random) -> None:
    """Write an extreme integer at an even offset, as integers in headers are mostly aligned."""
    byte_order, struct_format = rng.choice("<>"), rng.choice("HIIQ")
    number = rng.choice(INTEGERS) % 2 ** (8 * struct.calcsize(struct_format))
    _overwrite(content, rng, struct.pack(byte_order + struct_format, number))


def replace_floats(content: bytearray, rng: random.Random) -> None:
    """Write NaN, infinity or extreme floats, which may replace samples."""
    struct_format = rng.choice(("<f", ">f", "<d", ">d"))
    _overwrite(
        content, rng, struct.pack(struct_format, rng.choice(FLOATS)) * rng.choice((1, 1, 50))
    )


def _overwrite(content: bytearray, rng: random.Random, value: bytes) -> None:
    offset = _random_offset(content, rng) & ~1
    content[offset : offset + len(value)] = value


def truncate(content: bytearray, rng: random.Random) -> None:
    del content[_random_offset(content, rng) :]


def delete_piece(content: bytearray, rng: random.Random) -> None:
    offset = _random_offset(content, rng)
    del content[offset : offset + rng.choice((1, 2, 3, 8, 100, 4096))]


def repeat_piece(content: bytearray, rng: random.Random) -> None:
    offset = _random_offset(content, rng)
    content[offset:offset] = content[offset : offset + rng.choice((1, 2, 8, 24, 500))]


def insert_noise(content: bytearray, rng: random.Random) -> None:
    offset = _random_offset(content, rng)
    content[offset:offset] = rng.randbytes(rng.choice((1, 2, 3, 16, 1000)))


def blank_sector(content: bytearray, rng: random.Random) -> None:
    """Overwrite a piece with zeros or ones, like a sector that was never written."""
    offset = _random_offset(content, rng)
    length = min(rng.choice((4, 16, 512, 4096)), len(content) - offset)
    content[offset : offset + length] = bytes([rng.choice((0, 0, 255))]) * length


def change_chunks(content: bytearray, rng: random.Random) -> None:
    """Shuffle, repeat, drop, rename or resize the chunks of a RIFF-like file."""
    byte_order = ">" if content[:4] in (b"RIFX", b"FORM") else "<"
    chunks = list(_chunks(content, byte_order))
    if not chunks:
        return
    index = rng.randrange(len(chunks))
    name, body = chunks[index]
    change = rng.randrange(6)
    if change == 0:
        rng.shuffle(chunks)
    elif change == 1:
        chunks.insert(rng.randrange(len(chunks) + 1), (name, body))
    elif change == 2:
        del chunks[index]
    elif change == 3:
        chunks[index] = (
            rng.choice((b"fmt ", b"data", b"ds64", b"COMM", b"SSND", b"PEAK")),
            body,
        )
    elif change == 4:  # An odd size; whether a pad byte follows is random.
        chunks.insert(index, (b"LIST", rng.randbytes(rng.choice((1, 3, 5, 255)))))
    else:
        chunks[index] = (name, body[: rng.randrange(len(body) + 1)])
    padded = rng.random() < 0.5
    encoded = [
        n + struct.pack(byte_order + "I", len(b)) + b + bytes(len(b) % 2 * padded)
        for n, b in chunks
    ]
    content[12:] = b"".join(encoded)


def _chunks(content: bytearray, byte_order: str) -> list[tuple[bytes, bytes]]:
    """Return name and body of the chunks of a RIFF, RIFX, RF64 or FORM file; none of others."""
    if content[:4] not in (b"RIFF", b"RIFX", b"RF64", b"FORM"):
        return []
    chunks, offset = [], 12
    while offset + 8 <= len(content) and len(chunks) < 50:
        (length,) = struct.unpack_from(byte_order + "I", content, offset + 4)
        body = bytes(content[offset + 8 : offset + 8 + length])
        chunks.append((bytes(content[offset : offset + 4]), body))
        offset += 8 + length + length % 2
    return chunks


def fix_ogg_checksums(content: bytearray) -> None:
    """Recompute the checksums of Ogg pages: with wrong ones, no other damage would be looked at."""
    offset = 0
    while len(head := content[offset : offset + 27]) == 27 and head[:4] == b"OggS":
        end = offset + 27 + head[26] + sum(content[offset + 27 : offset + 27 + head[26]])
        content[offset + 22 : offset + 26] = bytes(4)
        content[offset + 22 : offset + 26] = struct.pack("<I", _ogg_checksum(content[offset:end]))
        offset = end


def _ogg_checksum(page: bytes) -> int:
    crc = 0
    for byte in page:
        crc = (crc << 8 & 0xFFFF_FFFF) ^ _OGG_TABLE[crc >> 24 ^ byte]
    return crc


def _ogg_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C1_1DB7 if crc >> 31 else 0)) & 0xFFFF_FFFF
        table.append(crc)
    return table


_OGG_TABLE = _ogg_table()

CHANGES: tuple[Change, ...] = (
    flip_bit,
    replace_byte,
    replace_integer,
    replace_integer,
    replace_floats,
    truncate,
    delete_piece,
    repeat_piece,
    insert_noise,
    blank_sector,
    change_chunks,
)
