"""Agreement of reviewers, against published examples."""

from __future__ import annotations

import pytest

from batchemo.review.agreement import agreement, cohens_kappa, krippendorffs_alpha
from batchemo.tables.labels import Key


def test_kappa_of_a_published_table() -> None:
    # Two readers of 50 proposals: 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no.
    both = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert cohens_kappa(both) == pytest.approx(0.4)


def test_alpha_of_krippendorffs_own_example() -> None:
    # Computing Krippendorff's Alpha-Reliability (2011), C: four observers, missing values.
    observers = [
        "1 2 3 3 2 1 4 1 2 . . .",
        "1 2 3 3 2 2 4 1 2 5 . 3",
        ". 3 3 3 2 3 4 2 2 5 1 .",
        "1 2 3 3 2 4 4 1 2 5 1 .",
    ]
    units = zip(*(line.split() for line in observers), strict=True)
    known = [[value for value in unit if value != "."] for unit in units]
    assert krippendorffs_alpha(known) == pytest.approx(0.743, abs=1e-3)


def test_what_chance_explains_has_no_figure() -> None:
    assert cohens_kappa([("x", "x")] * 3) is None
    assert krippendorffs_alpha([["x", "x"], ["x", "x"]]) is None
    assert krippendorffs_alpha([]) is None


def test_pairs_are_compared_where_both_are_sure() -> None:
    said = [
        {"anna": "x", "ben": "x", "cleo": "y"},
        {"anna": "y", "ben": "unsure"},
        {"anna": "y", "ben": "y"},
        {"cleo": "x"},
    ]
    found = agreement({Key("/d", str(number)): each for number, each in enumerate(said)})
    assert [(p.reviewers, p.recordings, p.agreeing) for p in found.pairs] == [
        (("anna", "ben"), 2, 1.0),
        (("anna", "cleo"), 1, 0.0),
        (("ben", "cleo"), 1, 0.0),
    ]
    assert found.recordings == 2
