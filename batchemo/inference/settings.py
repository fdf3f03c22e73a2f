"""How a model is run, and how its probabilities are turned into labels and dimensions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from batchemo.bundles import BATCH_SIZE, GPU_BATCH_SIZE
from batchemo.bundles.class_shares import EVEN, log_shares, parse_shares
from batchemo.bundles.device import Device, choose_device
from batchemo.errors import UsageError
from batchemo.tables.columns import UNCERTAIN
from batchemo.tables.summary import is_path_part

TIMEOUT = 300.0
"""Seconds for a recording, or for each started hour of it."""

ROOT = "root"
EACH_CHANNEL = "each"
"""The channel of a scan that has a row for each of them."""
SPEECH = "speech"
"""The turns of a scan that finds them by where there is speech."""


def check_channel(channel: str) -> None:
    """Refuse anything but mix or the number of a channel.

    >>> check_channel("left")
    Traceback (most recent call last):
    batchemo.errors.UsageError: the channel is 'left': write mix, or a number, the first being 0
    """
    if channel != "mix" and not re.fullmatch("[0-9]{1,4}", channel):
        raise UsageError(f"the channel is {channel!r}: write mix, or a number, the first being 0")


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """A model, and how to run it; None is the model's own default."""

    model: str = "default"
    """The name of a shipped model, or the folder of a bundle."""
    window: float | None = None
    """Seconds."""
    hop: float | None = None
    """Seconds from the start of one window to the start of the next."""
    channel: str = "mix"
    backend: Literal["onnx", "tensorflow"] = "onnx"
    batch_size: int = BATCH_SIZE
    device: Device = "cpu"
    turns: Literal["speech"] | None = None
    """What the turns of recordings are where none are given; None for no turns."""

    @property
    def channel_of_all(self) -> str:
        """The channel of what has no channel of its own."""
        return "mix" if self.channel == EACH_CHANNEL else self.channel

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise UsageError(f"the batch size is {self.batch_size}: it must be 1 or more")
        for name, seconds in (("window", self.window), ("hop", self.hop)):
            if seconds is not None and not seconds > 0:
                raise UsageError(f"the {name} is {seconds:g} s: it must be longer than 0")
        if self.channel != EACH_CHANNEL:
            check_channel(self.channel)

    def differences(self) -> dict[str, str | float | int]:
        """Return the settings that are not the defaults, by name, without the model itself.

        >>> ModelSettings("fast", hop=1.5).differences()
        {'hop': 1.5}
        """
        names = ("window", "hop", "channel", "backend", "batch_size", "device", "turns")
        return _differences(self, ModelSettings(), names)


def default_batch_size(device: Device) -> int:
    """Return how many windows go through the graph together unless the user says otherwise."""
    return BATCH_SIZE if device == "cpu" else GPU_BATCH_SIZE


def settings_of(
    models: Iterable[str],
    *,
    window: float | None = None,
    hop: float | None = None,
    channel: str = "mix",
    backend: Literal["onnx", "tensorflow"] = "onnx",
    batch_size: int | None = None,
    device: str = "auto",
    turns: Literal["speech"] | None = None,
) -> tuple[ModelSettings, ...]:
    """Return the settings of each model, on the device that there is.

    >>> settings_of(["fast"], device="cpu")[0] == ModelSettings("fast")
    True
    """
    chosen = choose_device(device, backend)
    size = default_batch_size(chosen) if batch_size is None else batch_size
    return tuple(
        ModelSettings(model, window, hop, channel, backend, size, chosen, turns) for model in models
    )


@dataclass(frozen=True, slots=True)
class PostprocessSettings:
    """How the probabilities of the models are turned into the columns of the tables."""

    min_confidence: float = 0.0
    """Below this confidence the label is `uncertain`."""
    dimensions: bool = False
    """Whether to estimate valence, arousal and dominance."""
    speaker: str | None = None
    """What names the speaker of a recording, to adapt predictions to speakers."""
    class_shares: str | None = None
    """How frequent the labels are in the corpus: see `batchemo.bundles.class_shares`."""

    def __post_init__(self) -> None:
        # Written so that NaN is refused too.
        if not 0 <= self.min_confidence <= 1:
            raise UsageError(
                f"the lowest confidence is {self.min_confidence:g}: it must lie between 0 and 1"
            )
        if self.class_shares not in (None, EVEN):
            parse_shares(self.class_shares, f"{EVEN}, or ")

    @property
    def adapts(self) -> bool:
        """Whether the probabilities of a recording depend on those of others."""
        return self.speaker is not None or self.class_shares is not None

    @property
    def optional(self) -> tuple[str, ...]:
        """The optional groups of columns that the recordings table has."""
        wanted = {"unadapted": self.adapts, "dimensions": self.dimensions}
        return tuple(name for name, is_wanted in wanted.items() if is_wanted)

    def differences(self) -> dict[str, Any]:
        """Return the settings that are not the defaults, by name.

        >>> PostprocessSettings(dimensions=True).differences()
        {'dimensions': True}
        """
        names = ("min_confidence", "dimensions", "speaker", "class_shares")
        return _differences(self, PostprocessSettings(), names)

    def check_labels(self, model: str, labels: Sequence[str]) -> None:
        """Refuse settings that do not go together with the labels of a model.

        >>> PostprocessSettings(dimensions=True).check_labels("mine", ["happy", "smug"])
        Traceback (most recent call last):
        batchemo.errors.UsageError: --dimensions: there are no coordinates for smug, ...
        """
        from batchemo.tables.derived import COORDINATES

        if not labels:
            self._check_without_labels(model)
        unknown = [label for label in labels if label not in COORDINATES]
        if self.dimensions and unknown:
            raise UsageError(
                f"--dimensions: there are no coordinates for {', '.join(unknown)}, which the model "
                f"{model} knows; there are for {', '.join(COORDINATES)}. Leave --dimensions out"
            )
        if self.min_confidence and UNCERTAIN in labels:
            raise UsageError(
                f"--min-confidence: the model {model} has a label of its own called {UNCERTAIN}"
            )
        if self.class_shares is not None:
            log_shares(self.class_shares, labels)

    def _check_without_labels(self, model: str) -> None:
        options = {
            "--dimensions": self.dimensions,
            "--min-confidence": self.min_confidence,
            "--speaker": self.speaker,
            "--class-shares": self.class_shares,
        }
        if given := [name for name, value in options.items() if value]:
            raise UsageError(
                f"{given[0]}: the model {model} gives dimensions, and no labels with probabilities:"
                " leave this option out"
            )

    def check_speaker(self, columns: Iterable[str]) -> None:
        """Refuse a `speaker` that is neither one of these columns nor a part of a path.

        `columns` are those of the manifest and of the previous table: a column of ours, such as
        the emotion, names no speaker.
        """
        speaker, columns = self.speaker, list(columns)
        if speaker is None or speaker in (ROOT, *columns) or is_path_part(speaker):
            return
        available = ", ".join(columns) or "there are none"
        raise UsageError(
            f"--speaker {speaker}: this is no column of the manifest ({available}), nor folder, "
            "part:N, root or regex:PATTERN"
        )


NO_POSTPROCESSING = PostprocessSettings()
"""The most probable label, whatever its probability; no dimensions, nothing adapted."""


def _differences(settings: object, defaults: object, names: Sequence[str]) -> dict[str, Any]:
    values = {name: getattr(settings, name) for name in names}
    return {name: value for name, value in values.items() if value != getattr(defaults, name)}
