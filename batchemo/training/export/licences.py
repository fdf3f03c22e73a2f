"""The licences and the citations of the corpora that are known by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Credit(NamedTuple):
    """What a corpus asks of those who train on it."""

    licence: str
    citation: str


CREDITS: Mapping[str, Credit] = {
    "ravdess": Credit(
        "CC BY-NC-SA 4.0",
        "Livingstone & Russo (2018), The Ryerson Audio-Visual Database of Emotional Speech and"
        " Song (RAVDESS), PLoS ONE 13(5): e0196391, CC BY-NC-SA 4.0",
    ),
    "nemo": Credit(
        "CC BY-NC-SA 4.0",
        "Christop (2024), nEMO: Dataset of Emotional Speech in Polish, LREC-COLING,"
        " CC BY-NC-SA 4.0",
    ),
    "emovo": Credit(
        "for research only",
        "Costantini et al. (2014), EMOVO Corpus: an Italian Emotional Speech Database, LREC",
    ),
    "crema-d": Credit(
        "ODbL 1.0",
        "Cao et al. (2014), CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset, IEEE"
        " Transactions on Affective Computing 5(4), ODbL 1.0",
    ),
    "tess": Credit(
        "CC BY-NC-ND 4.0",
        "Pichora-Fuller & Dupuis (2020), Toronto emotional speech set (TESS), Borealis,"
        " CC BY-NC-ND 4.0",
    ),
    "savee": Credit(
        "for research only",
        "Haq & Jackson (2010), Multimodal Emotion Recognition, in: Machine Audition (SAVEE)",
    ),
    "emodb": Credit(
        "for research only",
        "Burkhardt et al. (2005), A Database of German Emotional Speech, Interspeech (EmoDB)",
    ),
}


def licence_of(corpora: Sequence[str]) -> str:
    """The licence of weights that were trained on these corpora.

    >>> licence_of(["nemo", "ravdess"]), licence_of(["calls"])
    ('CC BY-NC-SA 4.0', 'not stated: it depends on the licences of calls')
    """
    known = {CREDITS[name].licence for name in corpora if name in CREDITS}
    unknown = [name for name in corpora if name not in CREDITS]
    if len(known) == 1 and not unknown:
        return known.pop()
    return f"not stated: it depends on the licences of {', '.join(corpora)}"


def citations_of(corpora: Sequence[str]) -> list[str]:
    """What to cite, as far as it is known."""
    return [CREDITS[name].citation for name in corpora if name in CREDITS]
