"""How a run names its models, and what its tables record of how they were made.

Only what can change a row is recorded: no time of day, no number of workers. Two runs on the same
recordings with the same provenance give the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from batchemo import __version__
from batchemo.bundles import Bundle
from batchemo.common.text import to_text
from batchemo.errors import UsageError
from batchemo.inference.settings import ModelSettings, PostprocessSettings
from batchemo.sources import SourceOptions
from batchemo.sources.plan_file import open_plan
from batchemo.storage.url import is_url, without_access

DIGEST_LENGTH = 12
"""Hexadecimal digits of the digest in the column `model`: no two models of a user share 48 bits."""

MIN_HOP = 0.02
"""Seconds: the shortest that `batchemo.audio` cuts windows at."""


def table_labels(bundles: Iterable[Bundle]) -> tuple[str, ...]:
    """Return the labels in the order of the tables: that of the first model that has any."""
    return next((bundle.labels for bundle in bundles if bundle.labels), ())


def model_id(bundle: Bundle, settings: ModelSettings) -> str:
    """Return the model's name, the start of its digest and the settings that are not its defaults.

    Rows with the same identifier are computed in the same way: `--update` keeps those and computes
    the others again.
    """
    words = [short_id(bundle.name, bundle.digest)]
    words += [f"{name}={value}" for name, value in settings.differences().items()]
    return " ".join(words)


def short_id(name: str, digest: str) -> str:
    """Return a model's name and the start of its digest.

    >>> short_id("mine", "0123456789abcdef")
    'mine@0123456789ab'
    """
    return f"{name}@{digest[:DIGEST_LENGTH]}"


def without_defaults(bundle: Bundle, settings: ModelSettings) -> ModelSettings:
    """Return the settings with None for a window or hop that is the model's own.

    So that naming the default on the command line gives the same `model_id` as leaving it out.
    """
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
    if settings.hop is not None and not MIN_HOP <= hop <= window:
        raise UsageError(
            f"--hop {hop:g}: a hop takes from {MIN_HOP:g} s to the length of a window, {window:g} s"
        )


def run_provenance(
    bundles: Sequence[Bundle],
    settings: Sequence[ModelSettings],
    sources: SourceOptions,
    postprocess: PostprocessSettings,
) -> dict[str, Any]:
    """Return all that can change the rows of a run.

    With several models, `labels` of the run is the order of the table, and each model has its own.
    """
    run = {
        "batchemo": __version__,
        "options": {**_run_options(settings[0]), **postprocess.differences()},
        "sources": source_provenance(sources),
        **_shard_provenance(sources),
    }
    models = [_model_provenance(*model) for model in zip(bundles, settings, strict=True)]
    if len(models) == 1:
        return {**run, **models[0]}
    return {**run, "labels": list(table_labels(bundles)), "models": models}


def embedding_provenance(
    bundle: Bundle, settings: ModelSettings, sources: SourceOptions
) -> dict[str, Any]:
    """Return all that can change the embeddings of a run: the same for a model and its base."""
    name, digest, labels = bundle.base
    return {
        "batchemo": __version__,
        "options": _run_options(settings),
        "sources": source_provenance(sources),
        **_shard_provenance(sources),
        **{
            fact: value
            for fact, value in _model_provenance(bundle, settings).items()
            if fact != "base"
        },
        "model": name,
        "digest": digest,
        "labels": list(labels),
    }


def _run_options(settings: ModelSettings) -> dict[str, Any]:
    """Return the settings that are the same for all models of a run."""
    turns = {} if settings.turns is None else {"turns": settings.turns}
    return turns | {
        "channel": settings.channel,
        "backend": settings.backend,
        "batch_size": settings.batch_size,
        "device": settings.device,
    }


def source_provenance(sources: SourceOptions) -> dict[str, Any]:
    """Return where the recordings came from; of a plan, what it was made from.

    So the tables of all shards, merged, are those of one scan.
    """
    turns = {} if sources.turns is None else {"turns": to_text(sources.turns)}
    if sources.plan is not None:
        return open_plan(sources.plan).sources | turns
    return turns | {
        # `./recordings/` and `recordings` are the same sources, and give the same bytes.
        "paths": [to_text(_normal(path)) for path in sources.paths],
        "files_from": sources.files_from and to_text(sources.files_from),
        "manifest": sources.manifest and to_text(sources.manifest),
        "include": list(map(to_text, sources.include)),
        "exclude": list(map(to_text, sources.exclude)),
        "extensions": list(sources.extensions),
    }


def _normal(path: str) -> str:
    return without_access(path).rstrip("/") if is_url(path) else os.path.normpath(path)


def _shard_provenance(sources: SourceOptions) -> dict[str, Any]:
    if sources.plan is None or sources.shard is None:
        return {}
    plan, shard = open_plan(sources.plan), sources.shard
    return {"shard": {"plan": plan.digest, "number": shard.number, "count": shard.count}}


def _model_provenance(bundle: Bundle, settings: ModelSettings) -> dict[str, Any]:
    return {
        "model": bundle.name,
        "digest": bundle.digest,
        "labels": list(bundle.labels),
        **({"dimensions": list(bundle.dimensions)} if bundle.dimensions else {}),
        **_input_provenance(bundle),
        "window": settings.window or bundle.window,
        "hop": settings.hop or bundle.hop,
        **_base_provenance(bundle),
    }


def _base_provenance(bundle: Bundle) -> dict[str, Any]:
    """Return what an adapted model was made from."""
    name, digest, _ = bundle.base
    return {} if digest == bundle.digest else {"base": {"model": name, "digest": digest}}


def _input_provenance(bundle: Bundle) -> dict[str, Any]:
    """Return the feature set, or how the samples are given to a model that takes a waveform."""
    if bundle.features is not None:
        return {"features": dict(bundle.features)}
    return {"waveform": {n: bundle.info["input"][n] for n in ("rate", "normalisation", "padding")}}
