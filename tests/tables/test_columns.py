"""Labels, models and optional blocks are parsed from column names, whatever they are called."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from batchemo.tables.columns import (
    MEASURED,
    labels_of,
    models_of,
    optional_of,
    recordings_columns,
    reserved_columns,
)

# Names that look like columns, and like parts of their names.
WORDS = (
    *("a", "a_b", "b", "p_a", "unadapted_a", "valence_est", "agreement", "windows"),
    *("emotion_a", "confidence", "margin_a-b.c"),
)
names = st.just([]) | st.lists(st.sampled_from(WORDS), min_size=2, max_size=4, unique=True)
extras = st.lists(
    st.sampled_from([*WORDS, "arousal_est", "dominance_est", "unadapted_b", "arousal"]), max_size=4
)


@given(
    labels=names,
    models=st.just([]) | names,
    optional=st.sets(st.sampled_from(["unadapted", "dimensions", "tries", *MEASURED])),
    extras=extras,
)
def test_labels_models_and_optional_blocks_are_parsed_from_any_names(
    labels: list[str], models: list[str], optional: set[str], extras: list[str]
) -> None:
    columns = [name for name, _ in recordings_columns(labels, models, optional)]
    # Without labels there is nothing to adapt, so that this block has no columns.
    assume(len(set(columns)) == len(columns) and (labels or "unadapted" not in optional))
    columns += [*(f"emotion_{extra}" for extra in extras), *extras]
    assert set(optional_of(columns)) == optional
    assert (labels_of(columns), models_of(columns)) == (labels, models)


@given(labels=names, extras=extras)
def test_a_table_of_one_model_has_no_models_whatever_a_manifest_added(
    labels: list[str], extras: list[str]
) -> None:
    columns = [name for name, _ in recordings_columns(labels)]
    assert models_of([*columns, "agreement", *(f"emotion_{extra}" for extra in extras)]) == []
    assert models_of(["root", "file", *extras]) == []


def test_a_features_table_has_no_optional_blocks() -> None:
    assert optional_of(["root", "file", "speech", "mfcc_0"]) == ()


def test_several_models_reserve_their_columns() -> None:
    assert reserved_columns(["a"], ["m"]) - reserved_columns(["a"]) == {
        *("agreement", "emotion_m", "confidence_m", "margin_m", "p_a_m"),
    }
