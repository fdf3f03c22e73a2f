"""What a model is worth: its own figures on speakers and corpora that it was not trained on.

A bundle may come from anywhere, so a figure can be missing, or be of any type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batchemo.bundles.bundle import Bundle


def uar_unseen_speakers(figures: Mapping[str, Any]) -> float | None:
    """Return the mean recall of the classes on unseen speakers; None where it is not known.

    >>> uar_unseen_speakers({"speaker": {"uar": {"mean": 0.72}}})
    0.72
    """
    return _figure(figures, "uar", "unseen_actors", "speaker")


def uar_unseen_corpora(figures: Mapping[str, Any]) -> float | None:
    """Return the mean recall of the classes on unseen corpora; None where it is not known."""
    return _figure(figures, "uar", "corpus")


def describe_accuracy(bundle: Bundle) -> str | None:
    """Return one sentence on how often the model is right; None where it has no such figures.

    >>> from batchemo.bundles import load_bundle
    >>> print(describe_accuracy(load_bundle("frames62")))
    finds the right one of 8 labels with a mean recall of 0.56 for speakers that it was not \
trained on
    """
    figures = bundle.info["figures"]
    speakers, corpora = uar_unseen_speakers(figures), uar_unseen_corpora(figures)
    known = [
        f"{value:.2f} for {whom} that it was not trained on"
        for value, whom in ((speakers, "speakers"), (corpora, "corpora and languages"))
        if value is not None
    ]
    if not known:
        return None
    return (
        f"finds the right one of {len(bundle.labels)} labels with a mean recall of "
        + ", and of ".join(known)
    )


def _figure(figures: Mapping[str, Any], name: str, *protocols: str) -> float | None:
    """Return the mean of a figure under the first of these protocols that the bundle has."""
    found = next((figures[protocol] for protocol in protocols if protocol in figures), None)
    value = found.get(name) if isinstance(found, Mapping) else None
    value = value.get("mean") if isinstance(value, Mapping) else value
    return value if isinstance(value, float) else None
