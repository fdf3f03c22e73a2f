"""What an evaluation reports: figures, files, pictures and pages, from what nets said."""

from batchemo.training.report.accuracy_page import accuracy_page
from batchemo.training.report.card_figures import (
    CardFigures,
    figures_for_card,
    key_of,
    pictures_for_card,
)
from batchemo.training.report.chapters import conditions_table
from batchemo.training.report.compute import evaluate
from batchemo.training.report.evaluation import About, Evaluation, Heard
from batchemo.training.report.files import read_evaluation, write_evaluation

__all__ = [
    "About",
    "CardFigures",
    "Evaluation",
    "Heard",
    "accuracy_page",
    "conditions_table",
    "evaluate",
    "figures_for_card",
    "key_of",
    "pictures_for_card",
    "read_evaluation",
    "write_evaluation",
]
