"""The results of an evaluation: figures, each beside the protocol that gave it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from batchemo.errors import UsageError
from batchemo.evaluation.metrics import Bin, CoveragePoint

Told = TypeVar("Told")


def to_plain(value: Any) -> Any:
    """Turn dataclasses into dicts and tuples into lists, all the way down.

    >>> to_plain({"labels": ("sad", "happy")})
    {'labels': ['sad', 'happy']}
    """
    if is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: to_plain(one) for key, one in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_plain(one) for one in value]
    return value


def from_plain(kind: type[Told], value: Any, where: str) -> Told:
    """Read what `to_plain` gave as this dataclass; UsageError says where it does not fit."""
    found: Told = _read(kind, value, where)
    return found


def _read(kind: Any, value: Any, where: str) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, UnionType):
        if value is None and NoneType in inner:
            return None
        [kind] = [one for one in inner if one is not NoneType]
        return _read(kind, value, where)
    if origin is Literal:
        _must(value in inner, where, f"one of {', '.join(inner)}")
        return value
    if is_dataclass(kind):
        return _read_dataclass(kind, value, where)
    if origin is tuple:
        return _read_tuple(inner, value, where)
    if origin is Mapping:
        _must(isinstance(value, dict), where, "an object")
        return {key: _read(inner[1], one, f"{where}.{key}") for key, one in value.items()}
    if kind is float:
        _must(type(value) in (int, float), where, "a number")
        return float(value)
    _must(type(value) is kind, where, f"of type {kind.__name__}")
    return value


def _read_dataclass(kind: Any, value: Any, where: str) -> Any:
    _must(isinstance(value, dict), where, "an object")
    names = [field.name for field in fields(kind)]
    if odd := sorted(set(value) ^ set(names)):
        raise UsageError(f"{where} has too many or too few keys: {', '.join(odd)}")
    types = get_type_hints(kind)
    return kind(**{name: _read(types[name], value[name], f"{where}.{name}") for name in names})


def _read_tuple(inner: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    _must(isinstance(value, list), where, "a list")
    if inner[-1] is Ellipsis:
        inner = (inner[0],) * len(value)
    _must(len(value) == len(inner), where, f"a list of {len(inner)}")
    return tuple(
        _read(kind, one, f"{where}[{place}]")
        for place, (kind, one) in enumerate(zip(inner, value, strict=True))
    )


def _must(good: bool, where: str, what: str) -> None:
    if not good:
        raise UsageError(f"{where} must be {what}")


FORMAT = 3

FIGURES: Mapping[str, str] = {
    "uar": "UAR",
    "accuracy": "accuracy",
    "accuracy_at_80": "accuracy at 80 % coverage",
    "accuracy_at_50": "accuracy at 50 % coverage",
    "macro_f1": "macro F1",
    "ece": "ECE",
    "ece_by_chance": "ECE by chance alone",
    "ece_uncalibrated": "ECE before calibration",
    "brier": "Brier score",
    "brier_uncalibrated": "Brier score before calibration",
}
"""The figures as they are called, the headline first. Those before calibration may be unknown;
ECE by chance is what confidences that are right would have on so few recordings."""

PROTOCOL_SUBJECTS: Mapping[str, str] = {
    "speaker": "on speakers that are not in its training data",
    "random": "on other recordings of speakers in its training data",
    "leaky": (
        "LEAKY: copies of the same recordings are in the training data and in the test data; "
        "not a measure of accuracy on new speech"
    ),
}
"""What a protocol's figures are about, in words that go wherever the figures go."""

GROUPINGS = ("corpus", "language", "channel", "gender", "intensity", "speaker")
UNKNOWN = "(unknown)"
"""The group of what is not told of recordings."""


@dataclass(frozen=True, slots=True)
class CorpusCounts:
    """How much of a corpus was judged."""

    recordings: int
    speakers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationInfo:
    """What was evaluated, on what, and how."""

    subject: str
    """The name of a recipe or of a bundle."""
    kind: Literal["recipe", "bundle"]
    protocol: str
    protocol_description: str
    """What the protocol does, in a sentence or two."""
    corpora: Mapping[str, CorpusCounts] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Why recordings were not judged, and how many for each reason."""
    notes: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The heading of whatever shows these figures; it always names the protocol.

        >>> EvaluationInfo(
        ...     subject="mfcc40", kind="recipe", protocol="speaker", protocol_description=""
        ... ).title
        'mfcc40, protocol speaker — on speakers that are not in its training data'
        """
        told = PROTOCOL_SUBJECTS.get(self.protocol)
        name = f"{self.subject}, protocol {self.protocol}"
        return name if told is None else f"{name} — {told}"


