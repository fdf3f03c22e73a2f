"""Found instead of soundfile by worker processes: the names of some recordings make decoding fail.

Put the folder of this file first in PYTHONPATH. The worker then really dies or hangs, at the place
where a fault in a decoder would make it do so:

    kill, segfault, memory    the process is killed, crashes, or runs out of memory
    hang                      the decoder never returns, and holds Python's lock
    wait                      the decoder returns when a file <name>.go exists
    once-…                    as the rest of the name says, but for the first worker alone
"""

import ctypes
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time

from batchemo.audio.file import OpenFile

_HERE = os.path.dirname(os.path.abspath(__file__))
_other_folders = [entry for entry in sys.path if os.path.abspath(entry or ".") != _HERE]
_spec = importlib.machinery.PathFinder.find_spec("soundfile", _other_folders)
_real = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_real)
globals().update({k: v for k, v in vars(_real).items() if not k.startswith("__")})


_read_into = OpenFile.read_into


def _poisoned_read_into(file, *arguments):
    """All that is decoded is read by this, whoever decodes it."""
    try:
        _misbehave(os.readlink(f"/proc/self/fd/{file.descriptor}"))
    except MemoryError as error:
        file.errors.append(error)
        raise
    return _read_into(file, *arguments)


OpenFile.read_into = _poisoned_read_into


def _misbehave(path):
    name = os.path.basename(path)
    if name.startswith("once-") and not _is_first_time(path):
        return
    if "kill" in name:
        os.kill(os.getpid(), signal.SIGKILL)
    if "segfault" in name:
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        ctypes.string_at(0)
    if "hang" in name:
        open(path + ".hangs", "w").close()
        # PyDLL, unlike CDLL, keeps Python's lock, as a decoder in C may.
        ctypes.PyDLL(None).sleep(1000)
    if "memory" in name:
        raise MemoryError
    if "wait" in name:
        _is_first_time(path)
        while not os.path.exists(path + ".go"):
            time.sleep(0.01)


def _is_first_time(path):
    try:
        os.close(os.open(path + ".seen", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True
