"""Turns in an annotation document of ELAN (EAF): the annotations of its tiers.

XML from anywhere can ask a reader to fetch files, or to build gigabytes of a few lines. All of that
needs a document type, which no EAF has: it is refused before anything of it is looked at.
"""

from __future__ import annotations

from xml.parsers import expat

from batchemo.common.turns import Turn
from batchemo.sources.turns.values import (
    TurnsError,
    add_turn,
    content_of,
    seconds_of,
    shortened,
    speaker_of,
)


def read_elan(path: str) -> list[Turn]:
    """Read the annotations of all tiers that depend on no other; the participant is the speaker.

    A tier without a participant is called by its name. Tiers below others divide their annotations,
    into words for instance.
    """
    document = _Document()
    try:
        document.parser.Parse(content_of(path), True)
    except expat.ExpatError as error:
        raise TurnsError(f"it is no XML that can be read: {error}") from None
    except (LookupError, ValueError) as error:  # An encoding that there is not.
        raise TurnsError(f"it is no XML that can be read: {shortened(str(error))}") from None
    return document.turns()


class _Document:
    """What was read so far: the times by their names, and the annotations by those."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse
        self._root: str | None = None
        self._slots: dict[str, float] = {}
        self._tier: str | None = None
        self._is_top = False
        self._refs: list[tuple[str, str, str | None]] = []

    def _refuse(self, *_: object) -> None:
        raise TurnsError("it has a document type, which EAF has not: such XML is not read")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._root is None:
            self._root = name
            if name != "ANNOTATION_DOCUMENT":
                raise TurnsError(f"it is XML, but no EAF: it begins with {shortened(name)!r}")
        if name == "HEADER":
            units = attributes.get("TIME_UNITS", "milliseconds")
            if units != "milliseconds":
                raise TurnsError(f"its times are {shortened(units)!r}, and not milliseconds")
        elif name == "TIME_SLOT" and "TIME_VALUE" in attributes:
            seconds = seconds_of(attributes["TIME_VALUE"]) / 1000
            self._slots[attributes.get("TIME_SLOT_ID", "")] = seconds
        elif name == "TIER":
            names = attributes.get("PARTICIPANT") or attributes.get("TIER_ID") or ""
            self._tier, self._is_top = speaker_of(names), "PARENT_REF" not in attributes
        elif name == "ALIGNABLE_ANNOTATION" and self._is_top:
            first, last = (attributes.get(f"TIME_SLOT_REF{number}", "") for number in (1, 2))
            self._refs.append((first, last, self._tier))

    def turns(self) -> list[Turn]:
        """Return the annotations with their times."""
        found: list[Turn] = []
        for first, last, speaker in self._refs:
            if first not in self._slots or last not in self._slots:
                name = shortened(first if first not in self._slots else last)
                raise TurnsError(f"an annotation begins or ends at {name!r}, which has no time")
            add_turn(found, Turn(self._slots[first], self._slots[last], speaker))
        return found
