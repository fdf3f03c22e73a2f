"""The page about corpora says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchemo.corpora import KNOWN_LABELS, LAYOUTS
from batchemo.corpora.labels import SYNONYMS

PAGE = (Path(__file__).parents[2] / "docs" / "corpora.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_each_corpus_has_its_row(layout) -> None:
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| `{layout.corpus}` |")]

    _, _, _, shown, speaker, classes, _ = map(str.strip, row.split("|"))
    assert shown.replace("`", "") == layout.shown.replace(" or ", ", ")
    example = layout.parse(Path(), shown.split(",")[0].strip("`"))
    assert speaker.strip("`") == example.speaker
    missing = classes.removeprefix("all but ").partition(";")[0].split(", ")
    assert set(layout.emotions.values()) == set(KNOWN_LABELS) - set(missing)


def test_each_synonym_is_documented() -> None:
    rows = [line.split("|")[1:3] for line in PAGE.splitlines() if line.count("|") == 3]
    documented = {
        word.strip(): label.strip()
        for label, words in rows
        if label.strip() in KNOWN_LABELS
        for word in words.split(",")
    }

    assert documented == SYNONYMS
