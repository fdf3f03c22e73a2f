"""Lets a chosen step of a command's work on disk go wrong, and keeps what a power cut would leave.

Python imports a module of this name at its start: put the folder of this file first in PYTHONPATH.
A step is the moment before, or after, a call that syncs, names or removes something below
BATCHEMO_FAULT_FOLDER. BATCHEMO_FAULT is what happens at which step, by its number from 1 on or by
its description: `kill@7`, `term@before fsync .r.parquet.unfinished`, `full@7`, `memory@7`. What was
synced is kept in BATCHEMO_FAULT_STORE: only this is certain to survive when the power is cut.
"""

import errno
import functools
import json
import os
import shutil
import signal
import stat

CALLS = ("fsync", "replace", "mkdir", "unlink", "rmdir")


class Steps:
    def __init__(self, fault, folder, store):
        self.kind, _, self.wanted = fault.partition("@")
        self.count = 0
        self.folder = folder
        self.store = store
        self.names = {}
        self.uses = {}

    def wrap(self, name):
        call = getattr(os, name)

        @functools.wraps(call)
        def wrapped(target, *args, **kwargs):
            path = path_of(target)
            if path != self.folder and not path.startswith(self.folder + os.sep):
                return call(target, *args, **kwargs)
            deed = f"{name} {os.path.basename(path)}"
            self.step(f"before {deed}")
            self.forget(name, target, *args)
            result = call(target, *args, **kwargs)
            if name == "fsync":
                self.keep(target)
            self.step(f"after {deed}")
            return result

        setattr(os, name, wrapped)

    def step(self, deed):
        self.count += 1
        with open(os.path.join(self.store, "steps"), "a") as stream:
            stream.write(f"{deed}\n")
        if self.wanted not in (str(self.count), deed):
            return
        if self.kind == "memory":
            raise MemoryError
        if self.kind == "full":
            if deed.startswith("before"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        else:
            os.kill(os.getpid(), getattr(signal, f"SIG{self.kind.upper()}"))

    def keep(self, descriptor):
        """Copy what this sync has made safe."""
        status = os.fstat(descriptor)
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if stat.S_ISDIR(status.st_mode):
            found = self.names[self.identity(status.st_ino)] = {}
            with os.scandir(path) as entries:
                for entry in entries:
                    found[entry.name] = self.identity(entry.inode())
                    if entry.is_dir():
                        self.names.setdefault(found[entry.name], {})
            self.write("names.json", self.names)
        else:
            shutil.copyfile(path, os.path.join(self.store, self.identity(status.st_ino)))

    def identity(self, number):
        return f"{number}-{self.uses.get(number, 0)}"

    def forget(self, name, target, *args):
        """Take note of a file or folder that goes: its number may soon be another's."""
        gone = {"unlink": target, "rmdir": target, "replace": args[0] if args else None}.get(name)
        if gone is not None and os.path.lexists(gone):
            number = os.lstat(gone).st_ino
            self.uses[number] = self.uses.get(number, 0) + 1
            self.write("uses.json", self.uses)

    def write(self, name, what):
        with open(os.path.join(self.store, name), "w") as stream:
            json.dump(what, stream)


def path_of(target):
    if isinstance(target, int):
        target = os.readlink(f"/proc/self/fd/{target}")
    return os.path.abspath(os.fspath(target))


def begin():
    # Not for the worker processes, which write nothing that has to last.
    fault = os.environ.pop("BATCHEMO_FAULT", None)
    if fault is not None:
        folder, store = (os.environ.pop(f"BATCHEMO_FAULT_{name}") for name in ("FOLDER", "STORE"))
        steps = Steps(fault, os.path.realpath(folder), store)
        for name in CALLS:
            steps.wrap(name)


begin()
