"""Makes a chosen step of a command's work on disk fail, and keeps what a power cut would leave.

Python imports a module of this name at its start: put the folder of this file first in PYTHONPATH.
A step is the moment before, or after, a call that syncs, names or removes something below
BATCHEMO_FAULT_FOLDER. BATCHEMO_FAULT is a fault and the step at which it happens, by its number
from 1 on or by its description:

    kill@7, term@before fsync .r.parquet.unfinished    a signal to this process
    full@7      the disk is full: the call raises OSError instead of being made
    memory@7    MemoryError

BATCHEMO_FAULT_STORE is a folder for what is certain to survive a power cut, and for notes:

    <inode>-<use>    the content of a file, as it was last synced
    names.json       the names in each folder, as they were last synced
    uses.json        how often each inode number was freed: the next file of that number is another
    steps            the descriptions of the steps so far, one a line
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
        self.fault, _, self.fault_step = fault.partition("@")
        self.count = 0
        self.folder = folder
        self.store = store
        self.synced_names = {}
        self.uses = {}

    def wrap(self, name):
        call = getattr(os, name)

        @functools.wraps(call)
        def wrapped(target, *args, **kwargs):
            path = path_of(target)
            if path != self.folder and not path.startswith(self.folder + os.sep):
                return call(target, *args, **kwargs)
            description = f"{name} {os.path.basename(path)}"
            self.step(f"before {description}")
            self.note_freed_inode(name, target, *args)
            result = call(target, *args, **kwargs)
            if name == "fsync":
                self.keep_synced(target)
            self.step(f"after {description}")
            return result

        setattr(os, name, wrapped)

    def step(self, description):
        self.count += 1
        with open(os.path.join(self.store, "steps"), "a") as stream:
            stream.write(f"{description}\n")
        if self.fault_step not in (str(self.count), description):
            return
        if self.fault == "memory":
            raise MemoryError
        if self.fault == "full":
            if description.startswith("before"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        else:
            os.kill(os.getpid(), getattr(signal, f"SIG{self.fault.upper()}"))

    def keep_existing(self, folder):
        names = self.synced_names[self.identity(os.stat(folder).st_ino)] = {}
        with os.scandir(folder) as entries:
            for entry in entries:
                identity = names[entry.name] = self.identity(entry.inode())
                if entry.is_dir():
                    self.keep_existing(entry.path)
                else:
                    shutil.copyfile(entry.path, os.path.join(self.store, identity))
        self.write_json("names.json", self.synced_names)

    def keep_synced(self, descriptor):
        status = os.fstat(descriptor)
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if not stat.S_ISDIR(status.st_mode):
            shutil.copyfile(path, os.path.join(self.store, self.identity(status.st_ino)))
            return
        names = self.synced_names[self.identity(status.st_ino)] = {}
        with os.scandir(path) as entries:
            for entry in entries:
                names[entry.name] = self.identity(entry.inode())
                if entry.is_dir():
                    self.synced_names.setdefault(names[entry.name], {})
        self.write_json("names.json", self.synced_names)

    def note_freed_inode(self, name, target, *args):
        freed = {"unlink": target, "rmdir": target, "replace": args[0] if args else None}.get(name)
        if freed is not None and os.path.lexists(freed):
            number = os.lstat(freed).st_ino
            self.uses[number] = self.uses.get(number, 0) + 1
            self.write_json("uses.json", self.uses)

    def identity(self, number):
        return f"{number}-{self.uses.get(number, 0)}"

    def write_json(self, name, content):
        with open(os.path.join(self.store, name), "w") as stream:
            json.dump(content, stream)


def path_of(target):
    if isinstance(target, int):
        target = os.readlink(f"/proc/self/fd/{target}")
    return os.path.abspath(os.fspath(target))


def start():
    # Not for the worker processes, which write nothing that has to last: they inherit the folder
    # of this file, but not the fault.
    fault = os.environ.pop("BATCHEMO_FAULT", None)
    if fault is not None:
        folder, store = (os.environ.pop(f"BATCHEMO_FAULT_{name}") for name in ("FOLDER", "STORE"))
        steps = Steps(fault, os.path.realpath(folder), store)
        steps.keep_existing(steps.folder)
        for name in CALLS:
            steps.wrap(name)


start()
