"""What an evaluation reports: figures, files, pictures and pages, from what nets said."""

from batchemo.training.report.compute import evaluate
from batchemo.training.report.evaluation import About, Evaluation, Heard

__all__ = ["About", "Evaluation", "Heard", "evaluate"]
