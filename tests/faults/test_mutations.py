"""A test fails when something that keeps a scan's work safe is taken out of the code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
NEEDED = ("batchemo", "tests", "setup.cfg")
TESTS_FAILED = 1
"""The exit code of pytest; 2 and more mean that it could not run the tests at all."""


@dataclass(frozen=True)
class Mutation:
    """A text in a file, what replaces it, and the tests that must notice."""

    file: str
    text: str
    replacement: str
    tests: tuple[str, ...]

    def applied(self, folder: Path) -> str:
        """Return the content of the file after the mutation."""
        content = (folder / self.file).read_text()
        assert content.count(self.text) == 1, f"{self.file} holds {self.text!r} not exactly once"
        return content.replace(self.text, self.replacement)


STEPS = "tests/batch/test_scan_steps.py"
KILL = f"{STEPS}::test_after_a_kill_what_was_finished_is_kept_and_nothing_else_is_left"
POWER_CUT = f"{STEPS}::test_a_power_cut_loses_nothing_that_was_reported_as_done"
CUT_WHILE_NAMING, CUT_WHEN_DONE = f"{POWER_CUT}[naming]", f"{POWER_CUT}[done]"
FAULTS = "tests/batch/test_scan_faults.py"
LOCKS = "tests/common/test_locks.py"
DISPATCHER = "tests/workers/test_dispatcher.py"

MUTATIONS = {
    "a table is not synced before it is named": Mutation(
        "batchemo/batch/writer.py",
        "                sync(self._stream.fileno())\n",
        "",
        (CUT_WHEN_DONE,),
    ),
    "a chunk is not synced before it is named": Mutation(
        "batchemo/common/files.py",
        "                sync(stream.fileno())\n",
        "",
        (CUT_WHILE_NAMING,),
    ),
    "names are never synced": Mutation(
        "batchemo/common/files.py",
        "            sync(descriptor)\n",
        "            pass\n",
        (CUT_WHEN_DONE,),
    ),
    "a table is written under its own name": Mutation(
        "batchemo/common/files.py",
        '    return path.with_name(f".{path.name}.unfinished")\n',
        "    return path\n",
        (f"{KILL}[table]",),
    ),
    "the names of tables are not recorded": Mutation(
        "batchemo/batch/writer.py",
        "            write_record(outputs, record)\n",
        "            pass\n",
        (CUT_WHILE_NAMING,),
    ),
    "a retry does not say that its chunks are its own": Mutation(
        "batchemo/batch/scan.py",
        "        write_record(prepared.outputs, NamingRecord())\n",
        "                    pass\n",
        (f"{STEPS}::test_after_a_kill_of_a_retry_the_same_command_goes_on_with_it[chunk]",),
    ),
    "a lock is never held": Mutation(
        "batchemo/common/locks.py",
        "            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))\n",
        "            pass\n",
        (f"{LOCKS}::test_a_second_run_is_refused_with_the_name_of_the_holder",),
    ),
    "a lock follows links": Mutation(
        "batchemo/common/locks.py",
        "os.O_CLOEXEC | os.O_NOFOLLOW\n",
        "os.O_CLOEXEC\n",
        (f"{LOCKS}::test_a_lock_that_is_a_link_is_refused_and_its_target_unchanged",),
    ),
    "the first death of a worker is blamed on its recording": Mutation(
        "batchemo/workers/dispatcher.py",
        "MAX_DEATHS_ALONE = 2\n",
        "MAX_DEATHS_ALONE = 0\n",
        (f"{FAULTS}::test_a_worker_that_dies_once_fails_no_recording",),
    ),
    "suspects are dropped": Mutation(
        "batchemo/workers/dispatcher.py",
        "                    self._suspects.append(single)\n",
        "                    pass\n",
        (
            f"{DISPATCHER}"
            "::test_without_heartbeats_the_recording_to_blame_is_found_by_running_each_alone",
        ),
    ),
    "a suspended run counts as one that hangs": Mutation(
        "batchemo/workers/heartbeat.py",
        "min(passed, 2 * CHECK_INTERVAL)",
        "passed",
        (f"{FAULTS}::test_a_run_that_is_suspended_fails_no_recording",),
    ),
    "workers outlive their parent": Mutation(
        "batchemo/workers/heartbeat.py",
        "        _die_with_parent()\n",
        "        pass\n",
        (f"{FAULTS}::test_a_worker_that_hangs_for_ever_ends_with_a_parent_that_is_killed",),
    ),
    "folders of killed runs are not removed": Mutation(
        "batchemo/common/locks.py",
        "                shutil.rmtree(folder)\n",
        "                pass\n",
        (
            f"{FAULTS}::test_what_processes_that_were_all_killed_at_once_left_is_removed"
            "_by_the_next_run",
        ),
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_names_lines_and_tests_that_exist(name: str) -> None:
    # Among the ordinary tests, so that whoever moves or renames them notices.
    mutation = MUTATIONS[name]
    assert mutation.applied(REPOSITORY)
    for test in mutation.tests:
        file, function = test.partition("[")[0].split("::")
        assert f"def {function}(" in (REPOSITORY / file).read_text()


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


@pytest.mark.faults
@pytest.mark.process
def test_without_a_mutation_all_these_tests_pass(copy: Path) -> None:
    tests = dict.fromkeys(test for mutation in MUTATIONS.values() for test in mutation.tests)
    ended = run_tests(copy, tuple(tests))
    assert ended.returncode == 0, ended.stdout


@pytest.mark.faults
@pytest.mark.process
@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_makes_a_test_fail(copy: Path, name: str, figures: Counter[str]) -> None:
    mutation = MUTATIONS[name]
    (copy / mutation.file).write_text(mutation.applied(copy))
    ended = run_tests(copy, mutation.tests)
    assert ended.returncode == TESTS_FAILED, ended.stdout
    figures["mutations of the code that a test noticed"] += 1
