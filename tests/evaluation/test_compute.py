"""An evaluation counts recordings, classes and groups as it says."""

from __future__ import annotations

from made_predictions import LABELS, make_info, make_prediction, random_predictions

from batchemo.evaluation import evaluate


def test_augmentations_and_seeds_of_a_recording_count_as_one_recording() -> None:
    predictions = [
        make_prediction("sad", "sad", seed=seed, variant=variant)
        for seed in (0, 1)
        for variant in ("original", "noise")
    ]

    found = evaluate(predictions, LABELS, info=make_info())

    assert (found.recordings, found.predictions) == (1, 4)
    assert found.classes[0].support == 2
    assert found.groups["gender"][0].recordings == 1


def test_a_class_without_recordings_is_listed_without_figures() -> None:
    predictions = [make_prediction("sad", "angry"), make_prediction("happy", "happy")]

    found = evaluate(predictions, LABELS, info=make_info())

    assert [of_class.recall for of_class in found.classes] == [0, 1, None]
    assert found.figures["uar"].mean == 0.5
    assert found.confusion.counts == ((0, 0, 1), (0, 1, 0), (0, 0, 0))
    assert found.confusion.shares[2] == (None, None, None)


def test_groups_are_by_property_with_one_for_what_is_unknown() -> None:
    women = [make_prediction("sad", "sad", speaker=name) for name in "ab"]
    unknown = make_prediction("happy", "sad", speaker="", gender="")

    groups = evaluate([*women, unknown], LABELS, info=make_info()).groups

    assert [(group.name, group.recordings, group.accuracy) for group in groups["gender"]] == [
        ("(unknown)", 1, 0),
        ("female", 2, 1),
    ]
    assert [group.name for group in groups["speaker"]] == ["(unknown)", "a", "b"]
    assert [group.name for group in groups["channel"]] == ["speech"]


def test_bins_count_recordings_per_seed() -> None:
    predictions = [make_prediction("sad", "sad", seed=seed, confidence=0.85) for seed in (0, 1)]

    [filled] = evaluate(predictions, LABELS, info=make_info()).reliability

    assert (filled.recordings, filled.confidence, filled.accuracy) == (1, 0.85, 1)


def test_the_order_of_predictions_does_not_matter() -> None:
    predictions = random_predictions()

    forwards = evaluate(predictions, LABELS, info=make_info())
    backwards = evaluate(predictions[::-1], LABELS, info=make_info())

    assert forwards == backwards
