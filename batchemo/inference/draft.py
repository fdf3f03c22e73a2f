"""A recording under way: what each model finds in it, and the row that comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from batchemo.audio import Facts, Failure
from batchemo.common.arrays import Float32
from batchemo.common.text import to_text
from batchemo.sources import Recording
from batchemo.tables.rows import Row, Windows
from batchemo.tables.verdicts import mean_of


@dataclass(slots=True)
class Sheet:
    """What one model finds: its windows, and their probabilities as soon as they are known."""

    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    probabilities: list[Float32 | None] = field(default_factory=list)

    def begin(self, start: float, end: float) -> None:
        """Note a window; without speech it stays without probabilities."""
        self.starts.append(start)
        self.ends.append(end)
        self.probabilities.append(None)

    @property
    def voiced(self) -> list[Float32]:
        """The probabilities of the windows with speech."""
        return [p for p in self.probabilities if p is not None]

    def opinion(self) -> Float32:
        """What the model says of the whole recording."""
        # In double precision: thousands of windows must not add up to a rounding error.
        return mean_of(np.stack(self.voiced))


@dataclass(slots=True)
class Draft:
    """A recording, with a sheet for each model."""

    recording: Recording
    sheets: Sequence[Sheet]
    facts: Facts = field(default_factory=Facts)
    failure: Failure | None = None

    def row(self) -> Row:
        """Make the row, when every batch with a window of this recording has been run."""
        failure = self.failure
        if failure is None and not all(sheet.voiced for sheet in self.sheets):
            failure = Failure("no_speech", "no window of it holds anything like speech")
        opinions = None if failure else np.stack([sheet.opinion() for sheet in self.sheets])
        facts = self.facts
        return Row(
            root=to_text(self.recording.root),
            file=to_text(self.recording.file),
            reason=failure.reason if failure else None,
            detail=failure.detail if failure else None,
            probabilities=None if opinions is None else mean_of(opinions),
            opinions=None if opinions is None or len(opinions) == 1 else opinions,
            windows=None if failure else _windows(self.sheets),
            duration=facts.duration,
            sample_rate=facts.sample_rate,
            channels=facts.channels,
            rms_db=facts.rms_db,
            clipped=facts.clipped,
            silence=facts.silence,
            size=facts.size,
            mtime_ns=facts.mtime_ns,
        )


def _windows(sheets: Sequence[Sheet]) -> Windows:
    """Lay the models' windows end to end."""
    unheard = np.full_like(sheets[0].voiced[0], np.nan)
    counts = [len(sheet.starts) for sheet in sheets]
    probabilities = [unheard if p is None else p for sheet in sheets for p in sheet.probabilities]
    return Windows(
        np.concatenate([sheet.starts for sheet in sheets]),
        np.concatenate([sheet.ends for sheet in sheets]),
        np.stack(probabilities),
        np.repeat(np.arange(len(sheets), dtype=np.int32), counts) if len(sheets) > 1 else None,
    )
