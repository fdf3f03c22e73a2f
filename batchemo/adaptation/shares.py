"""How frequent the classes are in a corpus, where predictions are to follow that.

A head is fitted as if all classes were equally frequent. With their shares it is right more often,
and finds rare classes less often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from batchemo.adaptation.examples import Examples
from batchemo.bundles.class_shares import normalised_shares, parse_shares
from batchemo.common.arrays import Float64
from batchemo.common.text import for_display
from batchemo.errors import UsageError

FROM_ANSWERS = "answers"
_OTHERS = f"{FROM_ANSWERS}, or "

_PSEUDO_COUNT = 0.5
"""What is added to the answers of each class: one without any may still come."""


@dataclass(frozen=True, slots=True)
class ClassShares:
    """The shares that were asked for: those of the answers, or given ones by label."""

    given: tuple[tuple[str, float], ...] = ()
    """Empty for those of the answers."""

    @classmethod
    def parse(cls, text: str) -> ClassShares:
        """Read `answers`, or `neutral=0.8,happy=0.2`.

        >>> ClassShares.parse("sad=3,happy=1").given
        (('sad', 0.75), ('happy', 0.25))
        """
        if text.strip() == FROM_ANSWERS:
            return cls()
        return cls(tuple(parse_shares(text, _OTHERS).items()))

    @classmethod
    def of(cls, shares: Mapping[str, float]) -> ClassShares:
        """Return the shares of these labels, which need not add up to 1.

        >>> ClassShares.of({"sad": 3, "happy": 1}).given
        (('sad', 0.75), ('happy', 0.25))
        """
        return cls(tuple(normalised_shares(shares, _OTHERS).items()))

    def logarithms(self, examples: Examples) -> Float64:
        """Return the logarithms of the shares, as a head that is fitted to all needs them."""
        return self._of_counts(self._counts(examples), examples.labels)

    def left_out_logarithms(self, examples: Examples) -> Float64:
        """Return them for each example, as the others have it."""
        counts = self._counts(examples)
        rows = [
            self._of_counts(counts - np.eye(len(counts))[index], examples.labels)
            for index in range(len(counts))
        ]
        return np.stack(rows)[examples.classes]

    def _counts(self, examples: Examples) -> Float64:
        return np.bincount(examples.classes, minlength=len(examples.labels)).astype(np.float64)

    def _of_counts(self, counts: Float64, labels: Sequence[str]) -> Float64:
        if not self.given:
            smoothed = np.maximum(counts, 0) + _PSEUDO_COUNT
            result: Float64 = np.log(smoothed / smoothed.sum())
            return result
        shares = dict(self.given)
        differing = sorted(shares.keys() ^ set(labels))
        if differing:
            raise UsageError(
                f"--class-shares: needs a share for each of {', '.join(labels)}, and no other "
                f"({', '.join(map(for_display, differing))})"
            )
        logarithms: Float64 = np.log(np.array([shares[label] for label in labels]))
        return logarithms
