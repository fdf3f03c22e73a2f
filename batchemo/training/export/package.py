"""From a trained model to a bundle: graph, log, curves, card, and what it was trained on."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from batchemo.bundles import Bundle, Calibration, write_bundle
from batchemo.bundles.schema import CARD, GRAPH, KERAS
from batchemo.common.text import for_display
from batchemo.corpora import Example
from batchemo.evaluation import Evaluation, figures_for_card, plots_for_card
from batchemo.training.data.protocols import Sample, Split
from batchemo.training.data.training_set import TRAINING_SET, training_set_bytes
from batchemo.training.experiment.calibration import TEMPERATURE, UNCALIBRATED
from batchemo.training.experiment.context import RunContext
from batchemo.training.experiment.runs import TrainedModel
from batchemo.training.export.encoder_terms import ENCODER_CITATION, ENCODER_LICENCES
from batchemo.training.export.licences import (
    citations_for,
    training_data_licences,
    weights_licence,
)
from batchemo.training.export.model_card import write_model_card
from batchemo.training.fit.history import Epoch
from batchemo.training.fit.trainer import FitResult
from batchemo.training.nets.encoder import MAX_SECONDS
from batchemo.training.nets.logistic import LOGISTIC_HYPERPARAMETERS
from batchemo.training.recipes import LOGISTIC, Recipe

LOG, CURVES = "training.csv", "curves.png"

_COMPARED_RECORDINGS = 20
"""On so many recordings the graph must give the logits of the model that was trained."""

_FREE_WINDOW_RANGE = (1.0, 10.0)
"""Seconds of a window, where the input may be of any length: shorter ones have too little speech to
judge, longer ones than were ever trained on."""

_PADDING_STEP = 50
"""Frames, half a second: finer steps save less time than batches lose that are not full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageOptions:
    """What a bundle holds besides its model."""

    out: Path
    command: str
    """The command that trains the model again."""
    calibration: Calibration | None = None
    """None for the temperature of the validation recordings, or of an evaluation by speaker."""
    licence: str | None = None
    """Of the weights; None for the one that the corpora's licences ask for."""
    evaluations: Sequence[Evaluation] = ()
    """Figures for the card."""
    comparisons: Sequence[Evaluation] = ()
    """Figures of other subjects, to compare with."""


def write_package(
    context: RunContext, split: Split, trained: TrainedModel, options: PackageOptions
) -> Bundle:
    """Write the bundle; what was there under its name is replaced if it was a bundle."""
    # Imported here: the cards of finished bundles can be written without the ONNX converter.
    from batchemo.training.export.onnx import keras_bytes, onnx_bytes

    examples = _examples(split.train, split.validation)
    info = _bundle_info(context, split, trained, options, examples)
    figures = figures_for_card(options.evaluations, options.comparisons)
    compared = _examples(split.validation, split.train)[:_COMPARED_RECORDINGS]
    files = {
        CARD: write_model_card(info, figures).encode(),
        GRAPH: onnx_bytes(
            trained.model,
            context.inputs([Sample(example) for example in compared]),
            encoder=context.encoder,
        ),
        TRAINING_SET: training_set_bytes(examples),
        **plots_for_card(options.evaluations),
    }
    if not context.recipe.encoder:
        # An encoder is part of the graph alone.
        files[KERAS] = keras_bytes(trained.model)
    if trained.fits:
        files[LOG] = log_bytes(trained.fits)
        files[CURVES] = draw_curves(options.out.name, trained.fits)
    return write_bundle(options.out, info, files)


def replace_figures(
    bundle: Bundle, evaluations: Sequence[Evaluation], comparisons: Sequence[Evaluation] = ()
) -> Bundle:
    """Write the bundle in its place, with these figures instead of those it has."""
    figures = figures_for_card(evaluations, comparisons)
    info = {key: value for key, value in bundle.info.items() if key not in ("format", "files")}
    info["figures"] = figures.figures
    files = {name: bundle.read(name) for name in bundle.info["files"]}
    card = {CARD: write_model_card(info, figures).encode()}
    return write_bundle(bundle.path, info, {**files, **plots_for_card(evaluations), **card})


