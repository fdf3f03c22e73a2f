"""What models give for the turns of a recording, and the rows that are made of it.

As `recording_output` does for recordings of one row; of a long recording, the rows are made in the
parent, of what is known from its pieces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from batchemo.audio.config import WindowConfig
from batchemo.audio.failure import Failure, file_changed
from batchemo.audio.measures import AudioInfo, TurnMeasures, check_turn
from batchemo.audio.overlap import overlap_shares
from batchemo.common.turns import Turn
from batchemo.inference.recording_output import ModelOutput, PendingResult
from batchemo.sources import Recording
from batchemo.tables.rows import RecordingRows

if TYPE_CHECKING:
    from batchemo.audio.reader import WindowReader

_NOT_KNOWN = (Turn(),)
"""Of a recording whose turns are not known there is one row, with a reason."""


@dataclass(slots=True)
class PendingTurns:
    """A recording with turns, some of whose windows are in batches that may not have run yet."""

    recording: Recording
    models: int
    config: WindowConfig
    """For what is equal in the configs of all models."""
    outputs: dict[int, Sequence[ModelOutput]] = field(default_factory=dict)
    """One for each model, by the index of the turn; of turns that have a window."""
    measures: Mapping[int, TurnMeasures] = field(default_factory=dict)
    info: AudioInfo = field(default_factory=AudioInfo)
    failure: Failure | None = None
    """Of the recording as a whole."""

    def outputs_of(self, turn: int) -> Sequence[ModelOutput]:
        """Return where the windows of a turn go."""
        found = self.outputs.get(turn)
        if found is None:
            found = self.outputs[turn] = [ModelOutput() for _ in range(self.models)]
        return found

    def add_reading(self, reader: WindowReader) -> None:
        """Take over what was measured."""
        self.info, self.measures = reader.info, reader.turn_measures

    def rows(self) -> RecordingRows:
        """Return a row for each turn; every batch with a window of one must have run."""
        turns = self.recording.turns or _NOT_KNOWN
        # What is known of the recording is not known of each turn.
        info = replace(self.info, duration=None)
        return tuple(
            self._pending(index, turn, overlap, info).row()
            for index, (turn, overlap) in enumerate(zip(turns, overlap_shares(turns), strict=True))
        )

    def _pending(
        self, index: int, turn: Turn, overlap: float | None, info: AudioInfo
    ) -> PendingResult:
        failure, measures = self.failure, self.measures.get(index)
        if failure is None:
            if measures is not None:
                info = measures.describe(info)
            try:
                check_turn(turn, overlap, measures, self.info, self.config)
            except Failure as error:
                failure = error
        outputs = self.outputs_of(index)
        return PendingResult(self.recording, outputs, info, failure, turn, overlap)


@dataclass(frozen=True, slots=True)
class PieceOfTurns:
    """What is known of the turns of a recording from one piece of it."""

    outputs: Mapping[int, Sequence[ModelOutput]]
    measures: Mapping[int, TurnMeasures]
    config: WindowConfig
    info: AudioInfo
    frames: int
    """At the recording's own rate, in the piece."""
    pieces: int
    """The number of pieces of the file that was read."""
    failure: Failure | None

    @property
    def failed(self) -> bool:
        """Whether no later piece counts."""
        return self.failure is not None


def join_turns(recording: Recording, results: Sequence[PieceOfTurns]) -> RecordingRows:
    """Return the rows of a recording: of all its pieces in order, or up to one that failed."""
    first, last = results[0], results[-1]
    models = max((len(each) for piece in results for each in piece.outputs.values()), default=1)
    joined = PendingTurns(recording, models, first.config, failure=last.failure)
    measures: dict[int, TurnMeasures] = {}
    for piece in results:
        for turn, outputs in piece.outputs.items():
            before = joined.outputs.get(turn)
            joined.outputs[turn] = outputs if before is None else _joined(before, outputs)
        for turn, found in piece.measures.items():
            measured = measures.get(turn)
            # A copy, since the results stay as they are.
            measures[turn] = found if measured is None else measured.copied().joined(found)
    joined.measures = measures
    files = {(each.info.size, each.info.mtime_ns, each.pieces) for each in results}
    if joined.failure is None and (len(files) > 1 or first.pieces != len(results)):
        joined.failure = file_changed()
    frames, rate = sum(each.frames for each in results), first.info.sample_rate
    joined.info = replace(first.info, duration=frames / rate if rate and frames else None)
    return joined.rows()


def _joined(outputs: Sequence[ModelOutput], later: Sequence[ModelOutput]) -> Sequence[ModelOutput]:
    """Return the outputs for a turn that lies in several pieces, each of which stays as it is."""
    joined = [ModelOutput() for _ in outputs]
    for output, *pieces in zip(joined, outputs, later, strict=True):
        for piece in pieces:
            output.add(piece)
    return joined
