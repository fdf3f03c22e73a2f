"""The reasons why a recording cannot be analysed, and the exception that carries one."""

from __future__ import annotations

import errno
from types import MappingProxyType

REASONS = MappingProxyType(
    {
        "missing": "There is no file of that name.",
        "not_a_file": "It is a folder, a pipe, a socket or a device, not a regular file.",
        "unreadable": "The file could not be opened or read.",
        "empty": "The file has no bytes at all.",
        "not_audio": "The file is no recording of a known format, or its header is broken.",
        "unsupported": "The format, encoding, rate, or number of channels is not supported.",
        "needs_av": "The format is read by PyAV, which is missing: pip install 'batchemo[av]'.",
        "no_such_channel": "The channel that was asked for is not in the file.",
        "too_large": "The recording is longer than the limit, or needs too much memory.",
        "zero_frames": "The header is fine, but no sound follows it.",
        "truncated": "The file holds less sound than its header promises, or breaks off damaged.",
        "non_finite": "Samples are not numbers, are infinite, or lie far beyond every scale.",
        "too_short": "The recording is shorter than the least duration.",
        "bad_turns": "The file that gives its turns could not be read.",
        "no_turns": "No turn of it is given.",
        "outside_recording": "The turn begins or ends outside of the recording.",
        "overlap": "Others speak in most of the turn.",
        "silent": "The recording is silent from end to end.",
        "no_speech": "Nothing in the recording sounds like speech.",
        "timeout": "The analysis took longer than the limit for one recording.",
        "worker_died": "The process that analysed the recording died.",
        "out_of_memory": "There was not enough memory to analyse the recording.",
        "internal_error": "batchemo itself failed at it: please report the recording.",
    }
)
"""All codes of the `reason` column, in a fixed order, each with one sentence for the user."""


class Failure(Exception):  # noqa: N818 - not an error of the program: it becomes a row
    """A recording cannot be analysed: `reason` is a code of `REASONS`, `detail` what was found.

    >>> print(Failure("zero_frames", "44 bytes, no frames"))
    zero_frames: 44 bytes, no frames
    """

    def __init__(self, reason: str, detail: str) -> None:
        if reason not in REASONS:
            raise ValueError(f"{reason!r} is no code of REASONS")
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


def failure_of_machine(error: OSError | MemoryError) -> Failure:
    """Return the failure of a recording that could not be read, whatever it holds.

    >>> print(failure_of_machine(OSError(errno.ESTALE, "Stale file handle")))
    unreadable: Stale file handle
    """
    if isinstance(error, MemoryError) or error.errno == errno.ENOMEM:
        return Failure("out_of_memory", "there was not enough memory to read it")
    return Failure("unreadable", error.strerror or str(error))


def file_changed() -> Failure:
    """Return the failure of a recording whose pieces are not those of one file."""
    return Failure("unreadable", "the file changed while it was read")