def log_bytes(fits: Sequence[FitResult]) -> bytes:
    """Return the figures of every epoch as CSV; with several nets, of one after the other."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in fields(Epoch)]
    several = len(fits) > 1
    writer.writerow(["net", *names] if several else names)
    for net, fitted in enumerate(fits):
        for epoch in fitted.history:
            row = [round(v, 6) if isinstance(v, float) else v for v in asdict(epoch).values()]
            writer.writerow([net, *row] if several else row)
    return text.getvalue().encode()


def draw_curves(name: str, fits: Sequence[FitResult]) -> bytes:
    """Draw loss and accuracy on training and validation recordings, as PNG."""
    import matplotlib.style
    from matplotlib.figure import Figure

    image = io.BytesIO()
    # Not the user's own style: it might change the bytes, or run text through TeX.
    with matplotlib.style.context("default"):
        figure = Figure(figsize=(9.0, 3.8), dpi=120, layout="constrained")
        for axes, kind in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
            for number, fitted in enumerate(fits):
                net = f" (net {number + 1})" if len(fits) > 1 else ""
                _draw_curve(axes, kind, fitted, net)
            axes.set(xlabel="epoch", ylabel=kind, ylim=(0, 1.02 if kind == "accuracy" else None))
            axes.legend()
        figure.suptitle(f"{for_display(name)}: training", fontsize=10, parse_math=False)
        # Without the version of Matplotlib, so that equal trainings give equal bytes.
        figure.savefig(image, format="png", metadata={"Software": None})
    return image.getvalue()


def _draw_curve(axes: Any, kind: str, fitted: FitResult, net: str) -> None:
    numbers = [epoch.number + 1 for epoch in fitted.history]
    axes.plot(numbers, [getattr(epoch, kind) for epoch in fitted.history], label=f"training{net}")
    validation = [getattr(epoch, f"validation_{kind}") for epoch in fitted.history]
    if None not in validation:
        axes.plot(numbers, validation, label=f"validation{net}")
        selected = fitted.selected.number + 1
        axes.axvline(selected, color="grey", linestyle=":", label=f"selected epoch{net}")


def _examples(*parts: Sequence[Sample]) -> tuple[Example, ...]:
    """Return the recordings of samples, each once."""
    return tuple(dict.fromkeys(sample.example for part in parts for sample in part))


def _bundle_info(
    context: RunContext,
    split: Split,
    trained: TrainedModel,
    options: PackageOptions,
    examples: Sequence[Example],
) -> dict[str, Any]:
    """Return the bundle.json, apart from `format` and `files`."""
    from batchemo.training.export.onnx import output_info

    recipe = context.recipe
    corpora = sorted({example.corpus for example in examples})
    return {
        "name": options.out.name,
        "description": recipe.description,
        "input": _input(recipe),
        "outputs": output_info(trained.model, context.labels),
        "calibration": (
            options.calibration
            or Calibration(_temperature(trained, options), recipe.familiarity_slope)
        ).to_dict(),
        "training": {
            "recipe": recipe.name,
            "corpora": {name: _corpus_facts(examples, name) for name in corpora},
            "validation": _recordings_by_speaker(split.validation),
            "command": options.command,
            "seed": split.seed,
            "net": recipe.net,
            "nets": recipe.nets,
            "options": _hyperparameters(context, split),
            "epochs": max((len(fitted.history) for fitted in trained.fits), default=0),
            "selected_epoch": asdict(trained.fits[0].selected) if trained.fits else None,
        },
        "figures": figures_for_card(options.evaluations).figures,
        "licences": {
            "weights": options.licence or weights_licence(corpora),
            "training_data": {
                **training_data_licences(corpora),
                **(ENCODER_LICENCES if recipe.encoder else {}),
            },
        },
        "citations": [
            *citations_for(corpora),
            *([ENCODER_CITATION] if recipe.encoder else []),
        ],
    }


def _input(recipe: Recipe) -> dict[str, Any]:
    features, window = recipe.features, recipe.windows.window
    masked = recipe.floor is not None
    # Frames are cut or padded to one length: of a longer window the rest would be lost unseen.
    free = masked or len(features.shape()) == 1
    return {
        "type": "features",
        "features": features.to_dict(),
        "rate": features.rate,
        "window": window,
        "hop": recipe.windows.hop,
        "window_range": list(_window_range(recipe)) if free else [window, window],
        "normalisation": "graph",
        "padding": "masked" if masked else "trained",
        **({"padding_step": _PADDING_STEP} if recipe.encoder else {}),
    }


def _window_range(recipe: Recipe) -> tuple[float, float]:
    shortest, longest = _FREE_WINDOW_RANGE
    return shortest, min(longest, MAX_SECONDS) if recipe.encoder else longest


def _hyperparameters(context: RunContext, split: Split) -> dict[str, Any]:
    """Return the hyperparameters, as far as they apply to the net."""
    values = asdict(context.hyperparameters(split))
    if context.recipe.net != LOGISTIC:
        return values
    return {name: value for name, value in values.items() if name in LOGISTIC_HYPERPARAMETERS}


def _temperature(trained: TrainedModel, options: PackageOptions) -> float:
    """Return the temperature of the validation recordings, or of an evaluation by speaker."""
    if trained.temperature is not None:
        return trained.temperature
    for evaluation in options.evaluations:
        info = evaluation.info
        temperature = info.options.get(TEMPERATURE)
        by_speaker = info.kind == "recipe" and info.protocol == "speaker"
        if by_speaker and isinstance(temperature, float):
            return temperature
    return UNCALIBRATED


def _corpus_facts(examples: Sequence[Example], corpus: str) -> dict[str, Any]:
    of_corpus = [example for example in examples if example.corpus == corpus]
    return {
        "recordings": len(of_corpus),
        "speakers": len({example.speaker for example in of_corpus if example.speaker}),
        "languages": sorted({example.language for example in of_corpus if example.language}),
    }


def _recordings_by_speaker(samples: Sequence[Sample]) -> Mapping[str, int]:
    """Count the recordings of each speaker; "" stands for speakers that are not known."""
    return dict(sorted(Counter(example.speaker for example in _examples(samples)).items()))
