"""Runs a scan in which one step goes wrong, and tells what is left and what comes of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scan_commands import COMMAND

STEPS = str(Path(__file__).parent / "steps")
Listing = dict[str, Any]
"""What lies in a folder: names to contents, or to listings."""

NAMES = ("r.parquet", "windows.parquet", "summary.csv")


@dataclass(frozen=True)
class Trial:
    """A scan into a folder of its own, beside the tables of a run in which nothing happened."""

    corpus: Path
    model: Path
    calm: Path
    hit: Path
    store: Path
    log: Path

    def words(self, folder: Path) -> list[str]:
        files, segments, summary = (str(folder / name) for name in NAMES)
        words = ["scan", "-m", str(self.model), str(self.corpus), "-j", "1", "-q", "-o", files]
        return [*COMMAND, *words, "--segments", segments, "--summary", summary]

    def run_calm(self) -> None:
        self.calm.mkdir()
        subprocess.run(self.words(self.calm), check=True, timeout=300)

    def run_faulty(self, fault: str) -> int:
        """Run with a fault such as "kill@7" (see steps), or "", in a new folder."""
        for folder in (self.hit, self.store):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        self.log.unlink(missing_ok=True)
        environment = {
            **os.environ,
            "PYTHONPATH": f"{STEPS}:{os.environ.get('PYTHONPATH', '')}",
            "BATCHEMO_FAULT": fault or "none@0",
            "BATCHEMO_FAULT_FOLDER": str(self.hit),
            "BATCHEMO_FAULT_STORE": str(self.store),
        }
        ended = self._run(environment)
        (self.store / "complaint").write_text(ended.stderr)
        return ended.returncode

    def complaint(self) -> str:
        """What the faulty run said of its fault."""
        return (self.store / "complaint").read_text()

    def run_again(self) -> dict[str, Any]:
        """Run the same command without a fault; give the last event of its log."""
        ended = self._run(dict(os.environ))
        assert ended.returncode == 0, ended.stderr
        return self.events()[-1]

    def _run(self, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.words(self.hit), "--log-json", str(self.log)],
            capture_output=True,
            text=True,
            timeout=300,
            env=environment,
        )

    def events(self) -> list[dict[str, Any]]:
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def steps(self) -> list[str]:
        """The steps that the faulty run came to."""
        counted = self.store / "steps"
        return counted.read_text().splitlines() if counted.exists() else []

    def told(self) -> int:
        """How many recordings the faulty run has called done and safe."""
        return max((event.get("done", 0) for event in self.events()), default=0)

    def check(self) -> None:
        """Nothing must tell that anything ever went wrong."""
        assert sorted(os.listdir(self.hit)) == sorted(NAMES)
        self.check_tables()

    def check_tables(self) -> None:
        """The tables are those of the calm run, byte for byte."""
        for name in NAMES:
            assert (self.hit / name).read_bytes() == (self.calm / name).read_bytes(), name

    def remains(self, *, names_survive: bool) -> Listing:
        """What is left if the power is cut now: of contents those that were synced; of names all,
        or only those that were synced too."""
        if names_survive:
            return self._all_names(self.hit)
        synced = self._noted("names.json")

        def listing(identity: str) -> Listing:
            return {
                name: listing(its) if its in synced else self._content(its)
                for name, its in synced.get(identity, {}).items()
            }

        return listing(self._identity(self.hit))

    def _all_names(self, folder: Path) -> Listing:
        return {
            path.name: self._all_names(path) if path.is_dir() else self._content_of(path)
            for path in folder.iterdir()
        }

    def _content_of(self, path: Path) -> bytes:
        return self._content(self._identity(path))

    def _content(self, identity: str) -> bytes:
        kept = self.store / identity
        return kept.read_bytes() if kept.exists() else b""

    def _identity(self, path: Path) -> str:
        """Name what lies at a path as the steps do: numbers are used again."""
        number = str(path.lstat().st_ino)
        return f"{number}-{self._noted('uses.json').get(number, 0)}"

    def _noted(self, name: str) -> dict[str, Any]:
        noted = self.store / name
        return json.loads(noted.read_text()) if noted.exists() else {}

    def leave(self, listing: Listing) -> None:
        """Put this into the output's folder, and nothing else."""
        shutil.rmtree(self.hit)
        _write(self.hit, listing)


def _write(folder: Path, listing: Listing) -> None:
    folder.mkdir()
    for name, what in listing.items():
        if isinstance(what, bytes):
            (folder / name).write_bytes(what)
        else:
            _write(folder / name, what)
