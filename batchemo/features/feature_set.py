"""Feature sets by name: which features a model takes, as data that a bundle can hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar, Protocol

from batchemo.common.arrays import Float32
from batchemo.errors import BatchemoError, BundleError, UsageError
from batchemo.features import limits
from batchemo.features.descriptors import FrameFeatures, MeanFeatures
from batchemo.features.functionals import Functionals
from batchemo.features.logmel import SpeechLogMel


class FeatureParams(Protocol):
    """The parameters of one kind of feature set and the code that computes it.

    A frozen dataclass. Every field has a default and is an int, a float, a str or a tuple of str,
    so that it survives JSON.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]
    kind: ClassVar[str]
    version: ClassVar[int]
    """Increased whenever the values that `compute` returns change."""

    def shape(self, rate: int, window: float) -> tuple[int, ...]:
        """Return the shape of the result of `compute` for a window of that many seconds."""

    def spectrum_shape(self, rate: int, window: float) -> tuple[int, int]:
        """Return frames and bins of the largest spectrum that `compute` makes of a window."""

    def names(self) -> tuple[str, ...]:
        """Return the names of the values along the last axis."""

    def compute(self, samples: Float32, rate: int, window: float) -> Float32:
        """Return the features of samples no longer than the window."""


KINDS: dict[str, type[Any]] = {
    kind.kind: kind for kind in (SpeechLogMel, FrameFeatures, MeanFeatures, Functionals)
}
_FIELDS: dict[str, type] = {
    "name": str,
    "kind": str,
    "version": int,
    "rate": int,
    "window": float,
    "params": dict,
}
"""The fields of a feature set as a dictionary, and their types."""


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """A named way to turn the samples of a window into an array of numbers.

    >>> feature_set = get_feature_set("logmel64")
    >>> feature_set.rate, feature_set.shape(), feature_set.names[:2]
    (16000, (301, 64), ('mel_0', 'mel_1'))
    >>> FeatureSet.from_dict(feature_set.to_dict()) == feature_set
    True
    """

    name: str
    rate: int
    """The sample rate that `extract` expects."""
    window: float
    """The default length of a window in seconds."""
    params: FeatureParams

    @property
    def version(self) -> int:
        """The version of the values that this kind of feature set returns."""
        return self.params.version

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the values along the last axis."""
        return self.params.names()

    def shape(self, window: float | None = None) -> tuple[int, ...]:
        """Return the shape of the features of one window of that many seconds."""
        return self.params.shape(self.rate, self.window if window is None else window)

    def check_size(self, window: float) -> None:
        """Raise BundleError if a window of that many seconds takes more memory than it may."""
        try:
            values = math.prod(self.shape(window))
            limits.check_size(values, *self.params.spectrum_shape(self.rate, window))
        except ValueError as error:
            raise BundleError(f"the bundle's feature set {self.name!r}: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """Return the feature set as JSON can hold it.

        All parameters are written, defaults too: a default that changes later does not change
        the features of models that exist.
        """
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
        """Read the feature set of a bundle; BundleError if this batchemo cannot compute it."""
        what = "the bundle's feature set"
        _require_fields(what, data, _FIELDS)
        values = _checked_types(what, data, _FIELDS, BundleError)
        kind = KINDS.get(values["kind"])
        if kind is None:
            raise BundleError(
                f"{what} is of the kind {values['kind']!r}, which this batchemo does not know; it"
                f" knows: {', '.join(KINDS)}"
            )
        # Other values than the model was trained on would give wrong predictions without an error.
        if values["version"] != kind.version:
            raise BundleError(
                f"{what} {values['name']!r} is version {values['version']} of {kind.kind!r}, this"
                f" batchemo computes version {kind.version}: train the model again, or use the"
                " batchemo that made it"
            )
        _require_fields(what, values["params"], (field.name for field in fields(kind)))
        params = _replace_params(kind(), values["params"], BundleError)
        if not (values["rate"] > 0 and 0 < values["window"] < math.inf):
            raise BundleError(f"{what} needs a rate and a window above 0")
        if values["rate"] > limits.MAX_RATE or values["window"] > limits.MAX_SECONDS:
            raise BundleError(
                f"{what} needs a rate of at most {limits.MAX_RATE} Hz, and a window of at most "
                f"{limits.MAX_SECONDS:g} s"
            )
        feature_set = cls(values["name"], values["rate"], values["window"], params)
        feature_set.check_size(feature_set.window)
        return feature_set


_STATS162 = ("zcr", "chroma", "mfcc", "rms", "mel")
_FRAMES62 = (
    *("mfcc", "mfcc_delta", "mfcc_delta2", "chroma", "contrast"),
    *("zcr", "bandwidth", "pitch", "rms"),
)

FEATURE_SETS: dict[str, FeatureSet] = {
    feature_set.name: feature_set
    for feature_set in (
        FeatureSet("logmel64", 16000, 3.0, SpeechLogMel()),
        # As Whisper's encoder takes them, apart from a factor and a constant.
        FeatureSet("logmel80", 16000, 5.0, SpeechLogMel(n_mels=80, n_fft=400, fmin=0.0)),
        FeatureSet("logmel128", 22050, 3.0, FrameFeatures(descriptors=("mel_db",))),
        FeatureSet("mfcc40", 22050, 3.0, MeanFeatures(descriptors=("mfcc",), n_mfcc=40)),
        FeatureSet("stats162", 22050, 3.0, MeanFeatures(descriptors=_STATS162)),
        # 3 s from 0.5 s on: how earlier projects cut the recordings of RAVDESS, which begin with
        # about half a second of silence.
        FeatureSet(
            "frames62", 22050, 3.5, FrameFeatures(descriptors=_FRAMES62, n_mfcc=13, offset=0.5)
        ),
        FeatureSet("functionals", 16000, 3.0, Functionals()),
    )
}


def get_feature_set(name: str, **params: Any) -> FeatureSet:
    """Return the feature set of that name, with other values for some of its parameters.

    UsageError if there is none of that name, or no such parameter.

    >>> get_feature_set("mfcc40", n_mfcc=20).shape()
    (20,)
    """
    if name not in FEATURE_SETS:
        raise UsageError(f"no feature set is called {name!r}; there are: {', '.join(FEATURE_SETS)}")
    feature_set = FEATURE_SETS[name]
    return replace(feature_set, params=_replace_params(feature_set.params, params, UsageError))


def extract(feature_set: FeatureSet, samples: Float32, window: float | None = None) -> Float32:
    """Return the features of one window of mono samples at the feature set's rate.

    Always float32 and of `feature_set.shape(window)`: a shorter signal is padded as the feature
    set defines, what lies beyond the window is ignored. Equal samples give equal bytes.

    >>> import numpy as np
    >>> silence = np.zeros(16000, np.float32)
    >>> extract(get_feature_set("logmel64"), silence, window=1.0).shape
    (101, 64)
    """
    window = feature_set.window if window is None else window
    rate = feature_set.rate
    return feature_set.params.compute(samples[: round(window * rate)], rate, window)


def _replace_params(
    params: FeatureParams, changes: Mapping[str, Any], error: type[BatchemoError]
) -> FeatureParams:
    """Return the parameters with some of them changed; `error` if they cannot be."""
    what = f"a feature set of the kind {params.kind!r}"
    types = {field.name: type(getattr(params, field.name)) for field in fields(params)}
    try:
        return replace(params, **_checked_types(what, changes, types, error))
    except ValueError as reason:
        raise error(f"{what} cannot be computed so: {reason}") from None


def _checked_types(
    what: str, values: Mapping[str, Any], types: Mapping[str, type], error: type[BatchemoError]
) -> dict[str, Any]:
    """Return the values if each has its type; JSON's lists become tuples, integers floats."""
    checked = {}
    for name, value in values.items():
        if name not in types:
            raise error(f"{what} has no {name!r}; it has: {', '.join(types)}")
        if types[name] is tuple and type(value) is list:
            value = tuple(value)
        if types[name] is float and type(value) is int:
            value = float(value)
        # Not isinstance: True is an int for it.
        if type(value) is not types[name]:
            raise error(f"{what}: {name}={value!r} is not of type {types[name].__name__}")
        checked[name] = value
    return checked


def _require_fields(what: str, values: Mapping[str, Any], names: Iterable[str]) -> None:
    missing = [name for name in names if name not in values]
    if missing:
        raise BundleError(f"{what} lacks {', '.join(missing)}")
