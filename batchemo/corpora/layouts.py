"""How well-known corpora name their files: a pattern and a few tables for each.

A name is matched as a whole from its folder or its first character on, so that a name that only
resembles those of a corpus is not taken for one of its recordings.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from batchemo.common.text import for_display
from batchemo.corpora.example import EMOTIONS, Example
from batchemo.errors import UsageError
from batchemo.sources.manifest import read_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the file names of one corpus are built, and what their parts mean."""

    corpus: str
    language: str
    shown: str
    """The name of one file, as an example in messages."""
    pattern: re.Pattern[str]
    """Matches the end of a path without its extension; its groups are keys of the tables."""
    emotions: Mapping[str, str]
    genders: Mapping[str, str] = field(default_factory=dict)
    intensities: Mapping[str, str] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)
    song_corpus: str = ""
    """The corpus of the songs, where these are one by themselves; their speakers are the same."""
    demographics: str = ""
    """The name of a table, in the folder of the recordings or above it, that has the genders."""

    def parse(self, folder: Path, file: str) -> Example | None:
        """Parse the name of a file; None if it is not of this corpus.

        >>> LAYOUTS["emodb"].parse(Path("wav"), "03a01Fa.wav").emotion
        'happy'
        """
        match = self.pattern.search(os.path.splitext(file)[0])
        if match is None:
            return None
        parts = match.groupdict(default="")
        channel = self.channels.get(parts.get("channel", ""), "speech")
        is_song = channel == "song" and self.song_corpus
        return Example(
            path=folder / file,
            corpus=self.song_corpus if is_song else self.corpus,
            speaker=f"{self.corpus}-{parts['speaker']}",
            gender=self.genders.get(parts["speaker"], ""),
            emotion=self.emotions[parts["emotion"]],
            intensity=self.intensities.get(parts.get("intensity", ""), ""),
            statement=parts["statement"],
            language=self.language,
            channel=channel,
        )


def _name_pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|/){pattern}\Z", re.VERBOSE | re.ASCII)


def _genders(*, female: str, male: str) -> dict[str, str]:
    return dict.fromkeys(female.split(), "female") | dict.fromkeys(male.split(), "male")


RAVDESS = Layout(
    corpus="ravdess",
    language="en",
    shown="03-01-06-01-02-01-12.wav",
    # 01 is the sound of a film, 03 sound alone; 02 is a film without sound.
    pattern=_name_pattern(
        r"""0[13] - (?P<channel>0[12]) - (?P<emotion>0[1-8]) - (?P<intensity>0[12])
        - (?P<statement>0[12]) - 0[12] - (?P<speaker>0[1-9]|1[0-9]|2[0-4])"""
    ),
    emotions={f"{code:02d}": emotion for code, emotion in enumerate(EMOTIONS, 1)},
    genders={f"{actor:02d}": "male" if actor % 2 else "female" for actor in range(1, 25)},
    intensities={"01": "normal", "02": "strong"},
    channels={"01": "speech", "02": "song"},
    song_corpus="ravdess_song",
)

CREMA_D = Layout(
    corpus="crema-d",
    language="en",
    shown="1001_DFA_ANG_XX.wav",
    # One file of the corpus ends in a single X.
    pattern=_name_pattern(
        r"""(?P<speaker>1[0-9]{3}) _ (?P<statement>[A-Z]{3})
        _ (?P<emotion>ANG|DIS|FEA|HAP|NEU|SAD) _ (?P<intensity>LO|MD|HI|XX?)"""
    ),
    emotions={
        "ANG": "angry",
        "DIS": "disgust",
        "FEA": "fearful",
        "HAP": "happy",
        "NEU": "neutral",
        "SAD": "sad",
    },
    intensities={"LO": "low", "MD": "medium", "HI": "high"},
    demographics="VideoDemographics.csv",
)

