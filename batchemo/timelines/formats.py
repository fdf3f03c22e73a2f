"""The files of other tools: one for each recording, with what is heard when.

All times are in seconds from the beginning of the recording. Labels and names are hostile: what is
invisible is escaped, so that none can end a line, a field or an element.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from batchemo.common.colours import OTHER_COLOURS
from batchemo.common.text import for_display, from_text
from batchemo.timelines.read import Timeline
from batchemo.timelines.stretches import Stretch


@dataclass(frozen=True, slots=True)
class Format:
    """How a timeline is written for a tool."""

    suffix: str
    text: Callable[[Timeline], str]
    """Returns the content of the file, which is written as UTF-8."""
    beside: Mapping[str, Callable[[Timeline], str]] = field(default_factory=dict)
    """The contents of further files of the same name, by their suffix."""


def audacity(timeline: Timeline) -> str:
    """Return a label track of Audacity: start, end and label, separated by tabs.

    >>> stretches = [Stretch(0.0, 2.5, "calm", 0.9)]
    >>> audacity(Timeline("/rec", "a.wav", 2.5, {"emotion": stretches}))
    '0.000000\\t2.500000\\tcalm\\n'
    """
    return "".join(
        f"{stretch.start:.6f}\t{stretch.end:.6f}\t{label}\n"
        for label, stretch in _labelled(timeline)
    )


def srt(timeline: Timeline) -> str:
    """Return subtitles, as video players show them (SubRip).

    >>> stretches = [Stretch(0.0, 2.5, "calm", 0.9)]
    >>> print(srt(Timeline("/rec", "a.wav", 2.5, {"emotion": stretches})), end="")
    1
    00:00:00,000 --> 00:00:02,500
    calm
    <BLANKLINE>
    """
    return "".join(
        f"{number}\n{_clock(stretch.start)} --> {_clock(stretch.end)}\n{label}\n\n"
        for number, (label, stretch) in enumerate(_labelled(timeline), start=1)
    )


def rttm(timeline: Timeline) -> str:
    """Return lines of RTTM, as tools of speaker diarisation write them, labels for speakers.

    >>> stretches = [Stretch(0.0, 2.5, "calm", 0.9)]
    >>> print(rttm(Timeline("/rec", "a b.wav", 2.5, {"emotion": stretches})), end="")
    SPEAKER a_b 1 0.000 2.500 <NA> <NA> calm <NA> <NA>
    """
    # Fields are separated by spaces, and nothing can be quoted.
    name = "_".join(for_display(Path(timeline.file).stem).split()) or "_"
    return "".join(
        f"SPEAKER {name} 1 {stretch.start:.3f} {stretch.end - stretch.start:.3f}"
        f" <NA> <NA> {'_'.join(label.split()) or '_'} <NA> <NA>\n"
        for label, stretch in _labelled(timeline)
    )


def textgrid(timeline: Timeline) -> str:
    """Return a TextGrid of Praat, in its long form: an interval tier for each tier."""
    end = timeline.duration
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {end:.6f}",
        "tiers? <exists>",
        f"size = {len(timeline.tiers)}",
        "item []:",
    ]
    for number, (tier, stretches) in enumerate(timeline.tiers.items(), start=1):
        intervals = list(_without_gaps(stretches, end))
        lines += [
            f"    item [{number}]:",
            '        class = "IntervalTier"',
            f"        name = {_quoted(tier)}",
            "        xmin = 0",
            f"        xmax = {end:.6f}",
            f"        intervals: size = {len(intervals)}",
        ]
        for index, (start, stop, label) in enumerate(intervals, start=1):
            lines += [
                f"        intervals [{index}]:",
                f"            xmin = {start:.6f}",
                f"            xmax = {stop:.6f}",
                f"            text = {_quoted(label)}",
            ]
    return "\n".join(lines) + "\n"


def elan(timeline: Timeline) -> str:
    """Return an annotation document of ELAN (EAF 3.0): a tier for each tier, in milliseconds."""
    about = {"AUTHOR": "batchemo", "DATE": _NO_DATE, "FORMAT": "3.0", "VERSION": "3.0", **_SCHEMA}
    document = ElementTree.Element("ANNOTATION_DOCUMENT", about)
    header = ElementTree.SubElement(document, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    path = Path(from_text(timeline.root), from_text(timeline.file))
    media = {"MEDIA_URL": path.absolute().as_uri(), "MIME_TYPE": "audio/x-wav"}
    ElementTree.SubElement(header, "MEDIA_DESCRIPTOR", media)
    slots = ElementTree.SubElement(document, "TIME_ORDER")

    def slot(seconds: float) -> str:
        name = f"ts{len(slots) + 1}"
        values = {"TIME_SLOT_ID": name, "TIME_VALUE": str(round(seconds * 1000))}
        ElementTree.SubElement(slots, "TIME_SLOT", values)
        return name

    annotations = 0
    for tier, stretches in timeline.tiers.items():
        names = {"LINGUISTIC_TYPE_REF": "emotion", "TIER_ID": for_display(tier)}
        element = ElementTree.SubElement(document, "TIER", names)
        for stretch in stretches:
            annotations += 1
            annotation = ElementTree.SubElement(
                ElementTree.SubElement(element, "ANNOTATION"),
                "ALIGNABLE_ANNOTATION",
                ANNOTATION_ID=f"a{annotations}",
                TIME_SLOT_REF1=slot(stretch.start),
                TIME_SLOT_REF2=slot(stretch.end),
            )
            value = ElementTree.SubElement(annotation, "ANNOTATION_VALUE")
            value.text = for_display(stretch.label)
    kind = {
        "LINGUISTIC_TYPE_ID": "emotion",
        "TIME_ALIGNABLE": "true",
        "GRAPHIC_REFERENCES": "false",
    }
    ElementTree.SubElement(document, "LINGUISTIC_TYPE", kind)
    ElementTree.indent(document)
    text = ElementTree.tostring(document, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def elan_preferences(timeline: Timeline) -> str:
    """Return the preferences that ELAN reads beside a document: a colour for each tier."""
    about = {"version": "1.1", _SCHEMA_NAME: "http://www.mpi.nl/tools/elan/Prefs_v1.1.xsd"}
    root = ElementTree.Element("preferences", about)
    group = ElementTree.SubElement(root, "prefGroup", key="TierColors")
    for tier, colour in zip(timeline.tiers, cycle(OTHER_COLOURS)):
        preference = ElementTree.SubElement(group, "pref", key=for_display(tier))
        value = ElementTree.SubElement(preference, "Object", {"class": "java.awt.Color"})
        value.text = ",".join(str(byte) for byte in bytes.fromhex(colour[1:]))
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


FORMATS: Mapping[str, Format] = {
    "audacity": Format(".txt", audacity),
    "textgrid": Format(".TextGrid", textgrid),
    "elan": Format(".eaf", elan, {".pfsx": elan_preferences}),
    "srt": Format(".srt", srt),
    "rttm": Format(".rttm", rttm),
}

_NO_DATE = "1970-01-01T00:00:00+00:00"
"""EAF asks for a date; the day of the export would make every file another one."""

_SCHEMA_NAME = "{http://www.w3.org/2001/XMLSchema-instance}noNamespaceSchemaLocation"
_SCHEMA = {_SCHEMA_NAME: "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"}


def _labelled(timeline: Timeline) -> Iterator[tuple[str, Stretch]]:
    """Yield all stretches by time, of several tiers with the tier in the label."""
    several = len(timeline.tiers) > 1
    pairs = [
        (for_display(f"{tier}: {stretch.label}" if several else stretch.label), stretch)
        for tier, stretches in timeline.tiers.items()
        for stretch in stretches
    ]
    yield from sorted(pairs, key=lambda pair: pair[1].start)


def _without_gaps(stretches: list[Stretch], end: float) -> Iterator[tuple[float, float, str]]:
    """Yield intervals that cover the whole recording, without a label where nothing is heard."""
    at = 0.0
    for stretch in stretches:
        if stretch.start > at:
            yield at, stretch.start, ""
        yield stretch.start, stretch.end, stretch.label
        at = stretch.end
    if end > at:
        yield at, end, ""


def _quoted(text: str) -> str:
    return '"' + for_display(text).replace('"', '""') + '"'


def _clock(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02},{milliseconds % 1000:03}"
