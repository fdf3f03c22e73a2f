"""The errors that reach a user, each with the exit code that the command ends with.

    BatchemoError            1  the run failed
    ├── UsageError           2  the command line, a manifest or a configuration is wrong
    ├── BundleError          1  a model bundle is damaged, or of another format
    ├── DeviceError          1  the GPU that models should run on does not work
    ├── LockedError          4  another run holds the output
    └── MissingExtraError    1  an optional part of batchemo is not installed

What goes wrong with one recording is no error but a row: see `batchemo.audio.Failure`.
"""

import os


class BatchemoError(Exception):
    """Base of everything that ends a run; its text says what is wrong, where, and what to do."""

    exit_code = 1


class UsageError(BatchemoError):
    """What the user asked for makes no sense; nothing was run."""

    exit_code = 2


class BundleError(BatchemoError):
    """A model bundle was refused before anything of it ran."""


class DeviceError(BatchemoError):
    """The GPU that models should run on does not work; no recording is to blame."""


class LockedError(BatchemoError):
    """Another run holds the output."""

    exit_code = 4


class MissingExtraError(BatchemoError):
    """The command needs an extra, such as `batchemo[train]`, that is not installed."""


def describe(error: OSError | MemoryError | ImportError) -> str:
    """Say what the machine lacks or refuses, and where, if that is known.

    >>> describe(FileNotFoundError(2, "No such file or directory", "a.wav"))
    'a.wav: No such file or directory'
    >>> describe(MemoryError())
    'there is not enough memory (fewer workers, -j, need less)'
    """
    if isinstance(error, MemoryError):
        return "there is not enough memory (fewer workers, -j, need less)"
    if isinstance(error, ImportError):
        return (
            f"a library cannot be loaded: {error}. Either there is not enough memory (fewer "
            "workers, -j, need less), or the installation is damaged: see `batchemo doctor`"
        )
    place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    return f"{place}{error.strerror or error}"
