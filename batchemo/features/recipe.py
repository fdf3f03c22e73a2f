"""The recipe: which features a model takes, as data that a bundle can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar, Protocol

from batchemo.errors import BatchemoError, BundleError, UsageError
from batchemo.features.parts import Frames, Means
from batchemo.features.spectrum import Floats
from batchemo.features.speech import SpeechLogMel


class Params(Protocol):
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

    def compute(self, samples: Floats, rate: int, window: float) -> Floats:
        """The features of samples no longer than the window."""


KINDS: dict[str, type[Any]] = {kind.kind: kind for kind in (SpeechLogMel, Frames, Means)}
_KEYS = ("name", "kind", "version", "rate", "window", "params")


@dataclass(frozen=True, slots=True)
class Recipe:
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
    params: Params

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
    def from_dict(cls, data: Mapping[str, Any]) -> Recipe:
        """The recipe that a bundle holds; a BundleError if this batchemo cannot compute it."""
        if set(data) != set(_KEYS):
            odd = ", ".join(sorted(set(data) ^ set(_KEYS)))
            raise BundleError(f"the bundle's recipe lacks, or should not have: {odd}")
        kind = KINDS.get(data["kind"])
        if kind is None:
            raise BundleError(f"the bundle's recipe is of the unknown kind {data['kind']!r}")
        if data["version"] != kind.version:
            raise BundleError(
                f"the bundle's recipe {data['name']!r} is version {data['version']} of"
                f" {kind.kind!r}, this batchemo computes version {kind.version}:"
                " train the model again, or use the batchemo that made it"
            )
        params = _told(kind(), data["params"], BundleError)
        return cls(data["name"], data["rate"], data["window"], params)


_CLASSIC = ("mfcc", "mfcc_delta", "mfcc_delta2", "chroma", "contrast")
_SINGLE = ("zcr", "bandwidth", "pitch", "rms")

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("logmel64", 16000, 3.0, SpeechLogMel()),
        Recipe("logmel128", 22050, 3.0, Frames(parts=("mel_db",))),
        Recipe("mfcc40", 22050, 3.0, Means(parts=("mfcc",), n_mfcc=40)),
        Recipe("stats162", 22050, 3.0, Means(parts=("zcr", "chroma", "mfcc", "rms", "mel"))),
        # 3 s from 0.5 s on, as those who came before cut their recordings.
        Recipe("frames62", 22050, 3.5, Frames(parts=_CLASSIC + _SINGLE, n_mfcc=13, offset=0.5)),
    )
}


def get_recipe(name: str, **params: Any) -> Recipe:
    """The recipe of that name, with some parameters set otherwise; UsageError if there is none."""
    if name not in RECIPES:
        raise UsageError(f"no recipe is called {name!r}; there are: {', '.join(RECIPES)}")
    recipe = RECIPES[name]
    return replace(recipe, params=_told(recipe.params, params, UsageError))


def extract(recipe: Recipe, samples: Floats, window: float | None = None) -> Floats:
    """The features of one window of mono samples at the recipe's rate.

    Always float32 and of `recipe.shape(window)`: what is shorter than the window is padded as the
    recipe says, what goes beyond it is not looked at. Equal samples give equal bytes.
    """
    window = recipe.window if window is None else window
    return recipe.params.compute(samples[: round(window * recipe.rate)], recipe.rate, window)


def _told(params: Params, told: Mapping[str, Any], error: type[BatchemoError]) -> Params:
    """The parameters changed as told, if all that is told makes sense."""
    defaults = {field.name: getattr(params, field.name) for field in fields(params)}
    changes = {}
    for name, value in told.items():
        if name not in defaults:
            known = ", ".join(defaults)
            raise error(f"a {params.kind!r} recipe has no parameter {name!r}; it has: {known}")
        wanted = type(defaults[name])
        value = tuple(value) if isinstance(value, list) else value
        value = float(value) if wanted is float and type(value) is int else value
        if type(value) is not wanted:
            raise error(
                f"{name}={value!r} in a {params.kind!r} recipe should be of type {wanted.__name__}"
            )
        changes[name] = value
    try:
        return replace(params, **changes)
    except ValueError as why:
        raise error(f"a {params.kind!r} recipe cannot be so: {why}") from None
