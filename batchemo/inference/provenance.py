"""How a run names its model and tells, in the table itself, what it was made with."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from batchemo import __version__
from batchemo.bundles import Bundle
from batchemo.common.text import to_text
from batchemo.errors import UsageError
from batchemo.inference.settings import ModelSettings, PostprocessSettings
from batchemo.sources import SourceOptions

DIGEST_SHOWN = 12
SHORTEST_HOP = 0.02


def model_id(bundle: Bundle, settings: ModelSettings) -> str:
    """Name the model, the start of its digest and the settings that are not its defaults.

    Rows of the same name are computed in the same way: this is what `--update` goes by.
    """
    words = [f"{bundle.name}@{bundle.digest[:DIGEST_SHOWN]}"]
    words += [f"{name}={value}" for name, value in settings.differences().items()]
    return " ".join(words)


def without_defaults(bundle: Bundle, settings: ModelSettings) -> ModelSettings:
    """Leave out what is the model's own default: who says it asks for nothing else."""
    window = None if settings.window == bundle.window else settings.window
    hop = None if settings.hop == bundle.hop and window is None else settings.hop
    return replace(settings, window=window, hop=hop)


def check_windows(bundle: Bundle, settings: ModelSettings) -> None:
    """Refuse windows that the model cannot take."""
    shortest, longest = bundle.window_range
    window, hop = settings.window or bundle.window, settings.hop or bundle.hop
    if not shortest <= window <= longest:
        raise UsageError(
            f"--window {window:g}: the model {bundle.name} takes windows of {shortest:g} to "
            f"{longest:g} s"
        )
    if settings.hop is not None and not SHORTEST_HOP <= hop <= window:
        raise UsageError(
            f"--hop {hop:g}: a hop takes from {SHORTEST_HOP:g} s to the length of a window, "
            f"{window:g} s"
        )


def run_provenance(
    bundles: Sequence[Bundle],
    settings: Sequence[ModelSettings],
    sources: SourceOptions,
    postprocess: PostprocessSettings,
) -> dict[str, Any]:
    """Tell what can change the rows, and nothing else: no time, no number of workers.

    Of models that heard together, the labels are in the order of the table.
    """
    run = _account_of_run(settings[0], sources, postprocess)
    if len(bundles) == 1:
        return {**run, **_account_of_model(bundles[0], settings[0])}
    return {
        **run,
        "labels": list(bundles[0].labels),
        "models": list(map(_account_of_model, bundles, settings)),
    }


def _account_of_model(bundle: Bundle, settings: ModelSettings) -> dict[str, Any]:
    return {
        "model": bundle.name,
        "digest": bundle.digest,
        "labels": list(bundle.labels),
        "features": dict(bundle.recipe),
        "window": settings.window or bundle.window,
        "hop": settings.hop or bundle.hop,
    }


def _account_of_run(
    settings: ModelSettings, sources: SourceOptions, postprocess: PostprocessSettings
) -> dict[str, Any]:
    return {
        "batchemo": __version__,
        "options": {
            "channel": settings.channel,
            "backend": settings.backend,
            "batch_size": settings.batch_size,
            **postprocess.differences(),
        },
        "sources": source_provenance(sources),
    }


def source_provenance(sources: SourceOptions) -> dict[str, Any]:
    """Tell where the recordings came from."""
    return {
        "paths": [to_text(os.path.normpath(path)) for path in sources.paths],
        "files_from": sources.files_from and to_text(sources.files_from),
        "manifest": sources.manifest and to_text(sources.manifest),
        "include": list(map(to_text, sources.include)),
        "exclude": list(map(to_text, sources.exclude)),
        "extensions": list(sources.extensions),
    }
