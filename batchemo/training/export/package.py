"""From a trained net to a bundle: graph, log, curves, card, and what it was trained on."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from batchemo.bundles import Bundle, write_bundle
from batchemo.bundles.schema import CARD
from batchemo.common.text import for_display
from batchemo.corpora import Example
from batchemo.evaluation import Evaluation, figures_for_card, plots_for_card
from batchemo.training.data.augment_audio import ORIGINAL
from batchemo.training.data.protocols import Split
from batchemo.training.data.training_set import TRAINING_SET, training_set_bytes
from batchemo.training.experiment.calibration import AS_IT_IS, TEMPERATURE
from batchemo.training.experiment.context import RunContext, TrainedModel
from batchemo.training.export.licences import citations_for, weights_licence
from batchemo.training.export.model_card import write_system_card
from batchemo.training.fit.history import Epoch
from batchemo.training.fit.trainer import FitResult
from batchemo.training.nets.logistic import CHOICES
from batchemo.training.recipes import REGRESSION


def draw_curves(name: str, taught: Sequence[FitResult]) -> bytes:
    """Loss and accuracy on what was learnt and on what was only watched, as PNG."""
    import matplotlib.style
    from matplotlib.figure import Figure

    picture = io.BytesIO()
    # Not the reader's own style: it might change the bytes, or run text through TeX.
    with matplotlib.style.context("default"):
        figure = Figure(figsize=(9.0, 3.8), dpi=120, layout="constrained")
        for axes, kind in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
            for number, one in enumerate(taught):
                net = f" (net {number + 1})" if len(taught) > 1 else ""
                _draw(axes, kind, one, net)
            axes.set(xlabel="epoch", ylabel=kind, ylim=(0, 1.02 if kind == "accuracy" else None))
            axes.legend()
        figure.suptitle(f"{for_display(name)}: training", fontsize=10, parse_math=False)
        figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()


def _draw(axes: Any, kind: str, taught: FitResult, net: str) -> None:
    numbers = [epoch.number + 1 for epoch in taught.history]
    axes.plot(numbers, [getattr(epoch, kind) for epoch in taught.history], label=f"learnt{net}")
    watched = [getattr(epoch, f"validation_{kind}") for epoch in taught.history]
    if None not in watched:
        axes.plot(numbers, watched, label=f"only watched{net}")
        chosen = taught.chosen.number + 1
        axes.axvline(chosen, color="grey", linestyle=":", label=f"chosen epoch{net}")


LOG, CURVES = "training.csv", "curves.png"

_TRIED = 20
"""On so many recordings the graph must answer as the net that was trained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageOptions:
    """What a bundle says beside its net."""

    out: Path
    command: str
    """The command that makes it again."""
    licence: str | None = None
    """Of the weights; None for what the corpora's licences ask for."""
    evaluations: Sequence[Evaluation] = ()
    """Figures for the card."""
    beside: Sequence[Evaluation] = ()
    """Figures of others, to compare with."""


def write_package(
    context: RunContext, split: Split, trained: TrainedModel, delivery: PackageOptions
) -> Bundle:
    """Write the bundle; what was there under its name is replaced if it was a bundle."""
    from batchemo.training.export.onnx import keras_bytes, onnx_bytes

    examples = _examples(context, (*split.learn, *split.watch))
    originals = [p for p in (*split.watch, *split.learn) if context.items[p].copy == ORIGINAL]
    tried = context.heard(originals[:_TRIED])
    info = _info(context, split, trained, delivery, examples)
    figures = figures_for_card(delivery.evaluations, delivery.beside)
    files = {
        "README.md": write_system_card(info, figures).encode(),
        "model.keras": keras_bytes(trained.model),
        "model.onnx": onnx_bytes(trained.model, tried),
        TRAINING_SET: training_set_bytes(examples),
        **plots_for_card(delivery.evaluations),
    }
    if trained.taught:
        files[LOG] = log_bytes(trained.taught)
        files[CURVES] = draw_curves(delivery.out.name, trained.taught)
    return write_bundle(delivery.out, info, files)


