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
    table_labels,
    without_defaults,
)
from batchemo.inference.settings import ModelSettings, PostprocessSettings
from batchemo.sources import SourceOptions
from batchemo.tables.columns import MEASURED, recordings_columns
from batchemo.tables.schema import EmbeddingShape


@dataclass(frozen=True, slots=True)
class ModelSet:
    """Verified models, and the settings of each.

    Models with labels have the same ones. One model at most measures dimensions; it need not have
    labels.
    """

    bundles: tuple[Bundle, ...]
    settings: tuple[ModelSettings, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in the order of the tables; none where no model has any."""
        return table_labels(self.bundles)

    @property
    def measured(self) -> tuple[str, ...]:
        """The dimensions that a model gives, in the order of their columns."""
        given = {name for bundle in self.bundles for name in bundle.dimensions}
        return tuple(name for name in MEASURED if name in given)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of several models, for their windows; empty for one."""
        return tuple(bundle.name for bundle in self.bundles) if len(self.bundles) > 1 else ()

    @property
    def with_labels(self) -> tuple[str, ...]:
        """The names of several models with labels, for their columns; empty for one."""
        names = tuple(bundle.name for bundle in self.bundles if bundle.labels)
        return names if len(names) > 1 else ()

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
        self.check_postprocess(postprocess)
        return OutputSchema(
            self.labels,
            None,
            segments,
            run_provenance(self.bundles, self.settings, sources, postprocess),
            models=self.with_labels,
            window_models=self.names,
            measured=self.measured,
            postprocess=postprocess,
            tries=tries,
            embeddings=self._embedding_output(sources) if embeddings else None,
        )

    def check_postprocess(self, postprocess: PostprocessSettings) -> None:
        """Raise a UsageError for settings that do not go with the labels."""
        named = next((bundle for bundle in self.bundles if bundle.labels), self.bundles[0])
        postprocess.check_labels(named.name, self.labels)

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


def _check_pair(first: Bundle, second: Bundle) -> None:
    if first.digest == second.digest:
        raise UsageError(f"--model {first.name}: this model is named twice; once is enough")
    if first.name == second.name:
        raise UsageError(
            f"two models are called {first.name}: {first.path} and {second.path}. Columns are "
            "named after models: give one of them another name, in its bundle.json"
        )
    if first.dimensions and second.dimensions:
        raise UsageError(
            f"{first.name} and {second.name} both measure dimensions, which a table has one column "
            "for each of. Scan with each of them alone"
        )
    if first.labels and second.labels and set(first.labels) != set(second.labels):
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
    columns = recordings_columns(model_set.labels, model_set.with_labels, model_set.measured)
    counts = Counter(name for name, _ in columns)
    duplicates = [name for name, count in counts.items() if count > 1]
    if duplicates:
        raise UsageError(
            f"with the models {', '.join(model_set.names)} two columns would be called "
            f"{duplicates[0]}: give a model another name, in its bundle.json, or scan with each of "
            "them alone"
        )
