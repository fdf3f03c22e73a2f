"""Runs a scan in which one step on disk fails, and checks what is left and that it can resume.

There is a trial of a fresh scan, of one with --update, and of a retry: of the same command again,
after a share did not answer, which analyses the failed recordings once more.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from command_line import COMMAND
from scan_commands import SECONDS, Scan

from batchemo.audio.file import OpenFile
from batchemo.bundles import Bundle

STEPS = str(Path(__file__).parent / "steps")
Contents = dict[str, Any]
"""The contents of a folder: from names to bytes, or to the contents of folders."""

NAMES = ("r.parquet", "windows.parquet", "summary.csv")


@pytest.fixture
def trial(corpus: Path, tiny_bundle: Bundle, scan_inline: Scan, tmp_path: Path) -> FaultTrial:
    """Scan the corpus without a fault, and be ready to scan it with one."""
    expected, earlier, actual, store = (
        tmp_path / name for name in ("expected", "earlier", "actual", "store")
    )
    trial = FaultTrial(corpus, tiny_bundle.path, scan_inline, expected, earlier, actual, store)
    trial.expected.mkdir()
    trial.earlier.mkdir()
    scan_inline(*trial.arguments(trial.expected))
    return trial


@pytest.fixture
def update_trial(trial: FaultTrial) -> FaultTrial:
    """A trial of a scan with --update, which finds the tables of half of the corpus."""
    trial.scan_inline(*trial.arguments(trial.earlier), "--include", "anna/*")
    return replace(trial, options=("--update",), to_do=6)


@pytest.fixture
def retry_trial(trial: FaultTrial, monkeypatch: pytest.MonkeyPatch) -> FaultTrial:
    """A trial of a scan that finds its own tables, in which half of the corpus was unreadable."""
    read_at = OpenFile.read_at

    def read_from_stale_share(file: OpenFile, offset: int, count: int) -> bytes:
        if "/ben/" in os.readlink(f"/proc/self/fd/{file.descriptor}"):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return read_at(file, offset, count)

    with monkeypatch.context() as patch:
        patch.setattr(OpenFile, "read_at", read_from_stale_share)
        trial.scan_inline(*trial.arguments(trial.earlier), code=3)
    return replace(trial, to_do=6)


@pytest.fixture(params=["trial", "update_trial", "retry_trial"])
def any_trial(request: pytest.FixtureRequest) -> FaultTrial:
    """Each of the trials in turn."""
    trial: FaultTrial = request.getfixturevalue(request.param)
    return trial


@dataclass(frozen=True)
class FaultTrial:
    """A scan into the folder `actual`, and in `expected` the tables of one without a fault.

    The scan with a fault is a process of its own, with a worker process. That without, and the
    one that resumes, run in this process: so the same bytes also mean that workers change none.
    """

    corpus: Path
    model: Path
    scan_inline: Scan
    expected: Path
    earlier: Path
    """What the folder `actual` holds before a scan."""
    actual: Path
    store: Path
    """Where the process with the fault keeps what a power cut would leave."""
    options: tuple[str, ...] = ()
    to_do: int = 12
    """How many recordings a scan without a fault analyses."""

    def arguments(self, folder: Path) -> list[str]:
        """Return the arguments of a scan into the folder."""
        recordings, segments, summary = (str(folder / name) for name in NAMES)
        return [
            *(str(self.corpus), "-o", recordings, "--segments", segments, "--summary", summary),
            *("-j", "1", "-q", "--log-json", str(self._log), *self.options),
        ]

    def run_with_fault(self, fault: str) -> int:
        """Run with a fault such as "kill@7" (see steps), or "", from what there was earlier."""
        for folder in (self.actual, self.store):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.earlier, self.actual)
        self.store.mkdir()
        self._log.unlink(missing_ok=True)
        ended = subprocess.run(
            [*COMMAND, "scan", "-m", str(self.model), *self.arguments(self.actual)],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env={
                **os.environ,
                "PYTHONPATH": f"{STEPS}:{os.environ.get('PYTHONPATH', '')}",
                "BATCHEMO_FAULT": fault or "none@0",
                "BATCHEMO_FAULT_FOLDER": str(self.actual),
                "BATCHEMO_FAULT_STORE": str(self.store),
            },
        )
        (self.store / "stderr").write_text(ended.stderr)
        return ended.returncode

    def resume(self) -> dict[str, Any]:
        """Run the same command without a fault; return the last event of its log."""
        self.scan_inline(*self.arguments(self.actual))
        return self._events()[-1]

    def stderr(self) -> str:
        """Return what the run with the fault wrote to standard error."""
        return (self.store / "stderr").read_text()

    def steps(self) -> list[str]:
        """List the steps of the run with the fault, up to the fault."""
        steps = self.store / "steps"
        return steps.read_text().splitlines() if steps.exists() else []

    def reported_done(self) -> int:
        """Return how many recordings the runs so far have reported as done."""
        return max((event.get("done", 0) for event in self._events()), default=0)

    def check(self) -> None:
        """Check that there is nothing but the tables without a fault."""
        assert sorted(os.listdir(self.actual)) == sorted(NAMES)
        self.check_tables()

    def check_tables(self) -> None:
        """Check that the tables are those without a fault, byte for byte."""
        for name in NAMES:
            assert (self.actual / name).read_bytes() == (self.expected / name).read_bytes(), name

    def after_power_cut(self, *, names_survive: bool) -> Contents:
        """Return what is left of the folder `actual` if the power is cut now.

        Of contents, what was synced; of names all, or only those that were synced too.
        """
        if names_survive:
            return self._with_all_names(self.actual)
        synced = self._read_json("names.json")

        def contents(identity: str) -> Contents:
            return {
                name: contents(entry) if entry in synced else self._synced_content(entry)
                for name, entry in synced.get(identity, {}).items()
            }

        return contents(self._identity(self.actual))

    def restore(self, contents: Contents) -> None:
        """Let the folder `actual` hold these contents only."""
        shutil.rmtree(self.actual)
        _write(self.actual, contents)

    @property
    def _log(self) -> Path:
        return self.store.with_name("log.jsonl")

    def _events(self) -> list[dict[str, Any]]:
        if not self._log.exists():
            return []
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def _with_all_names(self, folder: Path) -> Contents:
        return {
            path.name: self._with_all_names(path)
            if path.is_dir()
            else self._synced_content(self._identity(path))
            for path in folder.iterdir()
        }

    def _synced_content(self, identity: str) -> bytes:
        synced = self.store / identity
        return synced.read_bytes() if synced.exists() else b""

    def _identity(self, path: Path) -> str:
        """Identify a file as the steps do: inode numbers are used again."""
        number = str(path.lstat().st_ino)
        return f"{number}-{self._read_json('uses.json').get(number, 0)}"

    def _read_json(self, name: str) -> dict[str, Any]:
        path = self.store / name
        return json.loads(path.read_text()) if path.exists() else {}


def _write(folder: Path, contents: Contents) -> None:
    folder.mkdir()
    for name, content in contents.items():
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            _write(folder / name, content)
