"""How frequent labels are in a corpus, as somebody who knows it says."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from batchemo.common.arrays import Float64
from batchemo.common.text import for_display
from batchemo.errors import UsageError

EVEN = "even"
"""All labels of the model are equally frequent."""


def parse_shares(text: str, others: str = "") -> dict[str, float]:
    """Read `neutral=0.8,happy=0.2`, or labels without numbers, which are equally frequent.

    `others` says what else could have been given.

    >>> parse_shares("sad=3,happy=1"), parse_shares("sad,happy")
    ({'sad': 0.75, 'happy': 0.25}, {'sad': 0.5, 'happy': 0.5})
    """
    items = [item.partition("=") for item in text.split(",")]
    numbers = {equals for _, equals, _ in items}
    try:
        shares = {label.strip(): float(value) if equals else 1.0 for label, equals, value in items}
    except ValueError:
        shares = {}
    if len(shares) < len(items) or len(numbers) > 1:
        raise _wrong_shares(text, others)
    return normalised_shares(shares, others)


def normalised_shares(shares: Mapping[str, float], others: str = "") -> dict[str, float]:
    """Return the shares of these labels, divided by their sum."""
    total = sum(shares.values())
    usable = all(label and share > 0 for label, share in shares.items())
    if not (usable and 0 < total < math.inf):
        raise _wrong_shares(",".join(f"{label}={share}" for label, share in shares.items()), others)
    return {label: share / total for label, share in shares.items()}


def shares_text(shares: str | Sequence[str] | Mapping[str, float] | None) -> str | None:
    """Return the shares that a program gives as a command has them.

    >>> shares_text({"neutral": 4, "happy": 1}), shares_text(["sad", "happy"]), shares_text("even")
    ('neutral=4,happy=1', 'sad,happy', 'even')
    """
    if shares is None or isinstance(shares, str):
        return shares
    if isinstance(shares, Mapping):
        return ",".join(f"{label}={share}" for label, share in shares.items())
    return ",".join(shares)


def log_shares(text: str, labels: Sequence[str]) -> Float64:
    """Return the logarithm of each label's share; that of a label that is not named is -inf.

    >>> log_shares("happy", ["happy", "sad"]).tolist()
    [0.0, -inf]
    """
    shares = dict.fromkeys(labels, 1 / len(labels)) if text == EVEN else parse_shares(text)
    unknown = [label for label in shares if label not in labels]
    if unknown:
        raise UsageError(
            f"--class-shares: the model has no label {', '.join(map(for_display, unknown))}; it has"
            f" {', '.join(labels)}"
        )
    with np.errstate(divide="ignore"):
        result: Float64 = np.log([shares.get(label, 0.0) for label in labels])
    return result


def _wrong_shares(given: str, others: str) -> UsageError:
    return UsageError(
        f"--class-shares {for_display(given)}: give {others}labels with shares above 0, such as "
        "neutral=0.8,happy=0.2, or without shares, such as neutral,happy"
    )
