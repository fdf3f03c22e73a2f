"""The random sample: spread over confidences, stable, and unbiased with its weights."""

from __future__ import annotations

import numpy as np
from made_review import made_candidates

from batchemo.review.sampling import (
    random_order,
    sampled_rows,
    sampling_weights,
    strata_of,
    weights_of_sample,
)

CANDIDATES = made_candidates(2000)
STRATA = strata_of(CANDIDATES.confidence)


def test_the_order_is_the_same_for_a_seed_and_holds_every_row_once() -> None:
    order = random_order(CANDIDATES.keys, STRATA)
    np.testing.assert_array_equal(order, random_order(CANDIDATES.keys, STRATA))
    assert sorted(order) == list(range(2000))
    assert (order != random_order(CANDIDATES.keys, STRATA, seed=1)).any()


def test_every_stratum_of_some_size_is_among_the_first() -> None:
    sizes = np.bincount(STRATA)
    first = np.bincount(STRATA[random_order(CANDIDATES.keys, STRATA)[:100]])
    expected = 100 * np.sqrt(sizes) / np.sqrt(sizes).sum()
    assert np.abs(first - expected).max() < 2


def test_new_recordings_do_not_change_the_order_of_a_stratum() -> None:
    order = random_order(CANDIDATES.keys, STRATA)
    fewer = random_order(CANDIDATES.keys[:1500], STRATA[:1500])
    for stratum in np.unique(STRATA):
        old = order[(STRATA[order] == stratum) & (order < 1500)]
        np.testing.assert_array_equal(old, fewer[STRATA[fewer] == stratum])


def test_weights_give_the_share_of_all_rows_without_bias() -> None:
    # What is estimated depends on the confidence, as being correct does.
    rng = np.random.default_rng(0)
    correct = rng.random(2000) < CANDIDATES.confidence
    estimates, plain = [], []
    for seed in range(60):
        order = random_order(CANDIDATES.keys, STRATA, seed=seed)
        taken = np.isin(np.arange(2000), order[:150])
        weights = sampling_weights(STRATA, sampled_rows(order, STRATA, taken))
        assert round(weights.sum()) == 2000
        estimates.append((weights * correct).sum() / weights.sum())
        plain.append(correct[taken].mean())
    error = abs(np.mean(estimates) - correct.mean())
    assert error < 3 * np.std(estimates) / np.sqrt(60)
    assert error < abs(np.mean(plain) - correct.mean())


def test_answers_that_other_queues_asked_for_are_not_in_the_sample() -> None:
    order = random_order(CANDIDATES.keys, STRATA)
    extra = order[500:520]
    answered = np.isin(np.arange(2000), [*order[:40], *extra])
    sampled = sampled_rows(order, STRATA, answered)
    assert sampled[order[:40]].all()
    assert not sampled[extra].any()
    weights = weights_of_sample(CANDIDATES, np.flatnonzero(answered).tolist())
    assert set(np.flatnonzero(weights)) == set(np.flatnonzero(sampled))


def test_nothing_answered_has_no_weights() -> None:
    assert weights_of_sample(CANDIDATES, []).sum() == 0
