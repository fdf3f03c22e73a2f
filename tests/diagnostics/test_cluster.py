"""What `batchemo doctor --executor` says of workers that are, or are not, as this machine is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from batchemo.diagnostics import cluster
from batchemo.diagnostics.cluster import check_cluster
from batchemo.workers.remote_work import WorkerFacts

HERE = WorkerFacts("here", {"numpy": "2.4", "av": "15.1"}, {"default": "1" * 64}, None)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, WorkerFacts | Exception]:
    """What workers answer, by their addresses."""
    answers: dict[str, WorkerFacts | Exception] = {}

    class FakeExecutor:
        def __init__(self, *args: Any, **options: Any) -> None: ...

        def ask_workers(self, *args: Any) -> dict[str, WorkerFacts | Exception]:
            return answers

        def shutdown(self, *, kill: bool) -> None: ...

    monkeypatch.setattr(cluster, "DaskExecutor", FakeExecutor)
    monkeypatch.setattr(cluster, "facts", lambda *args: HERE)
    return answers


def details(state: str) -> list[str]:
    return [check.detail for check in check_cluster("dask://s:1") if check.state == state]


def test_workers_that_are_alike_are_fine(answers: dict[str, Any]) -> None:
    answers |= {"tcp://a:1": HERE, "tcp://b:1": replace(HERE, host="b")}
    assert details("problem") == []
    assert details("ok") == [
        "tcp://s:1 has 2 workers",
        "all have numpy 2.4, av 15.1; the models default",
    ]


def test_the_same_difference_of_many_workers_is_told_once(answers: dict[str, Any]) -> None:
    old = replace(HERE, versions={"numpy": "2.3"})
    answers |= {"tcp://a:1": old, "tcp://b:1": old, "tcp://c:1": HERE}
    assert details("problem") == [
        "tcp://a:1 and 1 more: av is absent, and 15.1 here",
        "tcp://a:1 and 1 more: numpy is 2.3, and 2.4 here",
    ]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (replace(HERE, digests={}), "the model default is absent"),
        (replace(HERE, digests={"default": "2" * 64}), "the model default is another one"),
        (replace(HERE, trouble="no /dev/shm"), "no /dev/shm"),
        (ModuleNotFoundError("No module named 'batchemo'"), "is it installed there?"),
    ],
)
def test_what_differs_is_told(answers: dict[str, Any], answer: Any, problem: str) -> None:
    answers["tcp://a:1"] = answer
    (found,) = details("problem")
    assert found.startswith("tcp://a:1: ")
    assert problem in found


def test_a_cluster_without_workers_is_a_problem(answers: dict[str, Any]) -> None:
    assert details("problem") == ["tcp://s:1 has no workers: `dask worker tcp://s:1`"]
