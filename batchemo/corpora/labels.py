"""The names of emotions: one spelling each, and no label that nobody asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from batchemo.common.text import for_display
from batchemo.corpora.example import KNOWN, Example
from batchemo.errors import UsageError

_OTHER_WORDS = {
    "calm": ("calmness",),
    "happy": ("happiness", "joy", "joyful"),
    "sad": ("sadness",),
    "angry": ("anger",),
    "fearful": ("fear", "afraid", "scared", "anxiety"),
    "disgust": ("disgusted",),
    "surprised": ("surprise", "ps", "pleasantsurprise", "pleasant_surprise"),
    "boredom": ("bored",),
}
SYNONYMS = {word: label for label, words in _OTHER_WORDS.items() for word in words}
"""Other words for the known labels, in small letters and without blanks."""

_PLAIN = re.compile(r"(?!\.\.?$)[A-Za-z0-9._-]+")
"""What a bundle takes as the name of a class."""


class Vocabulary:
    """The labels that may occur, and the names that stand for them.

    >>> Vocabulary(rename={"calm": "neutral"}).label("Calm"), Vocabulary().label(" Fear ")
    ('neutral', 'fearful')
    """

    def __init__(self, labels: Sequence[str] = (), rename: Mapping[str, str] | None = None) -> None:
        self.labels = tuple(labels) or KNOWN
        _check(self.labels)
        synonyms = {word: label for word, label in SYNONYMS.items() if label in self.labels}
        self._spelling = synonyms | {_key(label): label for label in self.labels}
        self._rename = {_key(old): new.strip() for old, new in (rename or {}).items()}

    def label(self, word: str) -> str:
        """The label that a word stands for; "" if it was renamed to nothing.

        A word that stands for no label is given back as it is.
        """
        for said in (word, self._spelled(word)):
            if (new := self._rename.get(_key(said))) is not None:
                return self._spelled(new)
        return self._spelled(word)

    def _spelled(self, word: str) -> str:
        return self._spelling.get(_key(word), word)


@dataclass(slots=True)
class _Unknown:
    first: Example
    count: int = 0


def relabel(examples: Sequence[Example], vocabulary: Vocabulary) -> tuple[Example, ...]:
    """Spell all labels as the vocabulary does, and leave out what was renamed to nothing."""
    kept: list[Example] = []
    unknown: dict[str, _Unknown] = {}
    for example in examples:
        label = vocabulary.label(example.emotion)
        if label in vocabulary.labels:
            kept.append(replace(example, emotion=label))
        elif label:
            unknown.setdefault(label, _Unknown(example)).count += 1
    if unknown:
        raise UsageError(_unknown(unknown, vocabulary))
    return tuple(kept)


def _unknown(unknown: Mapping[str, _Unknown], vocabulary: Vocabulary) -> str:
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


def _check(labels: Sequence[str]) -> None:
    for label in labels:
        if not _PLAIN.fullmatch(label):
            raise UsageError(
                f"{for_display(repr(label))} cannot be the name of a class: "
                "use letters, digits, '.', '_' and '-'."
            )
    keys = [_key(label) for label in labels]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise UsageError(f"These classes are named twice: {', '.join(twice)}.")


def _key(word: str) -> str:
    return "".join(word.casefold().split())
