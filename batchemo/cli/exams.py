"""What training and evaluating have in common: what they need, and what they are given."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchemo.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from batchemo.corpora import Corpus
    from batchemo.training.experiment.exam import Exam
    from batchemo.training.hyperparameters import Choices
    from batchemo.training.recipes import System

SOME_FAILED = 3
"""The exit code where some recordings could not be heard."""

_TO_DRAW = ("matplotlib",)
_TO_TEACH = ("tensorflow", "keras", "tf2onnx", "librosa", *_TO_DRAW)


def need_to_teach() -> None:
    """Raise MissingExtraError unless all that training takes is installed."""
    _need(_TO_TEACH)


def need_to_draw() -> None:
    """Raise MissingExtraError unless all that pictures take is installed."""
    _need(_TO_DRAW)


def _need(modules: tuple[str, ...]) -> None:
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"this needs {', '.join(missing)}, not installed here: pip install 'batchemo[train]'"
        )


def processes(jobs: int) -> int:
    """Give the number of processes that --jobs asks for; 0 is one a processor."""
    from batchemo.workers.executor import available_cpus

    return jobs or available_cpus()


def exam_of(system: System, choices: Choices, corpus: Corpus, work: Path, **how: Any) -> Exam:
    """Put a system and a corpus together; UsageError where there is nothing to tell apart."""
    from batchemo.training.experiment.exam import Exam

    if len(corpus.labels) < 2:
        raise UsageError(
            f"all recordings are {corpus.labels[0]}: to learn takes at least two classes"
        )
    return Exam(
        system=system,
        choices=choices,
        examples=corpus.examples,
        labels=corpus.labels,
        work=work,
        **how,
    )
