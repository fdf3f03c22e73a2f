"""The suite notices when what keeps a scan's work safe is taken out of the code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.faults

REPOSITORY = Path(__file__).parents[2]
NEEDED = ("batchemo", "tests", "setup.cfg")
SOME_FAILED = 1
"""The exit code of pytest, where 2 and more tell that it could not even run them."""


@dataclass(frozen=True)
class Mutation:
    """A piece of a file and what takes its place, and the tests that must notice."""

    file: str
    piece: str
    instead: str
    tests: tuple[str, ...]

    def apply(self, folder: Path) -> None:
        path = folder / self.file
        text = path.read_text()
        assert text.count(self.piece) == 1, f"{self.file} holds no single {self.piece!r}"
        path.write_text(text.replace(self.piece, self.instead))


STEPS = "tests/batch/test_scan_steps.py"
POWER_CUT = f"{STEPS}::test_a_power_cut_costs_nothing_that_was_told_to_be_done"
CUT_WHILE_NAMING, CUT_WHEN_DONE = f"{POWER_CUT}[naming]", f"{POWER_CUT}[done]"
FAULTS = "tests/batch/test_scan_faults.py"
LOCK = "tests/common/test_locks.py"
DISPATCH = "tests/workers/test_dispatcher.py"

MUTATIONS = {
    "a table is named before it is synced": Mutation(
        "batchemo/batch/writer.py",
        "                sync(self._stream.fileno())\n",
        "",
        (CUT_WHEN_DONE,),
    ),
    "a part is named before it is synced": Mutation(
        "batchemo/common/files.py",
        "                sync(stream.fileno())\n",
        "",
        (CUT_WHILE_NAMING,),
    ),
    "names are never synced": Mutation(
        "batchemo/common/files.py",
        "        sync(descriptor)\n",
        "        pass\n",
        (CUT_WHEN_DONE,),
    ),
    "a table is written under its own name": Mutation(
        "batchemo/common/files.py",
        '    return path.with_name(f".{path.name}.unfinished")\n',
        "    return path\n",
        (f"{STEPS}::test_what_was_finished_is_kept_and_nothing_else_is_left[table]",),
    ),
    "no word is left of the naming": Mutation(
        "batchemo/batch/writer.py",
        "            tell_naming(targets)\n",
        "            pass\n",
        (CUT_WHILE_NAMING,),
    ),
    "nobody holds a lock": Mutation(
        "batchemo/common/locks.py",
        "            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))\n",
        "            pass\n",
        (f"{LOCK}::test_a_second_run_is_refused_with_the_name_of_the_holder",),
    ),
    "a lock follows links": Mutation(
        "batchemo/common/locks.py",
        "os.O_CLOEXEC | os.O_NOFOLLOW\n",
        "os.O_CLOEXEC\n",
        (f"{LOCK}::test_a_lock_that_is_a_link_is_refused_and_its_target_unchanged",),
    ),
    "who was there when a worker died is guilty": Mutation(
        "batchemo/workers/dispatcher.py",
        "MAX_DEATHS_ALONE = 2\n",
        "MAX_DEATHS_ALONE = 0\n",
        (f"{FAULTS}::test_a_worker_that_dies_once_costs_nothing",),
    ),
    "suspects are let go": Mutation(
        "batchemo/workers/dispatcher.py",
        "                    self._suspects.append(single)\n",
        "                    pass\n",
        (
            f"{DISPATCH}::test_without_heartbeats_the_recording_to_blame_is_found_by_running_each_alone",
        ),
    ),
    "a suspended run counts as one that hangs": Mutation(
        "batchemo/workers/heartbeat.py",
        "min(passed, 2 * CHECK_INTERVAL)",
        "passed",
        (f"{FAULTS}::test_a_run_that_is_suspended_loses_nothing_by_it",),
    ),
    "workers outlive their parent": Mutation(
        "batchemo/workers/heartbeat.py",
        "        _die_with_parent()\n",
        "        pass\n",
        (f"{FAULTS}::test_a_worker_that_hangs_for_ever_does_not_outlive_a_parent_that_is_killed",),
    ),
    "nothing is swept": Mutation(
        "batchemo/common/locks.py",
        "                shutil.rmtree(folder)\n",
        "                pass\n",
        (
            f"{FAULTS}::test_all_processes_killed_at_once_leave_nothing_for_longer_than_the_next_run",
        ),
    ),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in NEEDED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path)
    return tmp_path


def run_tests(folder: Path, tests: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_without_a_mutation_all_these_tests_pass(copy: Path) -> None:
    tests = {test: None for mutation in MUTATIONS.values() for test in mutation.tests}
    ended = run_tests(copy, tuple(tests))
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_makes_a_test_fail(copy: Path, name: str, figures: Counter[str]) -> None:
    mutation = MUTATIONS[name]
    mutation.apply(copy)
    ended = run_tests(copy, mutation.tests)
    assert ended.returncode == SOME_FAILED, ended.stdout
    figures["mutations of the code that a test noticed"] += 1
