"""What an evaluation reports: figures, files, pictures and pages, from what nets said."""

from batchemo.evaluation.card_figures import (
    CardFigures,
    figures_for_card,
    key_of,
    pictures_for_card,
)
from batchemo.evaluation.chapters import conditions_table
from batchemo.evaluation.compute import evaluate
from batchemo.evaluation.evaluation import About, Evaluation, Heard
from batchemo.evaluation.files import read_evaluation, write_evaluation

__all__ = [
    "About",
    "CardFigures",
    "Evaluation",
    "Heard",
    "conditions_table",
    "evaluate",
    "figures_for_card",
    "key_of",
    "pictures_for_card",
    "read_evaluation",
    "write_evaluation",
]
