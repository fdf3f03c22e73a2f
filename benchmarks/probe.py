"""What 40 answers of a listener make of a corpus that a model was not trained on.

    python benchmarks/probe.py RAVDESS RAVDESS_SONG NEMO EMODB SPEECHOCEAN EMOSPEECH_CALM \\
        --foreign EMOVO --work own.work --recipes accurate --encoder smart-turn-v3.2-cpu.onnx

Each corpus is left out in turn, as in benchmarks/own_systems.py, whose trainings are taken from the
work folder where they are there. Of the corpus that is left out, 40 recordings are drawn, their
true labels are the answers, and a head is fitted to them as `batchemo adapt` fits it, without
refusing. It is tested on all others, in 20 draws. In a second column, the answers are of half of
the speakers and the test is of the others.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

import numpy as np
from own_systems import left_out_experiment, make_parser

from batchemo.adaptation.examples import Corpus as Centre
from batchemo.adaptation.examples import Examples
from batchemo.adaptation.fit import BaseOutput, fit_head, normalised, one_thread
from batchemo.bundles import softmax
from batchemo.bundles.head import FLOOR
from batchemo.common.arrays import Float64, Int64
from batchemo.corpora import NO_EMOTION, Example
from batchemo.evaluation.metrics import confusion_matrix, uar
from batchemo.tables.labels import Key
from batchemo.training.experiment.context import RunContext
from batchemo.training.experiment.runs import Logits, run_split
from batchemo.training.nets.familiarity import fit_familiarity

ANSWERS, DRAWS = 40, 20


def main() -> None:
    options = make_parser(__doc__).parse_args()
    for name in options.recipes:
        print(f"{name}: corpus, UAR as it is, after {ANSWERS} answers, on other speakers")
        rows = list(_probe(name, options))
        for corpus, figures in rows:
            print(f"  {corpus:<14}" + "".join(f"{figure:8.3f}" for figure in figures))
        means = np.mean([figures for _, figures in rows], axis=0)
        print(f"  {'mean':<14}" + "".join(f"{mean:8.3f}" for mean in means), flush=True)


def _probe(name: str, options: argparse.Namespace) -> Iterator[tuple[str, tuple[float, ...]]]:
    experiment = left_out_experiment(name, options)
    context = experiment.context()
    found: dict[str, tuple[float, ...]] = {}
    for split in experiment.splits(context):
        result = run_split(context, split)
        familiarity = fit_familiarity(context.dataset(split.train))
        items = context.select(split.test)
        for corpus in sorted({item.example.corpus for item in items}):
            chosen = [n for n, item in enumerate(items) if item.example.corpus == corpus]
            if {items[n].example.emotion for n in chosen} <= set(NO_EMOTION):
                continue
            examples = _examples(
                context,
                [items[n].example for n in chosen],
                tuple(result.test[n] for n in chosen),
                tuple(familiarity.embed(items[n].windows) for n in chosen),
            )
            found[corpus] = _figures(examples, [items[n].example.speaker for n in chosen])
    yield from sorted(found.items())


def _examples(
    context: RunContext, recordings: Sequence[Example], logits: Logits, embeddings: Logits
) -> Examples:
    """Return all recordings of a corpus with their true labels, as if all had been answered."""
    counts = [len(of_recording) for of_recording in logits]
    # Calibration matters little here: the head has a scale of its own.
    probabilities = softmax(np.concatenate(logits))
    return Examples(
        context.labels,
        np.array([context.labels.index(one.emotion) for one in recordings]),
        tuple(Key("", str(one.path)) for one in recordings),
        np.repeat(np.arange(len(counts)), counts),
        np.concatenate(embeddings).astype(np.float64),
        np.log(probabilities + FLOOR),
    )


def _figures(examples: Examples, speakers: Sequence[str]) -> tuple[float, float, float]:
    """Return the UAR as it is, after the answers, and the same on speakers without answers."""
    centre = examples.embedding.mean(axis=0)
    radius = np.sqrt(np.square(examples.embedding - centre).sum(axis=1).mean())
    corpus = Centre(len(examples), centre, float(radius))
    base = BaseOutput.for_labels(examples.labels, examples.labels)
    everything = np.arange(len(examples))
    names = np.array(sorted(set(speakers)))
    of_all, of_others = [], []
    with one_thread():
        for draw in range(DRAWS):
            random = np.random.default_rng(draw)
            answered = random.permutation(everything)[:ANSWERS]
            of_all.append(_uar_after(examples, base, corpus, answered, everything))
            half = random.permutation(names)[: len(names) // 2]
            known = np.flatnonzero(np.isin(speakers, half))
            others = np.flatnonzero(~np.isin(speakers, half))
            answered = random.permutation(known)[:ANSWERS]
            of_others.append(_uar_after(examples, base, corpus, answered, others))
    as_it_is = _uar(examples, examples.log_probabilities, everything)
    return as_it_is, float(np.mean(of_all)), float(np.mean(of_others))


def _uar_after(
    examples: Examples, base: BaseOutput, corpus: Centre, answered: Int64, tested: Int64
) -> float:
    fit = fit_head(examples.select(answered), base, corpus)
    logits = fit.logits(base.of(examples.log_probabilities), normalised(examples, corpus))
    return _uar(examples, logits, np.setdiff1d(tested, answered))


def _uar(examples: Examples, logits: Float64, tested: Int64) -> float:
    probabilities = np.zeros((len(examples), len(examples.labels)))
    np.add.at(probabilities, examples.example_of_window, softmax(logits))
    predicted = probabilities[tested].argmax(axis=1)
    return uar(confusion_matrix(examples.classes[tested], predicted, len(examples.labels)))


if __name__ == "__main__":
    main()
