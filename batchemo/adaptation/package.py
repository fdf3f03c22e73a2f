"""The bundle of an adapted model: the base's graph with the head, and a card that says how it was
made."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from batchemo.adaptation.outcome import Comparison, CurvePoint, Figures, expected_gain
from batchemo.bundles import Bundle, write_bundle
from batchemo.bundles.head import ADAPTED_LOGITS, Head, head_graphs
from batchemo.bundles.onnx_model import open_graph
from batchemo.bundles.schema import CARD, GRAPH, KERAS

_NOT_COPIED = (GRAPH, KERAS, CARD)
_TRAINING_SET = "training_set.csv"


@dataclass(frozen=True, slots=True)
class Origin:
    """What an adapted model was made of, for its card and its bundle.json."""

    labels: tuple[str, ...]
    answers: Mapping[str, int]
    """By label."""
    reviewers: int
    left_out: str
    """What was left out in turn, in words."""
    groups: int
    temperature: float
    class_shares: bool
    comparison: Comparison
    curve: tuple[CurvePoint, ...]


def write_adapted(
    folder: Path, base: Bundle, head: Head, origin: Origin, digests: Sequence[str]
) -> Bundle:
    """Write the bundle; `digests` are those of the labelled recordings, as far as known."""
    name = folder.name
    files = {each: base.read(each) for each in base.info["files"] if each not in _NOT_COPIED}
    files |= head_graphs(base, head)
    files[_TRAINING_SET] = _training_set(files.get(_TRAINING_SET), name, digests)
    files[CARD] = _card(name, base, origin).encode()
    outputs = dict(base.info["outputs"])
    classes = outputs.pop("classes")
    info: dict[str, Any] = {
        key: value for key, value in base.info.items() if key not in ("format", "files")
    }
    info |= {
        "name": name,
        "description": _description(base, origin),
        "outputs": {
            "classes": {"name": ADAPTED_LOGITS, "labels": list(origin.labels)},
            **outputs,
            "base": {**classes, "model": base.name, "digest": base.digest},
        },
        "calibration": {"method": "temperature", "temperature": origin.temperature},
        "training": {**base.info["training"], "adapted": _facts(base, origin)},
        # The base's were not measured of this model.
        "figures": {"left_out_answers": _figures(origin.comparison.after)},
    }
    bundle = write_bundle(folder, info, files)
    # The graph as a whole must be one that a scan runs.
    open_graph(bundle)
    return bundle


def _description(base: Bundle, origin: Origin) -> str:
    return f"{base.name}, adapted to one corpus by {sum(origin.answers.values())} answers."


def _facts(base: Bundle, origin: Origin) -> dict[str, Any]:
    comparison = origin.comparison
    return {
        "from": base.name,
        "digest": base.digest,
        "answers": dict(origin.answers),
        "reviewers": origin.reviewers,
        "left_out": origin.left_out,
        "groups": origin.groups,
        "class_shares": origin.class_shares,
        "before": _figures(comparison.before),
        "after": _figures(comparison.after),
        "curve": [[point.answers, round(point.uar, 4)] for point in origin.curve],
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "uar": round(figures.uar, 4),
        "uar_interval": figures.uar_interval and [round(end, 4) for end in figures.uar_interval],
        "accuracy": round(figures.accuracy, 4),
        "ece": round(figures.ece, 4),
    }


def _training_set(content: bytes | None, corpus: str, digests: Sequence[str]) -> bytes:
    """Return the base's training set with the labelled recordings, whose speakers nobody named."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    before = (content or b"digest,corpus,speaker\n").decode()
    text.write(before if before.endswith("\n") else before + "\n")
    writer.writerows(sorted((digest, corpus, "") for digest in digests))
    return text.getvalue().encode()


def _card(name: str, base: Bundle, origin: Origin) -> str:
    before, after = origin.comparison.before, origin.comparison.after
    raw = base.read(CARD).decode("utf-8")
    front_matter = raw[: len(raw) - len(base.card)].rstrip("\n")
    answers = ", ".join(f"{label} {count}" for label, count in origin.answers.items())
    rows = [
        f"| {label} | {count} | {_share(old)} | {_share(new)} |"
        for (label, count), old, new in zip(
            origin.answers.items(), before.recall, after.recall, strict=True
        )
    ]
    reviewers = f"{origin.reviewers} reviewer{'' if origin.reviewers == 1 else 's'}"
    points = "\n".join(f"| {point.answers} | {point.uar:.3f} |" for point in origin.curve)
    shares = (
        "Its probabilities follow how frequent the classes are in that corpus."
        if origin.class_shares
        else "It was fitted as if all classes were equally frequent."
    )
    lines = [
        *([front_matter, ""] if front_matter else []),
        f"# {name}",
        "",
        f"{_description(base, origin)} It is for recordings of that corpus, and for no other.",
        "",
        f"The answers are of {reviewers}: {answers}. {shares} Everything but the last step is that "
        f"of the model it was made from, {base.name} (digest {base.digest[:12]}), whose card "
        "follows; the figures there are not of this model.",
        "",
        "## Answers that were left out",
        "",
        f"Left out in turn: {origin.left_out} ({origin.groups}). Each answer was predicted by a "
        "head that was fitted to the others.",
        "",
        "| | before | after |",
        "| --- | --- | --- |",
        f"| UAR | {_with_interval(before)} | {_with_interval(after)} |",
        f"| accuracy | {before.accuracy:.3f} | {after.accuracy:.3f} |",
        f"| ECE | {before.ece:.3f} | {after.ece:.3f} |",
        "",
        "| label | answers | recall before | after |",
        "| --- | --- | --- | --- |",
        *rows,
        "",
        "| answers | UAR |",
        "| --- | --- |",
        points,
        "",
        f"Twice as many answers would add about {expected_gain(origin.curve):.2f}.",
        "",
        f"# {base.name}, which it was made from",
        "",
        base.card.partition("\n")[2].lstrip("\n") if base.card.startswith("# ") else base.card,
    ]
    return "\n".join(lines)


def _with_interval(figures: Figures) -> str:
    if figures.uar_interval is None:
        return f"{figures.uar:.3f}"
    low, high = figures.uar_interval
    return f"{figures.uar:.3f} ({low:.2f} to {high:.2f})"


def _share(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.2f}"
