"""What a user says of how frequent labels are, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from batchemo.bundles.class_shares import log_shares, parse_shares
from batchemo.errors import UsageError

LABELS = ["neutral", "happy", "sad", "angry"]


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("even", [0.25, 0.25, 0.25, 0.25]),
        ("neutral,sad", [0.5, 0, 0.5, 0]),
        ("neutral", [1, 0, 0, 0]),
        (" sad = 1, neutral=3", [0.75, 0, 0.25, 0]),
        ("neutral=80,happy=10,sad=5,angry=5", [0.8, 0.1, 0.05, 0.05]),
    ],
)
def test_shares_are_even_of_some_labels_or_given(text: str, shares: list[float]) -> None:
    np.testing.assert_allclose(np.exp(log_shares(text, LABELS)), shares)


@pytest.mark.parametrize(
    "text", ["", "sad,happy=1", "sad,,happy", "sad=0,happy=1", "sad=nan", "sad=inf", "sad,sad"]
)
def test_what_is_no_share_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"give this, labels .* such as neutral=0.8,happy=0.2"):
        parse_shares(text, "this, ")


def test_a_label_that_the_model_lacks_is_refused() -> None:
    with pytest.raises(UsageError, match="the model has no label bored; it has neutral, happy"):
        log_shares("neutral,bored", LABELS)
