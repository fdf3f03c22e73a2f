"""Turns in lines of text: RTTM, as tools of diarisation write it, and Audacity's label tracks."""

from __future__ import annotations

from batchemo.common.turns import Turn
from batchemo.sources.turns.values import TurnsError, add_turn, lines_of, seconds_of, speaker_of


def read_rttm(path: str) -> dict[str, list[Turn]]:
    """Read the SPEAKER lines of an RTTM file: the turns of each recording that it names.

    The channel is not read: most tools write 1, whatever they have analysed.

        SPEAKER interview 1 12.300 4.120 <NA> <NA> anna <NA> <NA>
    """
    found: dict[str, list[Turn]] = {}
    for number, line in lines_of(path):
        kind, *fields = line.split()
        if kind != "SPEAKER":
            # Other kinds of lines describe speakers and words; ;; begins a comment.
            if not (kind.startswith(";;") or kind.replace("-", "").replace("_", "").isalnum()):
                raise TurnsError(f"line {number:,} is none of RTTM")
            continue
        if len(fields) < 7:
            raise TurnsError(f"line {number:,} has {len(fields) + 1} fields, and not 8 or more")
        name, _, start, duration, _, _, speaker = fields[:7]
        try:
            first, length = seconds_of(start), seconds_of(duration)
            who = None if speaker == "<NA>" else speaker_of(speaker)
        except TurnsError as error:
            raise TurnsError(f"line {number:,}: {error}") from None
        # Rounded: 12.3 + 4.12 is not 16.42.
        turn = Turn(first, round(first + length, 6), who)
        add_turn(found.setdefault(name, []), turn)
    return found


def read_audacity(path: str) -> list[Turn]:
    r"""Read a label track of Audacity; labels are speakers.

    12.300000\t16.420000\tanna
    """
    turns: list[Turn] = []
    for number, line in lines_of(path):
        if line.startswith("\\"):
            continue  # The range of frequencies of the label before it.
        start, *rest = line.split("\t", 2)
        if not rest:
            raise TurnsError(
                f"line {number:,} is no label of Audacity: start, end and label, with tabs between"
            )
        try:
            # Audacity writes a comma where the system does.
            first, last = (seconds_of(text.replace(",", ".")) for text in (start, rest[0]))
            who = speaker_of(rest[1]) if len(rest) > 1 else None
        except TurnsError as error:
            raise TurnsError(f"line {number:,}: {error}") from None
        add_turn(turns, Turn(first, last, who))
    return turns