@dataclass(frozen=True, slots=True)
class Figure:
    """The mean over seeds of a figure, and how well it is known.

    A seed's figure is the mean of its folds' figures, as in the literature on these folds.
    """

    mean: float
    spread_over_seeds: float | None
    """Standard deviation of the seeds' figures; None with one seed."""
    spread_over_folds: float | None
    """Standard deviation of the folds' means over seeds; None with one fold."""
    interval_over_speakers: tuple[float, float] | None
    """95 %, by bootstrap over all recordings of a seed together; None where it is not known."""


@dataclass(frozen=True, slots=True)
class SeedFigures:
    """The figures of one seed."""

    seed: int
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class FoldFigures:
    """The means over seeds of one fold's figures."""

    fold: str
    recordings: int
    accuracy: float
    uar: float
    macro_f1: float


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """A line of the classification report: of each seed all folds together, mean over seeds."""

    label: str
    support: float
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """The recordings that share a property: all folds together, mean over seeds."""

    name: str
    recordings: int
    accuracy: float
    uar: float


@dataclass(frozen=True, slots=True)
class Confusion:
    """What each class (row) was told as (column), in the order of the labels."""

    counts: tuple[tuple[float, ...], ...]
    """Mean over seeds."""
    shares: tuple[tuple[float | None, ...], ...]
    """Of the row; None for classes without recordings."""


@dataclass(frozen=True, slots=True)
class SpeakerAdapted:
    """The figures when each speaker's recordings are judged together, without their labels."""

    fewest: int
    """Recordings of a speaker."""
    most: int
    figures: Mapping[str, Figure]

    @property
    def title(self) -> str:
        """The heading of these figures, which is their protocol.

        >>> SpeakerAdapted(16, 60, {}).title
        'grouped by speaker (16 to 60 recordings each, no labels)'
        """
        many = f"{self.fewest}" if self.fewest == self.most else f"{self.fewest} to {self.most}"
        return f"grouped by speaker ({many} recordings each, no labels)"


@dataclass(frozen=True, slots=True)
class ConditionFigures:
    """The same recordings heard otherwise: on the telephone, in noise."""

    name: str
    description: str
    """What was done to the sound."""
    recordings: int
    without_speech: int
    """Recordings in which nothing sounds like speech any more: they have no part in the figures."""
    uar: Figure
    accuracy: Figure
    ece: Figure
    change: float
    """UAR less that of the same recordings as they are."""
    change_spread_over_seeds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """All that is reported of a recipe or bundle under one protocol."""

    info: EvaluationInfo
    labels: tuple[str, ...]
    recordings: int
    """Different recordings; what was judged of one, its copies or by other seeds, counts once."""
    predictions: int
    speakers: int
    figures: Mapping[str, Figure]
    seeds: tuple[SeedFigures, ...]
    folds: tuple[FoldFigures, ...]
    classes: tuple[ClassFigures, ...]
    confusion: Confusion
    reliability: tuple[Bin, ...]
    coverage: tuple[CoveragePoint, ...]
    """What is right of the most confident answers, from all to few."""
    speaker_adapted: SpeakerAdapted | None
    """None where speakers are not known, or were heard too rarely."""
    conditions: tuple[ConditionFigures, ...]
    """How the same recordings fare when they are heard otherwise, where that was tried."""
    groups: Mapping[str, tuple[GroupFigures, ...]]

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON can hold it."""
        return {"format": FORMAT, "title": self.info.title, **to_plain(self)}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Evaluation:
        """Read what `to_dict` gave; UsageError for anything else."""
        rest = {key: value for key, value in told.items() if key not in ("format", "title")}
        if told.get("format") != FORMAT:
            raise UsageError(
                f"the evaluation's format is {told.get('format')!r}, not {FORMAT}: another version"
                " of batchemo wrote it; evaluate again, finished trainings are kept"
            )
        found = from_plain(cls, rest, "the evaluation")
        if told.get("title") != found.info.title:
            raise UsageError("the evaluation's title does not fit what it is about")
        return found
