"""Puts other figures on a finished bundle's card; its net, and all else, stay as they are.

A finished model can be tested on other corpora only when it is finished: then this writes what
came of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from batchemo.bundles import Bundle, write_bundle
from batchemo.bundles.schema import CARD
from batchemo.evaluation import Evaluation, figures_for_card, pictures_for_card
from batchemo.training.export.model_card import write_system_card


def with_figures(
    bundle: Bundle, evaluations: Sequence[Evaluation], beside: Sequence[Evaluation] = ()
) -> Bundle:
    """The bundle in its place, with these figures instead of what it told before."""
    figures = figures_for_card(evaluations, beside)
    info = {key: value for key, value in bundle.info.items() if key not in ("format", "files")}
    info["figures"] = figures.figures
    files = {name: bundle.read(name) for name in bundle.info["files"]}
    card = {CARD: write_system_card(info, figures).encode()}
    return write_bundle(bundle.path, info, {**files, **pictures_for_card(evaluations), **card})
