"""The models of a run: one, or several that analyse the same recordings in one pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from batchemo.bundles import Bundle, load_bundle
from batchemo.bundles.bundle import models_folder
from batchemo.bundles.schema import output_size
from batchemo.errors import UsageError
from batchemo.inference.output_schema import EmbeddingOutput, OutputSchema
from batchemo.inference.provenance import (
    check_windows,
    embedding_provenance,
    model_id,
    run_provenance,
    without_defaults,
)
from batchemo.inference.settings import ModelSettings, PostprocessSettings
from batchemo.sources import SourceOptions
from batchemo.tables.columns import MEASURED, recordings_columns
from batchemo.tables.schema import EmbeddingShape


@dataclass(frozen=True, slots=True)
class ModelSet:
    """Verified models with the same labels, and the settings of each.

    A model that gives dimensions is the only one.
    """

    bundles: tuple[Bundle, ...]
    settings: tuple[ModelSettings, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in the order of the tables, which is the first model's."""
        return self.bundles[0].labels

    @property
    def measured(self) -> tuple[str, ...]:
        """The dimensions that the model gives, in the order of their columns."""
        return tuple(name for name in MEASURED if name in self.bundles[0].dimensions)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of several models, for their columns; empty for one, which has none."""
        return tuple(bundle.name for bundle in self.bundles) if len(self.bundles) > 1 else ()

    @property
    def model(self) -> str:
        """The value of the column `model`: rows that share it can be compared."""
        return " + ".join(map(model_id, self.bundles, self.settings))

    @property
    def weight_bytes(self) -> int:
        """The size of the weights of all models."""
        return sum(bundle.weight_bytes for bundle in self.bundles)

    def output_schema(
        self,
        postprocess: PostprocessSettings,
        sources: SourceOptions,
        *,
        segments: bool = False,
        tries: bool = False,
        embeddings: bool = False,
    ) -> OutputSchema:
        """Return the columns of the tables, but for those of a manifest.

        Refuses settings that do not go with these labels.
        """
        postprocess.check_labels(self.bundles[0].name, self.labels)
        return OutputSchema(
            self.labels,
            None,
            segments,
            run_provenance(self.bundles, self.settings, sources, postprocess),
            models=self.names,
            measured=self.measured,
            postprocess=postprocess,
            tries=tries,
            embeddings=self._embedding_output(sources) if embeddings else None,
        )

    def _embedding_output(self, sources: SourceOptions) -> EmbeddingOutput:
        if len(self.bundles) > 1:
            raise UsageError(
                "--embeddings writes those of one model, and several are named: scan with each of "
                "them alone"
            )
        bundle = self.bundles[0]
        if "embedding" not in bundle.outputs:
            raise UsageError(
                f"--embeddings: the model {bundle.name} gives none. `batchemo models` lists those "
                "that do"
            )
        shape = EmbeddingShape(output_size(bundle.outputs["embedding"]), logits=len(bundle.base[2]))
        provenance = embedding_provenance(bundle, self.settings[0], sources)
        output = EmbeddingOutput(self.model, shape, provenance, self.settings[0].batch_size)
        name, digest, _ = bundle.base
        # The head runs on the processor: after a base on a GPU, it would give other last bits than
        # the whole model there.
        if digest == bundle.digest or self.settings[0].device != "cpu":
            return output
        return replace(output, adapted=bundle, base_models=(output.model_like(name, digest),))


def load_model_set(settings: Sequence[ModelSettings]) -> ModelSet:
    """Load and verify all models, and refuse those that cannot share a table."""
    if not settings:
        raise UsageError("no model is named: name one, or leave --model out for the default one")
    bundles = tuple(load_bundle(each.model) for each in settings)
    for bundle, each in zip(bundles, settings, strict=True):
        check_windows(bundle, each)
    if len(bundles) > 1:
        for bundle in bundles:
            _check_can_share(bundle)
    for first, second in combinations(bundles, 2):
        _check_pair(first, second)
    # From here on a setting that is the model's default is None, as in rows of earlier runs. A
    # shipped model keeps its name, since workers elsewhere may have it in another folder.
    named = (
        each
        if bundle.path.parent == models_folder()
        else replace(each, model=str(bundle.path.absolute()))
        for bundle, each in zip(bundles, settings, strict=True)
    )
    model_set = ModelSet(bundles, tuple(map(without_defaults, bundles, named)))
    _check_columns(model_set)
    return model_set


def _check_can_share(bundle: Bundle) -> None:
    if bundle.dimensions:
        raise UsageError(
            f"--model {bundle.name}: this model gives {', '.join(bundle.dimensions)}, which the "
            "table of several models has no columns for: scan with it alone"
        )


def _check_pair(first: Bundle, second: Bundle) -> None:
    if first.digest == second.digest:
        raise UsageError(f"--model {first.name}: this model is named twice; once is enough")
    if first.name == second.name:
        raise UsageError(
            f"two models are called {first.name}: {first.path} and {second.path}. Columns are "
            "named after models: give one of them another name, in its bundle.json"
        )
    if set(first.labels) != set(second.labels):
        differences = filter(None, (_additional(first, second), _additional(second, first)))
        raise UsageError(
            f"models in one scan need the same labels, and {', '.join(differences)}. Scan with "
            "each of them alone"
        )


def _additional(first: Bundle, second: Bundle) -> str:
    labels = [label for label in first.labels if label not in second.labels]
    return f"{first.name} has {', '.join(labels)} where {second.name} has not" if labels else ""


def _check_columns(model_set: ModelSet) -> None:
    """Refuse names that would give two columns one name.

    A model `b` with the label `a` and a model with the label `a_b` both have a column `p_a_b`.
    """
    counts = Counter(name for name, _ in recordings_columns(model_set.labels, model_set.names))
    duplicates = [name for name, count in counts.items() if count > 1]
    if duplicates:
        raise UsageError(
            f"with the models {', '.join(model_set.names)} two columns would be called "
            f"{duplicates[0]}: give a model another name, in its bundle.json, or scan with each of "
            "them alone"
        )
