"""Fixtures that more than one package's tests need."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import (
    batchemo,
    batchemo_process,
    inline_workers,
    scanned_voices,
    shared_folder,
    voices,
)
from fault_steps import any_trial, retry_trial, trial, update_trial
from hypothesis import settings
from object_server import bucket, s3_server
from scan_commands import corpus, scan, scan_inline, start_scan
from tiny_bundle import tiny_files, tiny_info

from batchemo.bundles import Bundle, write_bundle

# How long an example takes tells of the machine, not of the code.
settings.register_profile("batchemo", deadline=None)
settings.load_profile("batchemo")

__all__ = [
    "any_trial",
    "batchemo",
    "batchemo_process",
    "bucket",
    "corpus",
    "inline_workers",
    "retry_trial",
    "s3_server",
    "scan",
    "scan_inline",
    "scanned_voices",
    "shared_folder",
    "start_scan",
    "trial",
    "update_trial",
    "voices",
]

LONG = ("slow", "faults")
_MODULE_MARKERS = re.compile(r"^pytestmark = (.+?)\n\n", re.MULTILINE | re.DOTALL)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out modules of which -m selects no test: importing what they need takes seconds."""
    if collection_path.suffix != ".py" or any(collection_path.name in arg for arg in config.args):
        return None
    markers = _MODULE_MARKERS.search(collection_path.read_text())
    if markers is None:
        return None
    expression = config.getoption("markexpr")
    names = re.findall(r"pytest\.mark\.(\w+)", markers[1])
    is_left_out = [
        f"not {name}" in expression or (name in LONG and name not in expression) for name in names
    ]
    return True if any(is_left_out) and " or " not in expression else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that take minutes, unless -m names their marker.

    Not by a default for -m, which whoever selects other markers would replace.
    """
    named = config.getoption("markexpr")
    unnamed = [marker for marker in LONG if marker not in named]
    left_out = [item for item in items if any(map(item.get_closest_marker, unnamed))]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Import TensorFlow only when a test needs it, and skip the test where it is not installed."""
    if item.get_closest_marker("tensorflow"):
        pytest.importorskip("tensorflow")


# Modules that stand in front of real ones, for the processes of tests alone.
collect_ignore = ["helpers"]


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Bundle]:
    """Makes valid tiny bundles that run on ONNX Runtime: `make_bundle(name="other", hop=1.0)`."""

    def make(*, seed: int = 0, folder: Path | None = None, **changes: Any) -> Bundle:
        info = tiny_info(**changes)
        place = folder or tmp_path / "bundles" / info["name"]
        return write_bundle(place, info, tiny_files(info, seed=seed))

    return make


@pytest.fixture
def tiny_bundle(make_bundle: Callable[..., Bundle]) -> Bundle:
    """A valid bundle of random weights; its `path` is what `--model` takes."""
    return make_bundle()
