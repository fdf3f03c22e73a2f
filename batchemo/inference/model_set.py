"""The models of a run: one, or several that hear the same recordings in one pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from batchemo.bundles import Bundle, load_bundle
from batchemo.errors import UsageError
from batchemo.inference.output_schema import OutputSchema
from batchemo.inference.provenance import (
    check_windows,
    model_id,
    run_provenance,
    without_defaults,
)
from batchemo.inference.settings import ModelSettings, PostprocessSettings
from batchemo.sources import SourceOptions
from batchemo.tables.columns import recordings_columns

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class ModelSet:
    """Models that can hear together, and each one's settings."""

    bundles: tuple[Bundle, ...]
    settings: tuple[ModelSettings, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in the order of the tables, which is the first model's."""
        return self.bundles[0].labels

    @property
    def names(self) -> tuple[str, ...]:
        """What several models are called in the tables; a single one needs no name there."""
        return tuple(bundle.name for bundle in self.bundles) if len(self.bundles) > 1 else ()

    @property
    def model(self) -> str:
        """What stands in the files table's column `model`: rows that share it are comparable."""
        return " + ".join(map(model_id, self.bundles, self.settings))

    def shape(
        self,
        postprocess: PostprocessSettings,
        sources: SourceOptions,
        manifest: pa.Table | None = None,
        *,
        segments: bool = False,
    ) -> OutputSchema:
        """Give the shape of the tables; refuse an interpretation that these labels cannot have."""
        postprocess.check_labels(self.bundles[0].name, self.labels)
        provenance = run_provenance(self.bundles, self.settings, sources, postprocess)
        return OutputSchema(
            self.labels, manifest, segments, provenance, None, self.names, postprocess
        )


def load_model_set(settings: Sequence[ModelSettings]) -> ModelSet:
    """Load and verify all models, and refuse those that cannot hear together."""
    if not settings:
        raise UsageError("no model is named: name one, or leave --model out for the default one")
    bundles = tuple(load_bundle(each.model) for each in settings)
    for bundle, each in zip(bundles, settings, strict=True):
        check_windows(bundle, each)
    for one, other in combinations(bundles, 2):
        _check_pair(one, other)
    model_set = ModelSet(bundles, tuple(map(without_defaults, bundles, settings)))
    _check_columns(model_set)
    return model_set


def _check_pair(one: Bundle, other: Bundle) -> None:
    if one.digest == other.digest:
        raise UsageError(f"--model {one.name}: this model is named twice; once is enough")
    if one.name == other.name:
        raise UsageError(
            f"two models are called {one.name}: {one.path} and {other.path}. Columns are named "
            "after models: give one of them another name, in its bundle.json"
        )
    if set(one.labels) != set(other.labels):
        differ = filter(None, (_beyond(one, other), _beyond(other, one)))
        raise UsageError(
            f"models that hear together need the same labels, and {', '.join(differ)}. Scan with "
            "each of them alone"
        )


def _beyond(one: Bundle, other: Bundle) -> str:
    more = [label for label in one.labels if label not in other.labels]
    return f"{one.name} has {', '.join(more)} where {other.name} has not" if more else ""


def _check_columns(model_set: ModelSet) -> None:
    """Refuse names that would give two columns one name, as model b and the labels a and a_b do."""
    counts = Counter(name for name, _ in recordings_columns(model_set.labels, model_set.names))
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise UsageError(
            f"with the models {', '.join(model_set.names)} two columns would be called {twice[0]}: "
            "give a model another name, in its bundle.json, or scan with each of them alone"
        )
