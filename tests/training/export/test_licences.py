"""Weights get the licence of their training data, where there is one for all of it."""

from __future__ import annotations

import pytest

from batchemo.corpora.layouts import LAYOUTS
from batchemo.training.export.licences import (
    CORPUS_TERMS,
    citations_for,
    training_data_licences,
    weights_licence,
)


@pytest.mark.parametrize(
    ("corpora", "licence"),
    [
        (["ravdess"], "CC BY-NC-SA 4.0"),
        (["nemo", "ravdess"], "CC BY-NC-SA 4.0"),
        (["emovo"], "for research only"),
        (["crema-d", "ravdess"], "not stated: it depends on the licences of crema-d, ravdess"),
        (["calls", "ravdess"], "not stated: it depends on the licences of calls, ravdess"),
        (["calls"], "not stated: it depends on the licences of calls"),
    ],
)
def test_weights_have_a_licence_only_if_all_their_data_has_the_same(
    corpora: list[str], licence: str
) -> None:
    assert weights_licence(corpora) == licence


def test_the_licence_of_an_unknown_corpus_is_not_known() -> None:
    assert training_data_licences(["tess", "calls"]) == {
        "tess": "CC BY-NC-ND 4.0",
        "calls": "not known",
    }
    assert citations_for(["calls"]) == []


def test_every_corpus_with_a_known_layout_has_a_licence() -> None:
    assert LAYOUTS.keys() <= CORPUS_TERMS.keys()
