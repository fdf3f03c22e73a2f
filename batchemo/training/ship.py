"""From a trained net to a bundle: graph, log, curves, card, and what it learnt from."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from batchemo.bundles import Bundle, write_bundle
from batchemo.training.corpora import Example
from batchemo.training.credits import citations_of, licence_of
from batchemo.training.curves import draw_curves
from batchemo.training.history import Epoch
from batchemo.training.learnt import LEARNT, learnt_bytes
from batchemo.training.protocols import Trial
from batchemo.training.report import Evaluation, figures_for_card
from batchemo.training.system_card import write_system_card
from batchemo.training.trials import Classroom, Trained

LOG, CURVES = "training.csv", "curves.png"

_TRIED = 20
"""On so many recordings the graph must answer as the net that was trained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What a bundle says beside its net."""

    out: Path
    command: str
    """The command that makes it again."""
    licence: str | None = None
    """Of the weights; None for what the corpora's licences ask for."""
    evaluations: Sequence[Evaluation] = ()
    """Figures for the card."""


def ship(room: Classroom, trial: Trial, trained: Trained, delivery: Delivery) -> Bundle:
    """Write the bundle; what was there under its name is replaced if it was a bundle."""
    from batchemo.training.export import keras_bytes, onnx_bytes

    examples = _examples(room, (*trial.learn, *trial.watch))
    info = _info(room, trial, trained, delivery, examples)
    files = {
        "README.md": write_system_card(info, figures_for_card(delivery.evaluations)).encode(),
        "model.keras": keras_bytes(trained.model),
        "model.onnx": onnx_bytes(
            trained.model, [item.windows for item in room.some(trial.watch)[:_TRIED]]
        ),
        LEARNT: learnt_bytes(examples),
        LOG: log_bytes(trained.history),
        CURVES: draw_curves(delivery.out.name, trained.history, trained.chosen),
    }
    return write_bundle(delivery.out, info, files)


def log_bytes(history: Sequence[Epoch]) -> bytes:
    """The metrics of every epoch as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(Epoch))
    for epoch in history:
        rounded = (round(v, 6) if isinstance(v, float) else v for v in asdict(epoch).values())
        writer.writerow(rounded)
    return text.getvalue().encode()


def _examples(room: Classroom, places: Sequence[int]) -> tuple[Example, ...]:
    """The recordings behind items, each once."""
    return tuple(dict.fromkeys(item.example for item in room.some(places)))


def _info(
    room: Classroom,
    trial: Trial,
    trained: Trained,
    delivery: Delivery,
    examples: Sequence[Example],
) -> dict[str, Any]:
    system = room.system
    corpora = sorted({example.corpus for example in examples})
    seconds = system.windows.seconds
    # Frames are cut or padded to one length: a longer window would only hide what is not heard.
    free = len(system.features.shape()) == 1
    return {
        "name": delivery.out.name,
        "description": system.told,
        "labels": list(room.labels),
        "recipe": system.features.to_dict(),
        "window": seconds,
        "hop": system.windows.hop,
        "window_range": [1.0, 10.0] if free else [seconds, seconds],
        "normalisation": "graph",
        "calibration": {"method": "temperature", "temperature": trained.temperature},
        "training": {
            "system": system.name,
            "corpora": {name: _heard(examples, name) for name in corpora},
            "watched": _watched(room, trial),
            "command": delivery.command,
            "seed": trial.seed,
            "net": system.net,
            "options": asdict(room.choices_of(trial)),
            "epochs": len(trained.history),
            "chosen": asdict(trained.chosen),
        },
        "figures": figures_for_card(delivery.evaluations).figures,
        "licence": delivery.licence or licence_of(corpora),
        "citations": citations_of(corpora),
    }


def _heard(examples: Sequence[Example], corpus: str) -> dict[str, int]:
    own = [example for example in examples if example.corpus == corpus]
    return {"recordings": len(own), "speakers": len({e.speaker for e in own if e.speaker})}


def _watched(room: Classroom, trial: Trial) -> Mapping[str, int]:
    """How many recordings of each speaker were only watched; "" where speakers are not known."""
    count = Counter(example.speaker for example in _examples(room, trial.watch))
    return dict(sorted(count.items()))
