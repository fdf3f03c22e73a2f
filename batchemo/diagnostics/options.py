"""What a bench is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field

from batchemo.errors import UsageError
from batchemo.inference.settings import Settings
from batchemo.sources import SourceOptions

SECONDS = 24.0
SHORTEST, LONGEST = 0.5, 600.0


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """Which recordings to measure on, with which model, and for how long."""

    sources: SourceOptions = field(default_factory=SourceOptions)
    """Without any path, recordings are made."""
    settings: Settings = field(default_factory=Settings)
    jobs: int = 0
    """The most worker processes to try; 0 for as many as there are processors."""
    seconds: float = SECONDS
    """For all measurements together; what starts before each of them comes on top."""

    def __post_init__(self) -> None:
        if not SHORTEST <= self.seconds <= LONGEST:
            raise UsageError(
                f"--seconds {self.seconds:g}: measuring takes from {SHORTEST:g} to {LONGEST:g} s"
            )
