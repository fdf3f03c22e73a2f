"""The work on a chunk as the parent hands it to workers: models to run, rows to return.

The parent imports this module; what loads audio libraries and ONNX Runtime is imported by the
worker alone, inside the functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from batchemo.common.memory import RUNTIME_BYTES, require_memory
from batchemo.common.text import to_text
from batchemo.errors import BatchemoError, describe
from batchemo.inference.recording_output import PieceResult, join_pieces
from batchemo.inference.settings import ModelSettings
from batchemo.inference.turn_finding import turn_finding
from batchemo.sources import Recording
from batchemo.tables.rows import RecordingResult, RecordingRows
from batchemo.workers.executor import ChunkResult, R

if TYPE_CHECKING:
    from batchemo.inference.loaded import LoadedModel
    from batchemo.inference.turn_output import PieceOfTurns


@dataclass(frozen=True, slots=True)
class PredictTask:
    """What to do with every chunk, the same for the whole run."""

    settings: tuple[ModelSettings, ...]
    """One for each model."""
    timeout: float = 0.0
    """Seconds for a recording; 0 for no limit."""
    embeddings: bool = False
    """Whether to return the embeddings of windows, of the only model."""
    gpu_folder: str | None = None
    """Where to find the processes that run the models on GPUs; None where a worker runs them."""
    cut: bool = False
    """Whether long recordings are left to `predict_pieces`."""


def predict_chunk(task: PredictTask, recordings: Sequence[Recording]) -> ChunkResult[RecordingRows]:
    """Analyse a chunk of recordings; in a worker, the models stay loaded for the next chunk."""

    def predict(models: Sequence[LoadedModel]) -> ChunkResult[RecordingRows]:
        from batchemo.inference.predict import predict_with

        return predict_with(
            models,
            task.timeout,
            recordings,
            embeddings=task.embeddings,
            cut=task.cut,
            finding=turn_finding(task.settings[0]),
        )

    return _with_models(task, predict)


def predict_pieces(
    task: PredictTask, numbers: Sequence[int], recordings: Sequence[Recording]
) -> ChunkResult[PieceResult | PieceOfTurns]:
    """Analyse pieces of the only recording, by their numbers."""

    def predict(models: Sequence[LoadedModel]) -> ChunkResult[PieceResult | PieceOfTurns]:
        from batchemo.inference.predict import predict_pieces_with

        (recording,) = recordings
        return predict_pieces_with(
            models, task.timeout, recording, numbers, embeddings=task.embeddings
        )

    return _with_models(task, predict)


def _with_models(
    task: PredictTask, predict: Callable[[Sequence[LoadedModel]], ChunkResult[R]]
) -> ChunkResult[R]:
    try:
        require_memory("onnxruntime", RUNTIME_BYTES)
        from batchemo.inference.loaded import cached_models

        return predict(cached_models(task.settings, task.gpu_folder))
    except BatchemoError as error:
        return ChunkResult(fatal=str(error))
    except (MemoryError, ImportError) as error:
        return ChunkResult(fatal=describe(error))


def join_results(
    recording: Recording, results: Sequence[PieceResult | PieceOfTurns]
) -> RecordingRows:
    """Return the rows of a recording that was analysed in pieces."""
    if recording.turns is None:
        return join_pieces(recording, cast("Sequence[PieceResult]", results))
    from batchemo.inference.turn_output import join_turns

    return join_turns(recording, cast("Sequence[PieceOfTurns]", results))


def lost_result(recording: Recording, reason: str, detail: str) -> RecordingRows:
    """Return the failed rows of a recording whose worker died or hung.

    >>> [row] = lost_result(Recording("/data", "a.wav", 44, 0), "timeout", "not done after 300 s")
    >>> row.file
    'a.wav'
    """
    return tuple(
        RecordingResult(
            root=to_text(recording.root),
            file=to_text(recording.file),
            reason=reason,
            detail=detail,
            size=recording.size,
            mtime_ns=recording.mtime_ns,
            etag=recording.etag,
            turn=turn,
        )
        for turn in recording.turns or (None,)
    )
