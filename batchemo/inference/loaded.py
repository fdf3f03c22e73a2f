"""The models of a run, loaded in a worker, and the windows and features that they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from batchemo.audio import WindowConfig
from batchemo.inference.settings import ModelSettings
from batchemo.tables.columns import MEASURED

if TYPE_CHECKING:
    from batchemo.bundles import Bundle, Classifier, ModelInput


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that is ready to run, with its input and windows as the settings ask for."""

    bundle: Bundle
    input: ModelInput
    classifier: Classifier
    window_config: WindowConfig
    batch_size: int

    def label_indices(self, labels: Sequence[str]) -> list[int]:
        """Return the index of each of these labels in the model's own order, if it has labels."""
        own = self.bundle.labels
        return [own.index(label) for label in labels] if own else []

    def measured_indices(self) -> list[int]:
        """Return the index of each dimension, in the order of columns, in the model's own order."""
        dimensions = self.bundle.dimensions
        return [dimensions.index(name) for name in MEASURED if name in dimensions]


def load_model(settings: ModelSettings) -> LoadedModel:
    """Load the model that the settings name, to run in this process."""
    from batchemo.bundles import load_bundle, open_classifier
    from batchemo.bundles.device import local_provider

    bundle = load_bundle(settings.model)
    classifier = open_classifier(
        bundle,
        backend=settings.backend,
        batch_size=settings.batch_size,
        provider=local_provider(settings.device),
    )
    return _loaded(settings, bundle, classifier)


def _load_remote(settings: ModelSettings, number: int, folder: str) -> LoadedModel:
    """Load all of a model but its graph, which the GPU processes of that folder run."""
    from batchemo.bundles import load_bundle
    from batchemo.bundles.classifier import classifier_of, output_sizes
    from batchemo.inference.gpu_process import RemoteGraph

    bundle = load_bundle(settings.model)
    graph = RemoteGraph(folder, number, output_sizes(bundle))
    return _loaded(settings, bundle, classifier_of(bundle, graph, settings.batch_size))


def _loaded(settings: ModelSettings, bundle: Bundle, classifier: Classifier) -> LoadedModel:
    window = settings.window or bundle.window
    # A window that is shorter than the model's hop would leave gaps between windows.
    hop = settings.hop or min(bundle.hop, window)
    return LoadedModel(
        bundle=bundle,
        input=bundle.input,
        classifier=classifier,
        window_config=WindowConfig(
            rate=bundle.rate, window=window, hop=hop, channel=settings.channel_of_all
        ),
        batch_size=settings.batch_size,
    )


# A worker process lasts for one run, which has one tuple of settings; one more is kept so that
# code in one process may compare two runs without loading models at every chunk.
@lru_cache(maxsize=2)
def cached_models(
    settings: tuple[ModelSettings, ...], gpu_folder: str | None = None
) -> tuple[LoadedModel, ...]:
    """Load the models of a run, or return those that were loaded for the chunk before.

    With a `gpu_folder`, the GPU processes that are found there run them.
    """
    if gpu_folder is None:
        return tuple(map(load_model, settings))
    return tuple(_load_remote(each, number, gpu_folder) for number, each in enumerate(settings))


@dataclass(frozen=True, slots=True)
class SharedWindows:
    """Windows that several models share, and the inputs that are computed of them."""

    window_config: WindowConfig
    models_by_input: dict[ModelInput, list[int]]
    """The indices of the models that take an input."""


def shared_windows(models: Sequence[LoadedModel]) -> list[SharedWindows]:
    """Group models by their windows and inputs, so that each is computed once."""
    groups: dict[WindowConfig, SharedWindows] = {}
    for index, model in enumerate(models):
        config = model.window_config
        group = groups.setdefault(config, SharedWindows(config, {}))
        group.models_by_input.setdefault(model.input, []).append(index)
    return list(groups.values())
