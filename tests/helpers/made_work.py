"""Work that another process can import: a function of a test module itself, it cannot."""

from __future__ import annotations

import os


def own_process(thing: str) -> int:
    """Tell who does it."""
    return os.getpid()
