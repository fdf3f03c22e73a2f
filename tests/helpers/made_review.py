"""Made tables and embeddings to review: clusters of points, with labels that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from batchemo.common.arrays import Float32
from batchemo.review.candidates import Candidates
from batchemo.tables.columns import model_probability_columns, probability_columns
from batchemo.tables.labels import key_of

LABELS = ("angry", "happy", "sad")
ROOT = "/data"


def made_probabilities(rows: int, labels: int = len(LABELS), seed: int = 0) -> Float32:
    """Return rows of probabilities, from uncertain to certain ones."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(rows, labels)) * rng.uniform(0.1, 4, (rows, 1))
    powers = np.exp(logits)
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def made_candidates(rows: int = 60, models: int = 0, seed: int = 0) -> Candidates:
    """Return candidates in one folder, of several models where asked for."""
    keys = [key_of(ROOT, f"{row:04d}.wav") for row in range(rows)]
    of_models = {f"m{i}": made_probabilities(rows, seed=seed + i) for i in range(models)}
    probabilities = made_probabilities(rows, seed=seed)
    if of_models:
        probabilities = np.mean(list(of_models.values()), axis=0).astype(np.float32)
    return Candidates(keys, LABELS, probabilities, models=of_models)


def write_results(path: Path, candidates: Candidates) -> Path:
    """Write candidates as the columns of a scan's table that a review reads."""
    labels = [candidates.prediction(row) for row in range(len(candidates.keys))]
    columns: dict[str, object] = {
        "root": [key.root for key in candidates.keys],
        "file": [key.file for key in candidates.keys],
    }
    if candidates.has_windows:
        columns["start"] = [key.start for key in candidates.keys]
        columns["end"] = [key.end for key in candidates.keys]
    columns |= {
        "status": ["ok"] * len(labels),
        "emotion": labels,
        "confidence": candidates.confidence,
        "margin": candidates.confidence,
    }
    names = probability_columns(candidates.labels)
    columns |= dict(zip(names, candidates.probabilities.T, strict=True))
    if candidates.models:
        columns["agreement"] = np.ones(len(labels), np.float32)
    for model, probabilities in candidates.models.items():
        names = [f"{name}_{model}" for name in ("emotion", "confidence", "margin")]
        columns |= dict(zip(names, (labels, *[candidates.confidence] * 2), strict=True))
        names = model_probability_columns(candidates.labels, model)
        columns |= dict(zip(names, probabilities.T, strict=True))
    pq.write_table(pa.table(columns), path)
    return path


def write_embeddings(path: Path, candidates: Candidates, points: Float32) -> Path:
    """Write an embeddings table with a row for each recording of the candidates."""
    files: dict[tuple[str, str], list[dict[str, object]]] = {}
    for key, point in zip(candidates.keys, points, strict=True):
        window = {"start": key.start or 0.0, "end": key.end or 3.0, "embedding": point.tolist()}
        files.setdefault((key.root, key.file), []).append(window)
    vector = pa.list_(pa.float32(), points.shape[1])
    window = [("start", pa.float64()), ("end", pa.float64()), ("embedding", vector)]
    means = [np.mean([w["embedding"] for w in windows], axis=0) for windows in files.values()]
    columns = {
        "root": [root for root, _ in files],
        "file": [file for _, file in files],
        "embedding": pa.array([mean.tolist() for mean in means], vector),
        "by_window": pa.array(list(files.values()), pa.list_(pa.struct(window))),
    }
    pq.write_table(pa.table(columns), path)
    return path
