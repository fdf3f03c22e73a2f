"""Hears one recording in a worker; whatever goes wrong with it becomes its failure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from batchemo.audio import Facts, Failure, ListenOptions, Window, listen
from batchemo.common.timing import StageSeconds, add_seconds
from batchemo.sources import Recording
from batchemo.workers.heartbeat import Rearm


def hear(
    recording: Recording,
    several: Sequence[ListenOptions],
    take: Callable[[Window], None],
    *,
    stages: StageSeconds,
    rearm: Rearm,
) -> tuple[Facts, Failure | None]:
    """Hand every window to `take`; tell what was learned, and why the windows do not count."""
    listening = listen(recording.path, *several)
    failure = None
    try:
        with listening as heard:
            for window in heard:
                rearm(window.start)
                take(window)
    except Failure as why:
        failure = why
    except Exception as error:  # One recording must never hurt the others, whatever is in it.
        failure = unexpected(error)
    for stage, seconds in listening.seconds.items():
        add_seconds(stages, stage, seconds)
    return listening.facts, failure


def unexpected(error: Exception) -> Failure:
    """Make a failure of an error that no recording should cause."""
    if isinstance(error, MemoryError):
        return Failure("out_of_memory", "there was not enough memory to analyse it")
    return Failure("internal_error", f"{type(error).__name__}: {error}")
