"""From predictions of labelled recordings to figures, files, plots, and the figures of cards.

In reading order: `conditions` (changed recordings to test on), `predictions`, `metrics`, `results`
(the dataclasses of an evaluation), `aggregate`, `by_corpus` and `compute` (from predictions to it),
`report_table` and `report_tables`, and what renders these: `io` (CSV), `markdown`, and the terminal
in `cli.output`.
"""

from batchemo.evaluation.compute import evaluate
from batchemo.evaluation.io import read_evaluation, write_evaluation
from batchemo.evaluation.markdown import (
    CardFigures,
    conditions_markdown,
    evaluation_key,
    figures_for_card,
    plots_for_card,
)
from batchemo.evaluation.results import CorpusCounts, Evaluation, EvaluationInfo

__all__ = [
    "CardFigures",
    "CorpusCounts",
    "Evaluation",
    "EvaluationInfo",
    "conditions_markdown",
    "evaluate",
    "evaluation_key",
    "figures_for_card",
    "plots_for_card",
    "read_evaluation",
    "write_evaluation",
]
