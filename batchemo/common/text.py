r"""File names as text: for tables, where no byte may be lost, and for eyes, where none may harm.

A name is a file-system string (`os.fsdecode`): a byte that is no UTF-8 is a lone surrogate in it.
"""

from __future__ import annotations

import re
import unicodedata

_LOOKS_ESCAPED = re.compile(rb"\\(?=x[0-9a-f]{2})")
# Exactly what `to_text` writes: the backslash itself, and bytes that can be no ASCII. So no text
# can smuggle a NUL or a slash into a name.
_ESCAPED = re.compile(rb"\\x(5c|[89a-f][0-9a-f])")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def to_text(name: str) -> str:
    r"""Write a name as valid UTF-8 from which `from_text` makes the same name again.

    >>> to_text("Ärger/bad\udcff.wav")
    'Ärger/bad\\xff.wav'
    >>> to_text(r"already\xff.wav")
    'already\\x5cxff.wav'
    """
    if name.isascii() and r"\x" not in name:  # as most are: at a tenth of the time
        return name
    raw = name.encode("utf-8", "surrogateescape")
    return _LOOKS_ESCAPED.sub(rb"\\x5c", raw).decode("utf-8", "backslashreplace")


def from_text(text: str) -> str:
    r"""Read a name that `to_text` wrote; other text, if nothing in it looks so, is its own name.

    >>> from_text(r"bad\xff.wav")
    'bad\udcff.wav'
    """
    raw = _ESCAPED.sub(_byte, text.encode("utf-8", "surrogateescape"))
    return raw.decode("utf-8", "surrogateescape")


def for_display(text: str) -> str:
    r"""Make a name harmless to print: what would move the cursor or hide is shown escaped.

    Control characters, line and paragraph separators, marks that reverse or join (category Cf)
    and lone surrogates are escaped. Not meant to be read back.

    >>> print(for_display("a\x1b[2Jb\nc.wav"))
    a\x1b[2Jb\x0ac.wav
    """
    return text if text.isprintable() else "".join(map(_visible, text))


def _byte(escape: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escape[1].decode())


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _INVISIBLE:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
