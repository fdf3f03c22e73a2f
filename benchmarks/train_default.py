"""Repeats the training of the shipped model from the recordings: folds, figures, final net, bundle.

    python benchmarks/train_default.py --corpora CORPORA --out models/default --seeds 2

CORPORA holds RAVDESS, nEMO and EMOVO with a `manifest.csv` (file, corpus, speaker, gender, emotion,
intensity). Needs `pip install '.[train]'` and about half an hour a seed on one core. Nets that are
finished are kept in `--work`, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from batchemo.bundles import write_bundle
from batchemo.features import get_recipe
from batchemo.training.card import write_card
from batchemo.training.corpora import EMOTIONS, Example, read_corpora
from batchemo.training.corpora.digest import signal_digest
from batchemo.training.evaluate import hear
from batchemo.training.export import keras_bytes, keras_graph, onnx_bytes
from batchemo.training.figures import choose_temperature, foreign, unseen_actors
from batchemo.training.learnt import LEARNT, learnt_bytes
from batchemo.training.pictures import Windows
from batchemo.training.splits import luna_jimenez_folds
from batchemo.training.study import Plan, Study
from batchemo.training.variants import elsewhere, faster

PLAN = Plan(
    recipe=get_recipe("logmel64"),
    windows=Windows(seconds=3.0, hop=1.5),
    variants={
        "ravdess": (faster(0.9), faster(0.95), faster(1.05), faster(1.1), elsewhere, elsewhere),
        "nemo": (faster(0.93), elsewhere),
    },
)

HOW = """\
One small conformer (a strided convolutional front, two blocks, attentive pooling; about 0.33 M
weights) on trimmed, level-normalised log-mels of 3 s windows. Three quarters of each batch are
RAVDESS, one quarter nEMO, every class of a corpus equally often; the classes that nEMO lacks are
masked for it. Stored variants of each recording (other speeds, another room and microphone with
noise), then, on the fly: time and mel warp, equaliser, noise floor, SpecAugment, mixup inside a
corpus. AdamW on one cycle, label smoothing; the result is the moving average of the weights after
the last epoch. The shipped net learnt from all the RAVDESS actors at hand; the folds' nets, made
the same way, only give the estimate."""

CITATIONS = [
    "Livingstone & Russo (2018), The Ryerson Audio-Visual Database of Emotional Speech and Song "
    "(RAVDESS), PLoS ONE 13(5): e0196391, CC BY-NC-SA 4.0",
    "Christop (2024), nEMO: Dataset of Emotional Speech in Polish, LREC-COLING, CC BY-NC-SA 4.0",
    "Costantini et al. (2014), EMOVO Corpus, LREC (evaluation only)",
]


def main() -> None:
    options = _options()
    examples = read_corpora(options.corpora, ("ravdess", "nemo"))
    study = Study(PLAN, examples, options.work, print)
    seeds = range(options.seed, options.seed + options.seeds)
    heard = {
        fold.name: [study.heard_by(fold, seed) for seed in seeds]
        for fold in luna_jimenez_folds(examples)
    }
    temperature = choose_temperature(heard)
    model = study.net("all", examples, options.seed)
    emovo = read_corpora(options.corpora, ("emovo",))
    abroad = hear(emovo, PLAN.recipe, PLAN.windows, keras_graph(model))
    figures = {
        "unseen_actors": unseen_actors(heard),
        "emovo_four_classes": foreign(abroad, temperature),
    }
    info = _info(examples, figures, temperature, options.seed)
    card = write_card(info)
    learnt = [replace(example, digest=signal_digest(example.path)) for example in examples]
    files = {
        LEARNT: learnt_bytes(learnt),
        "README.md": card.encode(),
        "model.keras": keras_bytes(model),
        "model.onnx": onnx_bytes(model),
    }
    bundle = write_bundle(options.out, info, files)
    print(card)
    print(f"{bundle.path}: {bundle.digest}")


def _info(
    examples: tuple[Example, ...], figures: dict[str, Any], temperature: float, seed: int
) -> dict[str, Any]:
    corpora = {
        name: {
            "recordings": sum(example.corpus == name for example in examples),
            "speakers": len({e.speaker for e in examples if e.corpus == name}),
        }
        for name in ("ravdess", "nemo")
    }
    return {
        "name": "default",
        "description": "One small net for eight emotions of acted speech: a modest first model.",
        "labels": list(EMOTIONS),
        "recipe": PLAN.recipe.to_dict(),
        "window": PLAN.windows.seconds,
        "hop": PLAN.windows.hop,
        "window_range": [1.0, 10.0],
        "normalisation": "graph",
        "calibration": {"method": "temperature", "temperature": temperature},
        "training": {
            "corpora": corpora,
            "how": HOW,
            "command": "python benchmarks/train_default.py",
            "seed": seed,
            "net": asdict(PLAN.size),
            "options": asdict(PLAN.options),
        },
        "figures": figures,
        "licence": "CC BY-NC-SA 4.0",
        "citations": CITATIONS,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--corpora", type=Path, required=True, help="the folder of the recordings")
    parser.add_argument("--out", type=Path, required=True, help="the bundle's folder")
    parser.add_argument("--work", type=Path, default=Path("train.work"), help="nets in the making")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the shipped net and the first folds"
    )
    parser.add_argument("--seeds", type=int, default=1, help="how many times each fold is trained")
    return parser.parse_args()


if __name__ == "__main__":
    main()
