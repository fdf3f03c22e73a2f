"""What an evaluation reports: figures, files, pictures and pages, from what nets said."""

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
