"""An adapted bundle with a head of random weights, on a tiny bundle that has an embedding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from batchemo.bundles import Bundle, write_bundle
from batchemo.bundles.head import ADAPTED_LOGITS, Head, head_graphs
from batchemo.bundles.schema import CARD


def random_head(base: Bundle, labels: int, seed: int = 0) -> Head:
    """Return a head that changes what the base says."""
    random = np.random.default_rng(seed)
    size = base.outputs["embedding"]["size"]
    return Head(
        random.normal(size=(len(base.labels), labels)),
        random.normal(size=(size, labels)),
        random.normal(size=labels),
    )


def adapted_bundle(
    base: Bundle,
    folder: Path,
    labels: Sequence[str] = (),
    *,
    seed: int = 0,
    temperature: float = 1.25,
) -> Bundle:
    """Write a bundle with such a head; `labels` are the base's by default."""
    labels = list(labels or base.labels)
    classes = base.outputs["classes"]
    info = {key: value for key, value in base.info.items() if key not in ("format", "files")}
    info["name"] = folder.name
    info["outputs"] = {
        **base.info["outputs"],
        "classes": {"name": ADAPTED_LOGITS, "labels": labels},
        "base": {**classes, "model": base.name, "digest": base.digest},
    }
    info["calibration"] = {"method": "temperature", "temperature": temperature}
    graphs = head_graphs(base, random_head(base, len(labels), seed))
    return write_bundle(folder, info, {**graphs, CARD: b"# adapted\n"})
