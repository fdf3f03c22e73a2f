"""Evaluates and trains the five RAVDESS recipes, and writes docs/accuracy.md.

    python benchmarks/five_systems.py RAVDESS RAVDESS_SONG --work five.work --models models --jobs 2

RAVDESS and RAVDESS_SONG are the folders of the recordings; the songs, which the sources of the
recipes had too, may be left away. Each recipe is evaluated under three protocols, with figures for
speech, for song and for both, and then trained on all recordings, for its bundle. Needs
`pip install '.[train]'` and on two cores about two hours without songs, more than three with them.
What is finished is kept in the work folder, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from accuracy_page import accuracy_page

from batchemo.corpora import Corpus, read_corpus
from batchemo.evaluation import Evaluation, write_evaluation
from batchemo.evaluation.predictions import Prediction
from batchemo.training.data.protocols import Protocol, Split
from batchemo.training.experiment.cross_validation import Experiment
from batchemo.training.experiment.evaluate import evaluate_recipe
from batchemo.training.export.package import PackageOptions
from batchemo.training.recipes import RAVDESS_RECIPES, Recipe
from batchemo.training.train import train_bundle

COMMAND = "python benchmarks/five_systems.py {folders} --work five.work --seeds {seeds} --jobs 2"

PROTOCOLS: tuple[Protocol, ...] = ("speaker", "random", "leaky")
"""All but `corpus`: in a single language no corpus can be left out."""

REMARKS = """\
## How the leak was made, and where a claim is not reached

- `melattn` and `stats162` are trained on augmented copies of every recording: under `leaky` these
  were made first and split afterwards. `cnn1d`, `frames62` and `mfcc40` make no copies: under
  `leaky` every recording is there twice, as in the copies of RAVDESS on data-sharing sites.
- `melattn` reaches what its source claims, but for one class: sad is at 0.798, not above 0.80.
- `stats162` does not reach the 85 % of its source. Tried on the first seed, which has 0.70: 150
  epochs with a falling learning rate instead of 50 end where the 50 do. Copies that are all
  stretched and raised by the same little, as scripts of this kind have it, instead of drawn at
  random: 0.70. With these, pooling by 2 instead of 4, at more than twice the work: 0.73, where
  originals are classified right 0.84 of the time, copies with noise 0.73, stretched ones 0.64.

## Trained on songs too

The sources of these recipes had the songs of RAVDESS as well. UAR on speech (8 classes), on songs
(6) and on both, of one seed that was trained on both, an actor's songs always together with the
actor's speech (`python benchmarks/five_systems.py RAVDESS RAVDESS_SONG --seeds 1 --models songs
--page songs.md`):

| recipe | `speaker` | `random` | `leaky` |
| --- | ---: | ---: | ---: |
| `cnn1d` | 0.336, 0.546, 0.425 | 0.638, 0.883, 0.730 | 0.940, 0.990, 0.961 |
| `melattn` | 0.468, 0.720, 0.563 | 0.751, 0.877, 0.801 | 0.933, 0.880, 0.919 |
| `stats162` | 0.355, 0.599, 0.441 | 0.490, 0.855, 0.608 | 0.676, 0.866, 0.739 |
| `frames62` | 0.527, 0.731, 0.606 | 0.715, 0.869, 0.775 | 0.987, 0.980, 0.986 |
| `mfcc40` | 0.366, 0.682, 0.481 | 0.614, 0.867, 0.698 | 0.971, 0.987, 0.976 |

- With songs, `melattn` reaches all that its source claims: under `leaky` its accuracy is 0.912,
  and no class has a recall below 0.84.
- `stats162` still does not: its accuracy is 0.756 and its macro F1 0.743.
- Songs are no clear gain on the speech of unseen actors: between 3.0 points less (`frames62`) and
  3.5 points more (`stats162`). So the models that are shipped were trained on speech alone.
"""


def main() -> None:
    options = _options()
    corpus = read_corpus(options.corpora)
    for duplicate in corpus.duplicates:
        print(f"counted once: {duplicate.dropped.name} is {duplicate.kept.name}")
    all_evaluations = []
    for recipe in RAVDESS_RECIPES.values():
        evaluations = [_evaluate(recipe, corpus, protocol, options) for protocol in PROTOCOLS]
        all_evaluations += evaluations
        _train(recipe, corpus, evaluations, options)
    claims = {name: recipe.claim for name, recipe in RAVDESS_RECIPES.items()}
    names = sorted({example.corpus for example in corpus.examples})
    command = COMMAND.format(folders=" ".join(names).upper(), seeds=options.seeds)
    page = accuracy_page(all_evaluations, claims, command=command).rstrip()
    # The remarks belong to the page of the models that are shipped: those without songs.
    remarks = f"\n\n{REMARKS}" if names == ["ravdess"] else "\n"
    options.page.write_text(f"{page}{remarks}", encoding="utf-8")
    print(f"{options.page}: written")


def _evaluate(
    recipe: Recipe, corpus: Corpus, protocol: Protocol, options: argparse.Namespace
) -> Evaluation:
    def on_run(done: int, total: int, split: Split, predictions: Sequence[Prediction]) -> None:
        print(f"{recipe.name}, {protocol}: {done}/{total}, {split.fold}, seed {split.seed}")

    experiment = _experiment(recipe, corpus, options, protocol, tuple(range(options.seeds)))
    evaluation = evaluate_recipe(experiment, corpus, jobs=options.jobs, on_run=on_run)
    write_evaluation(options.work / "evaluations" / f"{recipe.name}-{protocol}", evaluation)
    return evaluation


def _train(
    recipe: Recipe, corpus: Corpus, evaluations: Sequence[Evaluation], options: argparse.Namespace
) -> None:
    names = " ".join(sorted({example.corpus for example in corpus.examples}))
    package = PackageOptions(
        out=options.models / recipe.name,
        command=f"batchemo train {names} --recipe {recipe.name} -o models/{recipe.name}",
        evaluations=evaluations,
    )
    result = train_bundle(_experiment(recipe, corpus, options), package, jobs=options.jobs)
    print(f"{result.bundle.path}: {result.bundle.digest}")


def _experiment(
    recipe: Recipe,
    corpus: Corpus,
    options: argparse.Namespace,
    protocol: Protocol = "speaker",
    seeds: tuple[int, ...] = (0,),
) -> Experiment:
    return Experiment(
        recipe=recipe,
        examples=corpus.examples,
        labels=corpus.labels,
        work=options.work,
        protocol=protocol,
        seeds=seeds,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "corpora", nargs="+", type=Path, help="the folder of RAVDESS, and that of its songs"
    )
    parser.add_argument("--work", type=Path, default=Path("five.work"), help="the work folder")
    parser.add_argument("--models", type=Path, default=Path("models"), help="where bundles go")
    parser.add_argument("--page", type=Path, default=Path("docs/accuracy.md"), help="the page")
    parser.add_argument("--seeds", type=int, default=3, help="how often each fold is trained")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    return parser.parse_args()


if __name__ == "__main__":
    main()
