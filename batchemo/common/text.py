r"""Text for tables and terminals: file names, reversible or safe to print, and counts.

A file name on Linux is any sequence of bytes without NUL and slash. A name here is a file-system
string (`os.fsdecode`), where a byte that is no UTF-8 is a lone surrogate, which neither Parquet
nor a terminal can encode. In tables such a byte is written as `\xff`, and a backslash that would
look like one as `\x5c`.
"""

from __future__ import annotations

import re
import unicodedata

_LOOKS_ESCAPED = re.compile(rb"\\(?=x[0-9a-f]{2})")
# Exactly what `to_text` writes: the backslash itself, and bytes that are no ASCII. Other escapes
# are not decoded, so a table from elsewhere cannot put a NUL or a slash into a name.
_ESCAPED = re.compile(rb"\\x(5c|[89a-f][0-9a-f])")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def to_text(name: str) -> str:
    r"""Return a name as valid UTF-8, from which `from_text` restores the same name.

    >>> to_text("Ärger/bad\udcff.wav")
    'Ärger/bad\\xff.wav'
    >>> to_text(r"already\xff.wav")
    'already\\x5cxff.wav'
    """
    if name.isascii() and r"\x" not in name:  # Most names: takes a tenth of the time.
        return name
    raw = name.encode("utf-8", "surrogateescape")
    return _LOOKS_ESCAPED.sub(rb"\\x5c", raw).decode("utf-8", "backslashreplace")


def from_text(text: str) -> str:
    r"""Return the name that `to_text` wrote; other text without such escapes is returned as it is.

    >>> from_text(r"bad\xff.wav")
    'bad\udcff.wav'
    """
    raw = _ESCAPED.sub(_unescape, text.encode("utf-8", "surrogateescape"))
    return raw.decode("utf-8", "surrogateescape")


def for_display(text: str) -> str:
    r"""Return a text with all invisible characters escaped, so that it is safe to print.

    Control characters, line and paragraph separators, format characters such as those that reverse
    the direction (category Cf) and lone surrogates are escaped: a file name must not be able to
    move the cursor or to look like another one. This cannot be undone.

    >>> print(for_display("a\x1b[2Jb\nc.wav"))
    a\x1b[2Jb\x0ac.wav
    """
    return text if text.isprintable() else "".join(map(_escape_invisible, text))


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it is not 1.

    >>> counted(1, "recording"), counted(1200, "recording")
    ('1 recording', '1,200 recordings')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _unescape(escape: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escape[1].decode())


def _escape_invisible(character: str) -> str:
    if unicodedata.category(character) not in _INVISIBLE:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
