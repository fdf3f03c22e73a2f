"""The recipe: which features a model takes, as data that a bundle can hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar, Protocol

from batchemo.common.arrays import Float32
from batchemo.errors import BatchemoError, BundleError, UsageError
from batchemo.features.combined import Combined
from batchemo.features.descriptors import FrameFeatures, MeanFeatures
from batchemo.features.functionals import Functionals
from batchemo.features.logmel import SpeechLogMel


class FeatureParams(Protocol):
    """What one kind of recipe can be told, and the code that does it: a frozen dataclass.

    Every field has a default, an int, a float, a str or a tuple of str, so that it survives JSON.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]
    kind: ClassVar[str]
    version: ClassVar[int]

    def shape(self, rate: int, window: float) -> tuple[int, ...]:
        """The shape of what `compute` returns for a window of that many seconds."""

    def names(self) -> tuple[str, ...]:
        """What the numbers along the last axis are called."""

    def compute(self, samples: Float32, rate: int, window: float) -> Float32:
        """The features of samples no longer than the window."""


KINDS: dict[str, type[Any]] = {
    kind.kind: kind for kind in (SpeechLogMel, FrameFeatures, MeanFeatures, Functionals, Combined)
}
_TYPES: dict[str, type] = {
    "name": str,
    "kind": str,
    "version": int,
    "rate": int,
    "window": float,
    "params": dict,
}
"""What a recipe is as a dictionary."""


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """A named way from samples to an array of numbers.

    >>> recipe = get_recipe("logmel64")
    >>> recipe.rate, recipe.shape(), recipe.names[:2]
    (16000, (301, 64), ('mel_0', 'mel_1'))
    >>> Recipe.from_dict(recipe.to_dict()) == recipe
    True
    """

    name: str
    rate: int
    """Samples a second that `extract` expects."""
    window: float
    """Seconds that it takes where nobody says otherwise."""
    params: FeatureParams

    @property
    def version(self) -> int:
        """Counts the changes of the numbers that this kind of recipe gives."""
        return self.params.version

    @property
    def names(self) -> tuple[str, ...]:
        """What the numbers along the last axis are called."""
        return self.params.names()

    def shape(self, window: float | None = None) -> tuple[int, ...]:
        """The shape of the features of one window of that many seconds."""
        return self.params.shape(self.rate, self.window if window is None else window)

    @property
    def fixed_shape(self) -> bool:
        """Whether the shape is the same for every window."""
        return self.shape(1.0) == self.shape(2.0)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as JSON can hold it, complete: later defaults change nothing in it."""
        return {
            "name": self.name,
            "kind": self.params.kind,
            "version": self.version,
            "rate": self.rate,
            "window": self.window,
            "params": asdict(self.params),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FeatureSet:
        """The recipe that a bundle holds; a BundleError if this batchemo cannot compute it."""
        _complete("the bundle's recipe", data, _TYPES)
        told = _typed("the bundle's recipe", data, _TYPES, BundleError)
        kind = KINDS.get(told["kind"])
        if kind is None:
            raise BundleError(
                f"the bundle's recipe is of the kind {told['kind']!r}, which this batchemo does"
                f" not know; it knows: {', '.join(KINDS)}"
            )
        if told["version"] != kind.version:
            raise BundleError(
                f"the bundle's recipe {told['name']!r} is version {told['version']} of"
                f" {kind.kind!r}, this batchemo computes version {kind.version}:"
                " train the model again, or use the batchemo that made it"
            )
        _complete("the bundle's recipe", told["params"], (field.name for field in fields(kind)))
        params = _changed(kind(), told["params"], BundleError)
        if not (told["rate"] > 0 and 0 < told["window"] < math.inf):
            raise BundleError("the bundle's recipe needs a rate and a window above 0")
        return cls(told["name"], told["rate"], told["window"], params)


_CLASSIC = ("mfcc", "mfcc_delta", "mfcc_delta2", "chroma", "contrast")
_SINGLE = ("zcr", "bandwidth", "pitch", "rms")

FEATURE_SETS: dict[str, FeatureSet] = {
    recipe.name: recipe
    for recipe in (
        FeatureSet("logmel64", 16000, 3.0, SpeechLogMel()),
        FeatureSet("logmel128", 22050, 3.0, FrameFeatures(descriptors=("mel_db",))),
        FeatureSet("mfcc40", 22050, 3.0, MeanFeatures(descriptors=("mfcc",), n_mfcc=40)),
        FeatureSet(
            "stats162", 22050, 3.0, MeanFeatures(descriptors=("zcr", "chroma", "mfcc", "rms", "mel"))
        ),
        # 3 s from 0.5 s on, as those who came before cut their recordings.
        FeatureSet("frames62", 22050, 3.5, FrameFeatures(descriptors=_CLASSIC + _SINGLE, n_mfcc=13, offset=0.5)),
        FeatureSet("functionals", 16000, 3.0, Functionals()),
        FeatureSet("combined", 16000, 3.0, Combined()),
    )
}


def get_feature_set(name: str, **params: Any) -> FeatureSet:
    """The recipe of that name, with some parameters set otherwise; UsageError if there is none."""
    if name not in FEATURE_SETS:
        raise UsageError(f"no recipe is called {name!r}; there are: {', '.join(FEATURE_SETS)}")
    recipe = FEATURE_SETS[name]
    return replace(recipe, params=_changed(recipe.params, params, UsageError))


def extract(recipe: FeatureSet, samples: Float32, window: float | None = None) -> Float32:
    """The features of one window of mono samples at the recipe's rate.

    Always float32 and of `recipe.shape(window)`: what is shorter than the window is padded as the
    recipe says, what goes beyond it is not looked at. Equal samples give equal bytes.
    """
    window = recipe.window if window is None else window
    return recipe.params.compute(samples[: round(window * recipe.rate)], recipe.rate, window)


def _changed(
    params: FeatureParams, told: Mapping[str, Any], error: type[BatchemoError]
) -> FeatureParams:
    """The parameters changed as told, if all that is told makes sense."""
    what = f"a recipe of the kind {params.kind!r}"
    types = {field.name: type(getattr(params, field.name)) for field in fields(params)}
    try:
        return replace(params, **_typed(what, told, types, error))
    except ValueError as why:
        raise error(f"{what} cannot be computed so: {why}") from None


def _typed(
    what: str, told: Mapping[str, Any], types: Mapping[str, type], error: type[BatchemoError]
) -> dict[str, Any]:
    """What was told, each value of its type; JSON's lists become tuples, whole numbers floats."""
    typed = {}
    for name, value in told.items():
        if name not in types:
            raise error(f"{what} has no {name!r}; it has: {', '.join(types)}")
        if types[name] is tuple and type(value) is list:
            value = tuple(value)
        if types[name] is float and type(value) is int:
            value = float(value)
        if type(value) is not types[name]:
            raise error(f"{what}: {name}={value!r} is not of type {types[name].__name__}")
        typed[name] = value
    return typed


def _complete(what: str, told: Mapping[str, Any], names: Iterable[str]) -> None:
    lacking = [name for name in names if name not in told]
    if lacking:
        raise BundleError(f"{what} lacks {', '.join(lacking)}")
