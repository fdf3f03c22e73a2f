"""The options of the page: the models on offer, and the limits of what a visitor may request."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from batchemo.errors import UsageError
from batchemo.inference.settings import NO_POSTPROCESSING, PostprocessSettings

HOST, PORT = "localhost", 8501


@dataclass(frozen=True, slots=True)
class AppOptions:
    """The models on offer, and the limits of what a visitor may request."""

    models: tuple[str, ...]
    max_upload_mb: int = 200
    """Maximum size of one recording, in megabytes."""
    max_files: int = 20
    """Maximum number of recordings that one visitor can have analysed together."""
    max_duration: float = 3600.0
    """Maximum length of one recording, in seconds."""
    timeout: float = 120.0
    """Seconds that the analysis of one recording by one model may take."""
    jobs: int = 0
    """Recordings analysed at the same time, each in its own process; 0 is one per processor."""
    postprocess: PostprocessSettings = NO_POSTPROCESSING
    hosts: tuple[str, ...] = ()
    """Names that the server is reached by, besides its address and this machine's."""

    def __post_init__(self) -> None:
        if not self.models:
            raise UsageError("there is no model to offer: name one with --model")
        for name in ("max_upload_mb", "max_files", "max_duration", "timeout"):
            if getattr(self, name) <= 0:
                raise UsageError(f"--{name.replace('_', '-')} must be more than 0")

    def to_argument(self) -> str:
        """Encode all options as the one argument that the page's script is started with."""
        return json.dumps(asdict(self))

    @classmethod
    def from_argument(cls, argument: str) -> AppOptions:
        """Decode the result of `to_argument`.

        >>> options = AppOptions(("default",), max_files=5, postprocess=PostprocessSettings(0.5))
        >>> AppOptions.from_argument(options.to_argument()) == options
        True
        """
        values = json.loads(argument)
        values["models"], values["hosts"] = tuple(values["models"]), tuple(values["hosts"])
        values["postprocess"] = PostprocessSettings(**values["postprocess"])
        return cls(**values)


DEFAULT_OPTIONS = AppOptions(("default",))
