"""The results of an evaluation: figures, with the protocol by which they were measured.

An `Evaluation` is what `evaluation.json` holds: `to_dict` and `from_dict` give and take its
contents. `FORMAT` changes with every change of its keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from batchemo.errors import UsageError
from batchemo.evaluation.metrics import Bin, CoveragePoint

FORMAT = 4

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
"""The figures as readers see them named, the headline first. Those before calibration may be
unknown; ECE by chance is what perfect calibration would show on so few recordings."""

TESTED_ON: Mapping[str, str] = {
    "speaker": "on speakers that are not in its training data",
    "corpus": "on corpora and languages that are not in its training data",
    "random": "on other recordings of speakers in its training data",
    "leaky": (
        "LEAKY: copies of the same recordings are in the training data and in the test data; "
        "not a measure of accuracy on new speech"
    ),
}
"""What a protocol's figures were measured on, in words that are shown wherever the figures are."""

GROUPINGS = ("language", "channel", "gender", "intensity", "speaker")
UNKNOWN = "(unknown)"
"""The group of recordings of which a property is not known."""


@dataclass(frozen=True, slots=True)
class CorpusCounts:
    """How much of a corpus was evaluated."""

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
    """Why recordings were not evaluated, and how many for each reason."""
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
        name = f"{self.subject}, protocol {self.protocol}"
        tested_on = TESTED_ON.get(self.protocol)
        return name if tested_on is None else f"{name} — {tested_on}"


@dataclass(frozen=True, slots=True)
class Figure:
    """The mean over seeds of a figure, and how far it varies.

    A seed's figure is the mean of its folds' figures, as in the literature on these folds.
    """

    mean: float
    spread_over_seeds: float | None
    """Standard deviation of the seeds' figures; None with one seed."""
    spread_over_folds: float | None
    """Standard deviation of the folds' means over seeds; None with one fold."""
    interval_over_speakers: tuple[float, float] | None
    """95 %, by bootstrap over the speakers of all folds; None where it is not known."""


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
    """A line of the classification report: all folds of a seed together, mean over seeds."""

    label: str
    support: float
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """The figures of recordings that share a property: all folds together, mean over seeds."""

    name: str
    recordings: int
    accuracy: float
    uar: float


@dataclass(frozen=True, slots=True)
class CorpusFigures:
    """The figures of one corpus: all folds together, mean over seeds.

    Plain speech, a corpus that is neutral or calm throughout, has no UAR: what counts is for how
    many recordings an emotion is claimed.
    """

    corpus: str
    languages: tuple[str, ...]
    recordings: int
    speakers: int
    classes: int
    """How many classes its recordings have; the model chooses among all of its labels."""
    uar: Figure | None
    uar_among_classes: float | None
    """The UAR if the model chose among the classes of the corpus only."""
    accuracy: float
    confidence: float
    """The mean confidence: to be compared with the accuracy."""
    ece: float
    claimed: Figure | None
    """The share of plain speech for which a class other than neutral and calm is predicted."""

    @property
    def chance(self) -> float | None:
        """The UAR of guessing among the classes of the corpus; None for plain speech."""
        return 1 / self.classes if self.uar else None


@dataclass(frozen=True, slots=True)
class Confusion:
    """True classes (rows) by predicted classes (columns), in the order of the labels."""

    counts: tuple[tuple[float, ...], ...]
    """Mean over seeds."""
    shares: tuple[tuple[float | None, ...], ...]
    """Of the row; None for classes without recordings."""


@dataclass(frozen=True, slots=True)
class SpeakerAdapted:
    """The figures with probabilities adapted to each speaker, without using their labels."""

    fewest: int
    """The smallest number of recordings of a speaker."""
    most: int
    """The greatest number."""
    figures: Mapping[str, Figure]

    @property
    def title(self) -> str:
        """The heading of these figures, which says how they were measured.

        >>> SpeakerAdapted(16, 60, {}).title
        'adapted to each speaker (16 to 60 recordings each, no labels)'
        """
        count = f"{self.fewest}" if self.fewest == self.most else f"{self.fewest} to {self.most}"
        return f"adapted to each speaker ({count} recordings each, no labels)"


