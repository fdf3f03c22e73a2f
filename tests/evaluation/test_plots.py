"""Plots are PNG of a readable size, and name the protocol."""

from __future__ import annotations

import struct

import pytest
from made_predictions import make_evaluation, make_info, random_predictions

from batchemo.evaluation import evaluate
from batchemo.evaluation.plots import PLOTS

HOSTILE = ("=cmd()", '$\\frac{$ a,b\n"c"', "\x1b[2J\udcff日本")


@pytest.mark.parametrize("name", PLOTS)
def test_plots_are_png_of_a_readable_size(name: str) -> None:
    content = PLOTS[name](make_evaluation())

    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    assert 500 < width < 2500
    assert 400 < height < 2500


@pytest.mark.parametrize("name", PLOTS)
def test_the_protocol_is_part_of_each_plot(name: str) -> None:
    draw = PLOTS[name]

    assert draw(make_evaluation("speaker")) != draw(make_evaluation("random"))


def test_labels_are_no_formulas_and_may_lack_glyphs() -> None:
    found = evaluate(random_predictions(labels=HOSTILE), HOSTILE, info=make_info(subject="$x"))

    assert PLOTS["confusion"](found).startswith(b"\x89PNG")
