"""What the page offers and what it allows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from batchemo.errors import UsageError
from batchemo.inference.settings import NO_POSTPROCESSING, PostprocessSettings

HOST, PORT = "localhost", 8501
MEGABYTE = 2**20


@dataclass(frozen=True, slots=True)
class AppOptions:
    """The models to choose from, and the limits of what a visitor may ask for."""

    models: tuple[str, ...]
    max_upload_mb: int = 200
    """Megabytes of one recording."""
    max_files: int = 20
    """Recordings that one visitor may have analysed together."""
    max_duration: float = 3600.0
    """Seconds of one recording."""
    timeout: float = 120.0
    """Seconds that the analysis of one recording may take, by one model."""
    jobs: int = 0
    """Recordings analysed at the same time, each in a process; 0 is one a processor."""
    postprocess: PostprocessSettings = NO_POSTPROCESSING
    """How probabilities are to be read."""

    def __post_init__(self) -> None:
        if not self.models:
            raise UsageError("there is no model to offer: name one with --model")
        for name in ("max_upload_mb", "max_files", "max_duration", "timeout"):
            if getattr(self, name) <= 0:
                raise UsageError(f"--{name.replace('_', '-')} must be more than 0")

    def to_word(self) -> str:
        """Write all of it as the one word that the page is started with."""
        return json.dumps(asdict(self))

    @classmethod
    def from_word(cls, word: str) -> AppOptions:
        """Read what `to_word` wrote.

        >>> options = AppOptions(("default",), max_files=5, interpretation=Interpretation(0.5))
        >>> AppOptions.from_word(options.to_word()) == options
        True
        """
        values = json.loads(word)
        read = PostprocessSettings(**values["interpretation"])
        return cls(**{**values, "models": tuple(values["models"]), "interpretation": read})


STANDARD = AppOptions(("default",))
"""What holds where nothing else is asked for."""
