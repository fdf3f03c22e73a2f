"""The names of a source's classes: the usual ones where they are meant, or as they are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from batchemo.common.text import for_display
from batchemo.corpora.labels import SYNONYMS
from batchemo.errors import UsageError
from batchemo.tables.columns import MEASURED

# As corpora and checkpoints shorten them; folders of recordings hardly do.
_SHORT = {
    "neu": "neutral",
    "hap": "happy",
    "ang": "angry",
    "fea": "fearful",
    "dis": "disgust",
    "sur": "surprised",
}
USUAL: Mapping[str, str] = MappingProxyType(SYNONYMS | _SHORT)
"""The usual label that a name in lower case stands for."""

_PLAIN = re.compile(r"(?!\.\.?$)[A-Za-z0-9._-]+")
_UNNAMED = re.compile(r"LABEL_[0-9]+")


def class_names(
    found: Sequence[str], rename: Mapping[str, str], *, own: bool = False
) -> tuple[str, ...]:
    """Return the label of each class; with `own`, only those that are renamed are changed.

    Two names that stand for one usual label both stay as they are.

    >>> class_names(["ANG", "joy", "bliss"], {"bliss": "calm"})
    ('angry', 'happy', 'calm')
    >>> class_names(["joy", "happiness", "ang"], {})
    ('joy', 'happiness', 'angry')
    """
    _check_renamed(found, rename)
    wanted = [rename.get(name) or (name if own else _usual(name)) for name in found]
    counts = Counter(wanted)
    labels = [
        name if counts[label] > 1 and name not in rename else label
        for name, label in zip(found, wanted, strict=True)
    ]
    _check(labels)
    return tuple(labels)


def dimension_names(found: Sequence[str], rename: Mapping[str, str]) -> tuple[str, ...]:
    """Return the column of each dimension.

    >>> dimension_names(["Arousal", "pleasure"], {"pleasure": "valence"})
    ('arousal', 'valence')
    """
    _check_renamed(found, rename)
    names = [rename.get(name, name.strip().casefold()) for name in found]
    unknown = [name for name in names if name not in MEASURED]
    if unknown or len(set(names)) < len(names):
        raise UsageError(
            f"the model gives {for_display(', '.join(found))}, and there are columns for "
            f"{', '.join(MEASURED)}, each of them once: --dimensions LIST names what it gives, in "
            "its order, and --label OLD=NEW one of them"
        )
    return tuple(names)


def _check_renamed(found: Sequence[str], rename: Mapping[str, str]) -> None:
    if missing := sorted(rename.keys() - set(found)):
        raise UsageError(
            f"--label {for_display(missing[0])}=…: the model has no such label; it has "
            f"{for_display(', '.join(found))}"
        )


def _usual(name: str) -> str:
    key = "".join(name.casefold().split())
    known = USUAL.get(key, key if key in USUAL.values() else None)
    return name.strip() if known is None else known


def _check(labels: Sequence[str]) -> None:
    if any(_UNNAMED.fullmatch(label) for label in labels):
        raise UsageError(
            f"the classes of this model have no names ({for_display(', '.join(labels))}): ask its "
            "author for them, and give them in their order with --labels a,b,c"
        )
    if odd := [label for label in labels if not _PLAIN.fullmatch(label)]:
        raise UsageError(
            f"{for_display(repr(odd[0]))} cannot be a label, as columns are named after it: use "
            "letters, digits, '.', '_' and '-'. --labels a,b,c names all classes in their order, "
            "--label OLD=NEW one of them"
        )
    if repeated := [label for label, count in Counter(labels).items() if count > 1]:
        raise UsageError(f"two classes would be called {repeated[0]}: --labels a,b,c names them")
