"""The accuracy of a finished model under conditions: on the telephone, in noise, over music.

    python benchmarks/robustness.py MODEL CORPUS... -o FOLDER

MODEL is a bundle's folder or name; only recordings of speakers that it was not trained on are
predicted (see `batchemo evaluate`). Needs `pip install '.[train]'`. FOLDER gets `robustness.md`,
the table, and the evaluation with everything as JSON and CSV. Features are kept in the work folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from batchemo.bundles import load_bundle
from batchemo.corpora import read_corpus
from batchemo.evaluation import conditions_markdown, write_evaluation
from batchemo.evaluation.conditions import CONDITIONS
from batchemo.training.experiment.evaluate import evaluate_bundle


def main() -> None:
    options = _options()
    evaluation = evaluate_bundle(
        load_bundle(options.model),
        read_corpus(options.corpora),
        "speaker",
        classes=options.classes,
        conditions=options.conditions,
        feature_folder=options.work / "features",
        jobs=options.jobs,
    )
    write_evaluation(options.output, evaluation)
    table = conditions_markdown(evaluation)
    page = f"# {evaluation.info.title}\n\n{evaluation.info.protocol_description}\n\n{table}\n"
    (options.output / "robustness.md").write_text(page, encoding="utf-8")
    print(page)


def _options() -> argparse.Namespace:
    def words(text: str) -> tuple[str, ...]:
        return tuple(text.split(","))

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", help="the bundle's name or folder")
    parser.add_argument("corpora", nargs="+", type=Path, help="folders of recordings, or manifests")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder of the result")
    parser.add_argument("--classes", type=words, default=(), help="evaluate only these, as a,b,c")
    parser.add_argument(
        "--conditions",
        type=words,
        default=tuple(CONDITIONS),
        help=f"of these, as a,b,c: {', '.join(CONDITIONS)}",
    )
    parser.add_argument(
        "--work", type=Path, default=Path("robustness.work"), help="the work folder"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes that compute features")
    return parser.parse_args()


if __name__ == "__main__":
    main()