@dataclass(frozen=True, slots=True)
class ConditionFigures:
    """The figures of the same recordings under another condition: telephone, noise."""

    name: str
    description: str
    """What was done to the signal."""
    recordings: int
    without_speech: int
    """Recordings in which no speech is detected any more: they have no part in the figures."""
    uar: Figure
    accuracy: Figure
    ece: Figure
    change: float
    """UAR minus that of the same recordings unchanged."""
    change_spread_over_seeds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Everything that is reported of a recipe or bundle under one protocol.

    Plain speech has a part in `by_corpus` only, unless there is nothing else.
    """

    info: EvaluationInfo
    labels: tuple[str, ...]
    recordings: int
    """Different recordings: augmented variants and predictions by other seeds count once."""
    predictions: int
    speakers: int
    figures: Mapping[str, Figure]
    seeds: tuple[SeedFigures, ...]
    folds: tuple[FoldFigures, ...]
    classes: tuple[ClassFigures, ...]
    confusion: Confusion
    reliability: tuple[Bin, ...]
    coverage: tuple[CoveragePoint, ...]
    """The accuracy of the most confident predictions, from all to few."""
    speaker_adapted: SpeakerAdapted | None
    """None where speakers are not known, or have too few recordings."""
    conditions: tuple[ConditionFigures, ...]
    """The figures under other recording conditions, where these were asked for."""
    by_corpus: tuple[CorpusFigures, ...]
    groups: Mapping[str, tuple[GroupFigures, ...]]

    def to_dict(self) -> dict[str, Any]:
        """Return everything in types that JSON has."""
        return {"format": FORMAT, "title": self.info.title, **to_plain(self)}

    @classmethod
    def from_dict(cls, contents: Mapping[str, Any]) -> Evaluation:
        """Parse what `to_dict` returned; UsageError for anything else."""
        if contents.get("format") != FORMAT:
            raise UsageError(
                f"the evaluation's format is {contents.get('format')!r}, not {FORMAT}: another"
                " version of batchemo wrote it; evaluate again, finished trainings are kept"
            )
        rest = {key: value for key, value in contents.items() if key not in ("format", "title")}
        evaluation = from_plain(cls, rest, "the evaluation")
        # The title names the protocol: one that was edited would put figures in a false light.
        if contents.get("title") != evaluation.info.title:
            raise UsageError("the evaluation's title does not fit its subject and protocol")
        return evaluation


Parsed = TypeVar("Parsed")


def to_plain(value: Any) -> Any:
    """Turn dataclasses into dicts and tuples into lists, on all levels.

    >>> to_plain({"labels": ("sad", "happy")})
    {'labels': ['sad', 'happy']}
    """
    if is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_plain(item) for item in value]
    return value


def from_plain(kind: type[Parsed], value: Any, where: str) -> Parsed:
    """Parse what `to_plain` returned as this dataclass; UsageError says which part does not fit."""
    parsed: Parsed = _parse(kind, value, where)
    return parsed


def _parse(kind: Any, value: Any, where: str) -> Any:
    """Parse a value by its type annotation, of the few kinds that the dataclasses here use."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, UnionType):
        if value is None and NoneType in arguments:
            return None
        [kind] = [argument for argument in arguments if argument is not NoneType]
        return _parse(kind, value, where)
    if origin is Literal:
        _require(value in arguments, where, f"one of {', '.join(arguments)}")
        return value
    if is_dataclass(kind):
        return _parse_dataclass(kind, value, where)
    if origin is tuple:
        return _parse_tuple(arguments, value, where)
    if origin is Mapping:
        _require(isinstance(value, dict), where, "an object")
        return {key: _parse(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    # Compared by type: for isinstance, True is an int, and a count must not be True.
    if kind is float:
        _require(type(value) in (int, float), where, "a number")
        return float(value)
    _require(type(value) is kind, where, f"of type {kind.__name__}")
    return value


def _parse_dataclass(kind: Any, value: Any, where: str) -> Any:
    _require(isinstance(value, dict), where, "an object")
    names = [field.name for field in fields(kind)]
    if mismatch := sorted(set(value) ^ set(names)):
        raise UsageError(f"{where} has too many or too few keys: {', '.join(mismatch)}")
    types = get_type_hints(kind)
    return kind(**{name: _parse(types[name], value[name], f"{where}.{name}") for name in names})


def _parse_tuple(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    _require(isinstance(value, list), where, "a list")
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    _require(len(value) == len(kinds), where, f"a list of {len(kinds)}")
    return tuple(
        _parse(kind, item, f"{where}[{index}]")
        for index, (kind, item) in enumerate(zip(kinds, value, strict=True))
    )


def _require(fits: bool, where: str, expected: str) -> None:
    if not fits:
        raise UsageError(f"{where} must be {expected}")
