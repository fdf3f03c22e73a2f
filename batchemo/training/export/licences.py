"""The licences and the citations of the corpora that are known by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

NOT_KNOWN = "not known"


class CorpusTerms(NamedTuple):
    """What a corpus asks of those who train on it."""

    licence: str
    citation: str


_RAVDESS = CorpusTerms(
    "CC BY-NC-SA 4.0",
    "Livingstone & Russo (2018), The Ryerson Audio-Visual Database of Emotional Speech and"
    " Song (RAVDESS), PLoS ONE 13(5): e0196391, CC BY-NC-SA 4.0",
)

CORPUS_TERMS: Mapping[str, CorpusTerms] = {
    "ravdess": _RAVDESS,
    "ravdess_song": _RAVDESS,
    "nemo": CorpusTerms(
        "CC BY-NC-SA 4.0",
        "Christop (2024), nEMO: Dataset of Emotional Speech in Polish, LREC-COLING,"
        " CC BY-NC-SA 4.0",
    ),
    "emovo": CorpusTerms(
        "for research only",
        "Costantini et al. (2014), EMOVO Corpus: an Italian Emotional Speech Database, LREC",
    ),
    "crema-d": CorpusTerms(
        "ODbL 1.0",
        "Cao et al. (2014), CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset, IEEE"
        " Transactions on Affective Computing 5(4), ODbL 1.0",
    ),
    "tess": CorpusTerms(
        "CC BY-NC-ND 4.0",
        "Pichora-Fuller & Dupuis (2020), Toronto emotional speech set (TESS), Borealis,"
        " CC BY-NC-ND 4.0",
    ),
    "savee": CorpusTerms(
        "for research only",
        "Haq & Jackson (2010), Multimodal Emotion Recognition, in: Machine Audition (SAVEE)",
    ),
    "emodb": CorpusTerms(
        "CC BY 4.0",
        "Burkhardt et al. (2005), A Database of German Emotional Speech, Interspeech (EmoDB),"
        " CC BY 4.0",
    ),
    "speechocean": CorpusTerms(
        "free, also commercially",
        "Zhang et al. (2021), speechocean762: An Open-Source Non-native English Speech Corpus For"
        " Pronunciation Assessment, Interspeech",
    ),
    "emospeech": CorpusTerms(
        "CC BY-NC-SA 4.0",
        "emospeech, words in English and Hindi, recorded on telephones in India, CC BY-NC-SA 4.0",
    ),
}


def weights_licence(corpora: Sequence[str]) -> str:
    """Return the licence of weights that were trained on these corpora.

    >>> weights_licence(["nemo", "ravdess"]), weights_licence(["calls"])
    ('CC BY-NC-SA 4.0', 'not stated: it depends on the licences of calls')
    """
    licences = set(training_data_licences(corpora).values())
    # Which licence weights need that stem from several is for lawyers to say.
    if len(licences) == 1 and licences != {NOT_KNOWN}:
        return licences.pop()
    return f"not stated: it depends on the licences of {', '.join(corpora)}"


def training_data_licences(corpora: Sequence[str]) -> dict[str, str]:
    """Return the licence of each of these corpora.

    >>> training_data_licences(["ravdess", "calls"])
    {'ravdess': 'CC BY-NC-SA 4.0', 'calls': 'not known'}
    """
    return {
        name: CORPUS_TERMS[name].licence if name in CORPUS_TERMS else NOT_KNOWN for name in corpora
    }


def citations_for(corpora: Sequence[str]) -> list[str]:
    """Return what to cite for these corpora, as far as it is known."""
    known = (CORPUS_TERMS[name].citation for name in corpora if name in CORPUS_TERMS)
    return list(dict.fromkeys(known))
