"""The page that puts systems and protocols side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from batchemo.evaluation.markdown import (
    NOTHING,
    figure,
    plain,
    share,
    table,
)
from batchemo.evaluation.results import (
    FIGURES,
    PROTOCOL_SUBJECTS,
    Evaluation,
    Figure,
    GroupFigures,
)

ByProtocol = Mapping[str, Evaluation]

_IN_PAGE = ("channel", "gender", "intensity")
_TWO = ("uar", "accuracy")

_INTRODUCTION = """\
# Accuracy

Every figure stands under the protocol that gave it. **`speaker` is the headline**: what to expect
of people who were not among those that the system learnt from. `random` knows the speakers from
other recordings. **`leaky` is no measure of accuracy on new speech**: copies of the same recordings
lie on both sides, which is how figures like those claimed come about.

Figures are the mean over seeds ± the standard deviation over seeds, and in brackets the 95 %
interval over actors (bootstrap: had other actors like these been recorded). A seed's figure is the
mean of its folds'. UAR is the mean of the classes' recalls; ECE, the expected calibration error
(10 bins), is how far confidence is from the share that is right.
"""


def accuracy_page(
    evaluations: Sequence[Evaluation], claims: Mapping[str, str], *, command: str
) -> str:
    """The whole page as Markdown, in the order of the claims; `command` makes it again."""
    subjects = _by_subject(evaluations, claims)
    head = ["system", "`speaker` UAR", "`speaker` accuracy", "`random` UAR", "`random` accuracy"]
    rows = [
        [
            f"[`{name}`](#{name})",
            *(_cell(found, protocol, kind) for protocol in ("speaker", "random") for kind in _TWO),
        ]
        for name, found in subjects.items()
    ]
    leaky = [
        [
            f"`{name}`",
            *(_cell(found, "leaky", kind) for kind in ("accuracy", "macro_f1", "uar")),
            plain(claims.get(name, NOTHING)),
        ]
        for name, found in subjects.items()
    ]
    parts = [
        _INTRODUCTION,
        f"Made by `{command}`.\n",
        table(head, rows) + "\n",
        "## Beside the claims\n",
        f"`leaky`: {PROTOCOL_SUBJECTS['leaky'].removeprefix('LEAKY: ')}.\n",
        table(["system", *map(_leaky, ("accuracy", "macro_f1", "uar")), "claimed"], leaky) + "\n",
        "## How it was measured\n",
        *_protocols(subjects.values()),
        *(part for name, found in subjects.items() for part in _section(name, found)),
    ]
    return "\n".join(parts)


def _leaky(kind: str) -> str:
    return f"`leaky` {FIGURES[kind]}"


def _by_subject(
    evaluations: Iterable[Evaluation], claims: Mapping[str, str]
) -> dict[str, ByProtocol]:
    """The systems in the order of the claims, then others; each one's protocols in order."""
    every = list(evaluations)
    names = [*claims, *(one.info.subject for one in every if one.info.subject not in claims)]
    return {
        name: _by_protocol([one for one in every if one.info.subject == name])
        for name in dict.fromkeys(names)
    }


def _by_protocol(evaluations: Iterable[Evaluation]) -> ByProtocol:
    found = {one.info.protocol: one for one in evaluations}
    order = [*PROTOCOL_SUBJECTS, *(name for name in found if name not in PROTOCOL_SUBJECTS)]
    return {name: found[name] for name in order if name in found}


def _cell(found: ByProtocol, protocol: str, kind: str) -> str:
    if protocol not in found:
        return NOTHING
    told = figure(found[protocol].figures[kind], interval=protocol == "speaker")
    return f"**{told}**" if (protocol, kind) == ("speaker", "uar") else told


def _protocols(subjects: Iterable[ByProtocol]) -> Iterator[str]:
    """What each protocol does, once."""
    told = {
        name: one.info.protocol_description for found in subjects for name, one in found.items()
    }
    for name in sorted(told, key=[*PROTOCOL_SUBJECTS, *told].index):
        yield f"- `{name}`: {plain(told[name])}"
    yield ""


def _section(name: str, found: ByProtocol) -> Iterator[str]:
    yield f"## {plain(name)}\n"
    if not found:
        yield "Not evaluated.\n"
        return
    head = ["", *(f"`{protocol}`" for protocol in found)]
    rows = [
        ["recordings", *(f"{one.recordings:,}" for one in found.values())],
        ["speakers", *(str(one.speakers) for one in found.values())],
        ["seeds", *(str(len(one.seeds)) for one in found.values())],
        *_figures(found),
    ]
    yield table(head, rows) + "\n"
    yield "Recall by class:\n"
    yield table(head, list(_recalls(found))) + "\n"
    rows = list(_groups(found))
    if rows:
        yield "Accuracy by group:\n"
        yield table(head, rows) + "\n"
    notes = dict.fromkeys(note for one in found.values() for note in one.info.notes)
    if notes:
        yield "\n".join(f"- {plain(note)}" for note in notes) + "\n"


def _figures(found: ByProtocol) -> Iterator[list[str]]:
    """The figures that are known under any protocol, grouped by speaker last."""
    known: dict[str, list[Figure | None]] = {
        told: [one.figures.get(kind) for one in found.values()] for kind, told in FIGURES.items()
    }
    for kind in _TWO:
        known[f"{FIGURES[kind]}, grouped by speaker"] = [
            one.speaker_adapted.figures[kind] if one.speaker_adapted else None for one in found.values()
        ]
    for told, figures in known.items():
        if any(figures):
            yield [told, *(NOTHING if f is None else figure(f, interval=False) for f in figures)]


def _recalls(found: ByProtocol) -> Iterator[list[str]]:
    known = [{of.label: of.recall for of in one.classes} for one in found.values()]
    for label in dict.fromkeys(label for recalls in known for label in recalls):
        yield [plain(label), *(share(recalls.get(label)) for recalls in known)]


def _groups(found: ByProtocol) -> Iterator[list[str]]:
    """The groupings that part the recordings under any protocol."""
    for grouping in _IN_PAGE:
        known = [_named(one.groups[grouping]) for one in found.values()]
        names = dict.fromkeys(name for groups in known for name in groups)
        if len(names) > 1:
            for name in names:
                cells = [
                    share(groups[name].accuracy if name in groups else None) for groups in known
                ]
                yield [f"{grouping}: {plain(name)}", *cells]


def _named(groups: Iterable[GroupFigures]) -> dict[str, GroupFigures]:
    return {group.name: group for group in groups}