def log_bytes(taught: Sequence[FitResult]) -> bytes:
    """The metrics of every epoch as CSV; with several nets, of one after the other."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in fields(Epoch)]
    writer.writerow(["net", *names] if len(taught) > 1 else names)
    for net, one in enumerate(taught):
        for epoch in one.history:
            row = [round(v, 6) if isinstance(v, float) else v for v in asdict(epoch).values()]
            writer.writerow([net, *row] if len(taught) > 1 else row)
    return text.getvalue().encode()


def _examples(context: RunContext, places: Sequence[int]) -> tuple[Example, ...]:
    """The recordings behind items, each once."""
    return tuple(dict.fromkeys(item.example for item in context.some(places)))


def _info(
    context: RunContext,
    split: Split,
    trained: TrainedModel,
    delivery: PackageOptions,
    examples: Sequence[Example],
) -> dict[str, Any]:
    system = context.system
    corpora = sorted({example.corpus for example in examples})
    seconds = system.windows.seconds
    # Frames that are cut or padded to one length: a longer window would hide what is not heard.
    free = len(system.heard.shape()) == 1 or system.floor is not None
    return {
        "name": delivery.out.name,
        "description": system.told,
        "labels": list(context.labels),
        "recipe": system.heard.to_dict(),
        "window": seconds,
        "hop": system.windows.hop,
        "window_range": [1.0, 10.0] if free else [seconds, seconds],
        "normalisation": "graph",
        "calibration": {"method": "temperature", "temperature": _temperature(trained, delivery)},
        "training": {
            "system": system.name,
            "corpora": {name: _heard(examples, name) for name in corpora},
            "watched": _watched(context, split),
            "command": delivery.command,
            "seed": split.seed,
            "net": system.net,
            "nets": system.nets,
            "beside": system.beside or None,
            "options": _options(context, split),
            "epochs": max((len(one.history) for one in trained.taught), default=0),
            "chosen": asdict(trained.taught[0].chosen) if trained.taught else None,
        },
        "figures": figures_for_card(delivery.evaluations).figures,
        "licence": delivery.licence or weights_licence(corpora),
        "citations": citations_for(corpora),
    }


def _options(context: RunContext, split: Split) -> dict[str, Any]:
    """The choices that had a say."""
    options = asdict(context.choices_of(split))
    if context.system.net != REGRESSION:
        return options
    return {name: value for name, value in options.items() if name in CHOICES}


def _temperature(trained: TrainedModel, delivery: PackageOptions) -> float:
    """What the watched recordings told, or else the folds of an evaluation by speaker."""
    if trained.temperature is not None:
        return trained.temperature
    for evaluation in delivery.evaluations:
        info = evaluation.info
        told = info.options.get(TEMPERATURE)
        if info.kind == "recipe" and info.protocol == "speaker" and isinstance(told, float):
            return told
    return AS_IT_IS


def _heard(examples: Sequence[Example], corpus: str) -> dict[str, int]:
    own = [example for example in examples if example.corpus == corpus]
    return {"recordings": len(own), "speakers": len({e.speaker for e in own if e.speaker})}


def _watched(context: RunContext, split: Split) -> Mapping[str, int]:
    """How many recordings of each speaker were only watched; "" where speakers are not known."""
    count = Counter(example.speaker for example in _examples(context, split.watch))
    return dict(sorted(count.items()))


def replace_figures(
    bundle: Bundle, evaluations: Sequence[Evaluation], beside: Sequence[Evaluation] = ()
) -> Bundle:
    """The bundle in its place, with these figures instead of what it told before."""
    figures = figures_for_card(evaluations, beside)
    info = {key: value for key, value in bundle.info.items() if key not in ("format", "files")}
    info["figures"] = figures.figures
    files = {name: bundle.read(name) for name in bundle.info["files"]}
    card = {CARD: write_system_card(info, figures).encode()}
    return write_bundle(bundle.path, info, {**files, **plots_for_card(evaluations), **card})
