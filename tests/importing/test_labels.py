"""The names of classes become the usual ones, unless that is not wanted or not possible."""

import pytest

from batchemo.errors import UsageError
from batchemo.importing.labels import class_names


@pytest.mark.parametrize(
    ("found", "labels"),
    [
        (["neu", "hap", "ang", "sad"], ["neutral", "happy", "angry", "sad"]),
        (["Anger", " Fear ", "neutral"], ["angry", "fearful", "neutral"]),
        (["frustrated", "anger"], ["frustrated", "angry"]),
        (["joy", "happiness"], ["joy", "happiness"]),
    ],
)
def test_names_become_the_usual_ones_where_one_stands_for_each(found, labels) -> None:
    assert class_names(found, {}) == tuple(labels)


def test_own_names_are_kept_but_for_those_that_are_renamed() -> None:
    assert class_names(["ang", "exc"], {"exc": "happy"}, own=True) == ("ang", "happy")


@pytest.mark.parametrize(
    ("found", "rename", "message"),
    [
        (["LABEL_0", "LABEL_1"], {}, "have no names"),
        (["生气/angry", "sad"], {}, "--labels a,b,c"),
        (["<b>", "sad"], {}, "cannot be a label"),
        (["..", "sad"], {}, "cannot be a label"),
        (["ang", "sad"], {"exc": "happy"}, "has no such label; it has ang, sad"),
        (["ang", "exc"], {"exc": "ang", "ang": "ang"}, "two classes would be called ang"),
    ],
)
def test_names_that_columns_cannot_have_are_refused(found, rename, message) -> None:
    with pytest.raises(UsageError, match=message):
        class_names(found, rename)
