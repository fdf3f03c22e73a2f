"""What a scan makes of `--executor`, before it connects to anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import batchemo
from batchemo.batch.cluster import cluster_executor, count_workers
from batchemo.batch.options import ScanOptions
from batchemo.batch.setup import prepare
from batchemo.bundles import Bundle
from batchemo.errors import UsageError
from batchemo.inference.settings import ModelSettings
from batchemo.sources import SourceOptions
from batchemo.workers.executor import InlineExecutor


def test_workers_are_told_the_model_by_its_whole_path_and_its_digest(
    make_bundle: Callable[..., Bundle], voices: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = make_bundle()
    monkeypatch.chdir(bundle.path.parent)
    for name, expected in (
        (bundle.path.name, (str(bundle.path), bundle.digest)),
        ("default", ("default", batchemo.load_bundle("default").digest)),
    ):
        options = ScanOptions(
            SourceOptions((str(voices),)), (ModelSettings(name),), executor="dask://scheduler:8786"
        )
        factory = cluster_executor(prepare(options))
        assert factory is not None
        address, requirements, _ = factory.args  # type: ignore[attr-defined]
        assert address == "tcp://scheduler:8786"
        assert requirements.models == (expected,)


def test_other_clusters_are_told_from_python(voices: Path) -> None:
    with pytest.raises(UsageError, match="write dask://HOST:PORT"):
        batchemo.scan(voices, executor="ray://head:10001", progress=False)


def test_an_executor_that_was_opened_for_its_workers_is_shut_down() -> None:
    shut_down: list[bool] = []

    class Noting(InlineExecutor):
        def shutdown(self, *, kill: bool) -> None:
            shut_down.append(kill)

    assert count_workers(Noting, 3) == 3
    assert shut_down == [False]
