"""The names of emotions: one spelling each, and no label that was not asked for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from batchemo.common.text import for_display
from batchemo.corpora.example import EMOTIONS, WITHOUT_EQUAL, Example
from batchemo.errors import UsageError

_SYNONYMS_BY_LABEL = {
    "calm": ("calmness",),
    "happy": ("happiness", "joy", "joyful"),
    "sad": ("sadness",),
    "angry": ("anger",),
    "fearful": ("fear", "afraid", "scared", "anxiety"),
    "disgust": ("disgusted",),
    "surprised": ("surprise", "ps", "pleasantsurprise", "pleasant_surprise"),
    "boredom": ("bored",),
}
SYNONYMS = {word: label for label, words in _SYNONYMS_BY_LABEL.items() for word in words}
"""The known label of each synonym, in lower case and without blanks."""

_CLASS_NAME = re.compile(r"(?!\.\.?$)[A-Za-z0-9._-]+")
"""What a bundle accepts as the name of a class: names of columns and files are made of it."""


class LabelVocabulary:
    """The labels that may occur, and the names that stand for them.

    >>> LabelVocabulary(rename={"calm": "neutral"}).label("Calm"), LabelVocabulary().label(" Fear ")
    ('neutral', 'fearful')
    """

    def __init__(self, labels: Sequence[str] = (), rename: Mapping[str, str] | None = None) -> None:
        self.labels = tuple(labels) or EMOTIONS
        self.left_out: tuple[str, ...] = () if labels else WITHOUT_EQUAL
        """Labels whose recordings are left out; with classes of one's own, they are unknown."""
        _check_class_names(self.labels)
        understood = (*self.labels, *self.left_out)
        synonyms = {word: label for word, label in SYNONYMS.items() if label in understood}
        # A class of the corpus's own wins over a synonym: "fear" may be a label itself.
        self._spelling: dict[str, str] = synonyms | {_key(label): label for label in understood}
        self._rename = {_key(old): new.strip() for old, new in (rename or {}).items()}

    def label(self, name: str) -> str:
        """Return the label that a name stands for; "" if it was renamed to nothing.

        A name that stands for no label is returned as it is.
        """
        # Renaming is done once, so that two labels can be swapped; a label can be renamed by the
        # name that the corpus has for it, or by that of this vocabulary.
        for spelling in (name, self._spell(name)):
            if (renamed := self._rename.get(_key(spelling))) is not None:
                return self._spell(renamed)
        return self._spell(name)

    def _spell(self, name: str) -> str:
        return self._spelling.get(_key(name), name)


def relabel(
    examples: Sequence[Example], vocabulary: LabelVocabulary
) -> tuple[tuple[Example, ...], tuple[tuple[str, int], ...]]:
    """Spell all labels as the vocabulary does; leave out examples whose label became "".

    Also returns the labels that the vocabulary leaves out, each with its number of examples.
    Raises `UsageError` with all labels that are not in the vocabulary.
    """
    kept: list[Example] = []
    left_out: Counter[str] = Counter()
    unknown: dict[str, _UnknownLabel] = {}
    for example in examples:
        label = vocabulary.label(example.emotion)
        if label in vocabulary.labels:
            kept.append(replace(example, emotion=label))
        elif label in vocabulary.left_out:
            left_out[label] += 1
        elif label:
            unknown.setdefault(label, _UnknownLabel(example)).count += 1
    if unknown:
        raise UsageError(_unknown_labels_message(unknown, vocabulary))
    return tuple(kept), tuple(sorted(left_out.items()))


@dataclass(slots=True)
class _UnknownLabel:
    first: Example
    count: int = 0


def _unknown_labels_message(
    unknown: Mapping[str, _UnknownLabel], vocabulary: LabelVocabulary
) -> str:
    lines = [
        f"  {for_display(repr(label))}: {found.count}, first {for_display(str(found.first.path))}"
        for label, found in sorted(unknown.items())
    ]
    return "\n".join(
        [
            f"Labels that are not known; known are {', '.join(vocabulary.labels)}.",
            *lines,
            "Say what they stand for with --label old=new, leave their recordings out with "
            "--label old=, or name the classes of your corpus with --labels a,b,c.",
        ]
    )


def _check_class_names(labels: Sequence[str]) -> None:
    for label in labels:
        if not _CLASS_NAME.fullmatch(label):
            raise UsageError(
                f"{for_display(repr(label))} cannot be the name of a class: "
                "use letters, digits, '.', '_' and '-'."
            )
    keys = [_key(label) for label in labels]
    if repeated := sorted({key for key in keys if keys.count(key) > 1}):
        raise UsageError(f"These classes are named twice: {', '.join(repeated)}.")


def _key(name: str) -> str:
    return "".join(name.casefold().split())