TESS = Layout(
    corpus="tess",
    language="en",
    shown="OAF_back_angry.wav",
    # One file of the corpus has lost its F.
    pattern=_name_pattern(
        r"""(?P<speaker>OA|YA)F? _ (?P<statement>[^_/]+)
        _ (?P<emotion>angry|disgust|fear|happy|neutral|ps|sad)"""
    ),
    emotions={
        "angry": "angry",
        "disgust": "disgust",
        "fear": "fearful",
        "happy": "happy",
        "neutral": "neutral",
        "ps": "surprised",
        "sad": "sad",
    },
    genders=_genders(female="OA YA", male=""),
)

SAVEE = Layout(
    corpus="savee",
    language="en",
    shown="DC_a01.wav or DC/a01.wav",
    pattern=_name_pattern(
        r"(?P<speaker>DC|JE|JK|KL) [_/] (?P<emotion>a|d|f|h|n|sa|su) (?P<statement>[0-9]{2})"
    ),
    emotions={
        "a": "angry",
        "d": "disgust",
        "f": "fearful",
        "h": "happy",
        "n": "neutral",
        "sa": "sad",
        "su": "surprised",
    },
    genders=_genders(female="", male="DC JE JK KL"),
)

EMODB = Layout(
    corpus="emodb",
    language="de",
    shown="03a01Fa.wav",
    pattern=_name_pattern(
        r"""(?P<speaker>03|08|09|1[0-6]) (?P<statement>[ab][0-9]{2})
        (?P<emotion>[WLEAFTN]) [a-z]?"""
    ),
    # The letters are German: Wut, Langeweile, Ekel, Angst, Freude, Trauer.
    emotions={
        "W": "angry",
        "L": "boredom",
        "E": "disgust",
        "A": "fearful",
        "F": "happy",
        "T": "sad",
        "N": "neutral",
    },
    genders=_genders(female="08 09 13 14 16", male="03 10 11 12 15"),
)

EMOVO = Layout(
    corpus="emovo",
    language="it",
    shown="dis-f1-b1.wav",
    pattern=_name_pattern(
        r"""(?P<emotion>dis|gio|neu|pau|rab|sor|tri) - (?P<speaker>[fm][1-3])
        - (?P<statement>[a-z][0-9])"""
    ),
    emotions={
        "dis": "disgust",
        "gio": "happy",
        "neu": "neutral",
        "pau": "fearful",
        "rab": "angry",
        "sor": "surprised",
        "tri": "sad",
    },
    genders=_genders(female="f1 f2 f3", male="m1 m2 m3"),
)

NEMO = Layout(
    corpus="nemo",
    language="pl",
    shown="SM0_happiness_12.wav",
    pattern=_name_pattern(
        r"""(?P<speaker>[A-Z]{2}[0-9])
        _ (?P<emotion>anger|fear|happiness|neutral|sadness|surprised) _ (?P<statement>[0-9]+)"""
    ),
    emotions={
        "anger": "angry",
        "fear": "fearful",
        "happiness": "happy",
        "neutral": "neutral",
        "sadness": "sad",
        "surprised": "surprised",
    },
    genders=_genders(female="EB0 IC0 KD0 MK0", male="KS0 MP0 SM0 TP0 WR0"),
)

LAYOUTS: Mapping[str, Layout] = {
    layout.corpus: layout for layout in (RAVDESS, CREMA_D, TESS, SAVEE, EMODB, EMOVO, NEMO)
}
"""The corpora that can be read by their file names."""


def read_genders(folder: Path, name: str) -> dict[str, str]:
    """Return the gender of each actor, from the table in the folder or above it; {} without one."""
    candidates = (folder / name, folder.resolve().parent / name)
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        return {}
    try:
        columns = read_table(str(path)).select(["ActorID", "Sex"]).to_pydict()
    except (UsageError, KeyError):
        raise UsageError(
            f"{for_display(str(path))} is no table with the columns ActorID and Sex, as CREMA-D "
            "has it. Fetch it again, or remove it: then genders are unknown."
        ) from None
    genders = zip(columns["ActorID"], columns["Sex"], strict=True)
    return {actor: (gender or "").lower() for actor, gender in genders}
