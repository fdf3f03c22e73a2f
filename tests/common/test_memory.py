"""Libraries are not loaded where there is no room for them."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

from batchemo.common.memory import is_out_of_memory, require_memory

LOAD_ARROW = """
from batchemo.common.memory import prepare_arrow
prepare_arrow()
import pyarrow
print(pyarrow.default_memory_pool().backend_name == "system")
"""


def test_a_library_that_is_not_loaded_needs_room() -> None:
    require_memory("no_such_library", 1 << 20)
    with pytest.raises(MemoryError):
        require_memory("no_such_library", 1 << 60)


def test_a_library_that_is_loaded_needs_none() -> None:
    assert "pytest" in sys.modules
    require_memory("pytest", 1 << 60)


@pytest.mark.process
@pytest.mark.parametrize("gigabytes", [None, 2])
def test_arrow_reserves_no_memory_in_advance_where_it_is_limited(gigabytes: int | None) -> None:
    limit = resource.RLIM_INFINITY if gigabytes is None else gigabytes * 2**30
    ended = subprocess.run(
        [sys.executable, "-c", LOAD_ARROW],
        capture_output=True,
        text=True,
        env={name: os.environ[name] for name in os.environ if not name.startswith("ARROW_")},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert ended.stdout.split() == [str(gigabytes is not None)], ended.stderr


COMMAND_THAT_READS_A_TABLE = """
import sys
from batchemo.cli.main import run
from batchemo.tables import read
read.prepare_arrow = lambda: sys.exit("not loaded" if "pyarrow" not in sys.modules else "loaded")
run(sys.argv[1:])
"""


@pytest.mark.process
@pytest.mark.parametrize("command", ["summary", "show"])
def test_commands_that_read_a_table_prepare_before_they_load_arrow(command: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", COMMAND_THAT_READS_A_TABLE, command, "r.parquet"],
        capture_output=True,
        text=True,
    )
    assert ended.stderr.strip() == "not loaded"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("can't start new thread"), True),
        (RuntimeError("Unknown error: Failed to launch worker thread: busy"), True),
        (RuntimeError("no such shape"), False),
    ],
)
def test_lack_of_memory_is_known_by_its_type_or_its_words(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected
