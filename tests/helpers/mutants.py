"""Changes recordings as bit rot, broken recorders and ill will do; one seed, one mutant."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

HEADER = 120
"""Most of what can go wrong stands in so many bytes at the beginning."""

NUMBERS = (
    *(0, 1, 2, 3, 7, 16, 255, 256, 1023, 1024, 1025, 65_535, 65_536),
    *(8_000, 768_000, 768_001, 4_000_000_000, 0x7FFF_0000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF),
    *(2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1),
)
FLOATS = (float("nan"), float("inf"), float("-inf"), 1e38, -1e38, 5e-324)

Change = Callable[[bytearray, random.Random], None]


def mutant(pool: Sequence[bytes], chance: random.Random) -> bytes:
    """Change a recording of the pool in one to four ways; sometimes graft another one's end on."""
    content = bytearray(chance.choice(pool))
    if chance.random() < 0.05:
        other = chance.choice(pool)
        content[_somewhere(content, chance) :] = other[_somewhere(other, chance) :]
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4))):
        if content:
            chance.choice(CHANGES)(content, chance)
    if content[:4] == b"OggS" and chance.random() < 0.8:
        mend_the_pages(content)
    return bytes(content)


def _somewhere(content: bytes | bytearray, chance: random.Random) -> int:
    """A place in the file, in its header more often than not."""
    most = min(len(content), HEADER) if chance.random() < 0.7 else len(content)
    return chance.randrange(most) if most else 0


def flip_a_bit(content: bytearray, chance: random.Random) -> None:
    content[_somewhere(content, chance)] ^= 1 << chance.randrange(8)


def put_a_byte(content: bytearray, chance: random.Random) -> None:
    content[_somewhere(content, chance)] = chance.randrange(256)


def put_a_number(content: bytearray, chance: random.Random) -> None:
    """Where a number stands in a header, it is aligned more often than not."""
    order, form = chance.choice("<>"), chance.choice("HIIQ")
    number = chance.choice(NUMBERS) % 2 ** (8 * struct.calcsize(form))
    _put(content, chance, struct.pack(order + form, number))


def put_floats(content: bytearray, chance: random.Random) -> None:
    """Numbers that are none, among the samples of what may be floats."""
    form = chance.choice(("<f", ">f", "<d", ">d"))
    _put(content, chance, struct.pack(form, chance.choice(FLOATS)) * chance.choice((1, 1, 50)))


def _put(content: bytearray, chance: random.Random, value: bytes) -> None:
    place = _somewhere(content, chance) & ~1
    content[place : place + len(value)] = value


def cut_the_end(content: bytearray, chance: random.Random) -> None:
    del content[_somewhere(content, chance) :]


def take_a_piece_out(content: bytearray, chance: random.Random) -> None:
    place = _somewhere(content, chance)
    del content[place : place + chance.choice((1, 2, 3, 8, 100, 4096))]


def put_a_piece_twice(content: bytearray, chance: random.Random) -> None:
    place = _somewhere(content, chance)
    content[place:place] = content[place : place + chance.choice((1, 2, 8, 24, 500))]


def put_noise_in(content: bytearray, chance: random.Random) -> None:
    place = _somewhere(content, chance)
    content[place:place] = chance.randbytes(chance.choice((1, 2, 3, 16, 1000)))


def wipe(content: bytearray, chance: random.Random) -> None:
    """A sector that was never written."""
    place = _somewhere(content, chance)
    length = min(chance.choice((4, 16, 512, 4096)), len(content) - place)
    content[place : place + length] = bytes([chance.choice((0, 0, 255))]) * length


def change_the_chunks(content: bytearray, chance: random.Random) -> None:
    """Shuffle, repeat, drop, rename or resize the chunks of a RIFF-like file."""
    order = ">" if content[:4] in (b"RIFX", b"FORM") else "<"
    chunks = list(_chunks(content, order))
    if not chunks:
        return
    place = chance.randrange(len(chunks))
    name, body = chunks[place]
    deed = chance.randrange(6)
    if deed == 0:
        chance.shuffle(chunks)
    elif deed == 1:
        chunks.insert(chance.randrange(len(chunks) + 1), (name, body))
    elif deed == 2:
        del chunks[place]
    elif deed == 3:
        chunks[place] = (
            chance.choice((b"fmt ", b"data", b"ds64", b"COMM", b"SSND", b"PEAK")),
            body,
        )
    elif deed == 4:  # An odd size, and whether a pad byte follows is left to chance.
        chunks.insert(place, (b"LIST", chance.randbytes(chance.choice((1, 3, 5, 255)))))
    else:
        chunks[place] = (name, body[: chance.randrange(len(body) + 1)])
    padded = chance.random() < 0.5
    parts = [
        n + struct.pack(order + "I", len(b)) + b + bytes(len(b) % 2 * padded) for n, b in chunks
    ]
    content[12:] = b"".join(parts)


def _chunks(content: bytearray, order: str) -> list[tuple[bytes, bytes]]:
    """The chunks of a RIFF, RIFX, RF64 or FORM file: name and body; none of any other."""
    if content[:4] not in (b"RIFF", b"RIFX", b"RF64", b"FORM"):
        return []
    found, place = [], 12
    while place + 8 <= len(content) and len(found) < 50:
        (length,) = struct.unpack_from(order + "I", content, place + 4)
        body = bytes(content[place + 8 : place + 8 + length])
        found.append((bytes(content[place : place + 4]), body))
        place += 8 + length + length % 2
    return found


def mend_the_pages(content: bytearray) -> None:
    """Make the checksums of Ogg's pages right again: what is wrong with them gets no further."""
    place = 0
    while len(head := content[place : place + 27]) == 27 and head[:4] == b"OggS":
        end = place + 27 + head[26] + sum(content[place + 27 : place + 27 + head[26]])
        content[place + 22 : place + 26] = bytes(4)
        content[place + 22 : place + 26] = struct.pack("<I", _ogg_checksum(content[place:end]))
        place = end


def _ogg_checksum(page: bytes) -> int:
    rest = 0
    for byte in page:
        rest = (rest << 8 & 0xFFFF_FFFF) ^ _OGG_TABLE[rest >> 24 ^ byte]
    return rest


def _ogg_table() -> list[int]:
    table = []
    for byte in range(256):
        rest = byte << 24
        for _ in range(8):
            rest = (rest << 1 ^ (0x04C1_1DB7 if rest >> 31 else 0)) & 0xFFFF_FFFF
        table.append(rest)
    return table


_OGG_TABLE = _ogg_table()

CHANGES: tuple[Change, ...] = (
    flip_a_bit,
    put_a_byte,
    put_a_number,
    put_a_number,
    put_floats,
    cut_the_end,
    take_a_piece_out,
    put_a_piece_twice,
    put_noise_in,
    wipe,
    change_the_chunks,
)
