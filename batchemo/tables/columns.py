"""The columns of every table by name, in their order, each with the sentence that documents it.

Names that are made of labels and models are written, and read back, here alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

FILES = {
    "root": "the folder, absolute, that the recording was found below",
    "file": "the path below root, with / between the parts; bytes that are no UTF-8 stand as \\xNN",
    "status": "ok, or failed",
    "reason": "why it failed, a code (see docs/audio.md); null where status is ok",
    "detail": "what was found, in words; null where status is ok",
    "emotion": "the label of the highest probability; null where status is failed",
    "confidence": "the calibrated probability of that label",
    "margin": "how far the second label's probability lies below it",
    "p_<label>": "the calibrated probability of each label, in the order of the model's labels",
    "windows": "how many windows the recording was cut into, those without speech included",
    "duration": "seconds of sound",
    "sample_rate": "samples a second in the file",
    "channels": "channels in the file",
    "rms_db": "level of the whole signal, dB below full scale",
    "clipped": "share of the samples that lie in clipped runs",
    "silence": "share of the signal that is silent",
    "size": "bytes of the file that was read",
    "mtime": "when that file was last changed, UTC",
    "model": "the model with the start of its digest, and the settings that are not its defaults",
}
"""The files table: one row a recording."""

VOTES = {
    "agreement": "share of the models whose own label is the row's `emotion`",
    "emotion_<model>": "that model's label of the highest probability",
    "confidence_<model>": "that model's calibrated probability of its label",
    "margin_<model>": "how far its second label's probability lies below it",
    "p_<label>_<model>": "that model's calibrated probability of each label",
}
"""What follows `p_<label>` where several models heard: the agreement, then the rest of these for
each model in turn. The columns before them are then the verdict of all models together."""

TOGETHER = {
    **FILES,
    "emotion": "the label of the highest mean probability; null where status is failed",
    "confidence": "the mean of the models' probabilities of that label",
    "margin": "how far the second label's mean lies below it",
    "p_<label>": "the mean of the models' probabilities of each label",
    "model": "the models in their order, each with the start of its digest and its settings",
    **VOTES,
}
"""What the columns of a files table of several models mean."""

SEGMENTS = {
    "root": "as in the files table",
    "file": "as in the files table",
    "start": "where the window begins, in seconds",
    "end": "where it ends, in seconds",
    "emotion": "the label of the highest probability; null for a window without speech",
    "confidence": "the calibrated probability of that label",
    "p_<label>": "the calibrated probability of each label; null for a window without speech",
}
"""The segments table: one row a window of every recording whose status is ok."""

WINDOWS_MODEL = {"model": "the model whose window it is, by its name"}
"""What follows `file` in the segments table of several models: windows are a model's own."""

SUMMARY = {
    "group": "the group, or `all`",
    "status": "ok, or failed",
    "emotion": "the emotion counted in this row; null for failures",
    "reason": "the reason of failure counted in this row; null for emotions",
    "files": "how many recordings",
    "share": "share of the group's recordings of that status",
    "minutes": "how many minutes of sound they hold, as far as it is known",
    "mean_confidence": "mean of their confidence; null for failures",
}
"""The summary: one row an emotion or a reason of failure, in every group."""


def probability_columns(labels: Iterable[str]) -> list[str]:
    """Name the column of each label.

    >>> probability_columns(["happy", "sad"])
    ['p_happy', 'p_sad']
    """
    return [f"p_{label}" for label in labels]


VOTED = ("emotion", "confidence", "margin")
"""What each of several models has of its own, beside its probabilities."""


def vote_columns(labels: Iterable[str], model: str) -> list[tuple[str, str]]:
    """Name the columns of one model among several, each with what it is documented as.

    >>> [name for name, _ in vote_columns(["happy"], "mfcc40")]
    ['emotion_mfcc40', 'confidence_mfcc40', 'margin_mfcc40', 'p_happy_mfcc40']
    """
    plain = [(f"{name}_{model}", f"{name}_<model>") for name in VOTED]
    return plain + [(f"{p}_{model}", "p_<label>_<model>") for p in probability_columns(labels)]


def files_columns(labels: Sequence[str], models: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Name the files table's columns in order, each with what it is documented as.

    `models` are the names of several; a single one has no columns of its own.
    """
    columns = []
    for name in FILES:
        if name != "p_<label>":
            columns.append((name, name))
            continue
        columns += [(column, name) for column in probability_columns(labels)]
        if models:
            columns.append(("agreement", "agreement"))
        for model in models:
            columns += vote_columns(labels, model)
    return columns


def segments_columns(labels: Sequence[str], *, several: bool = False) -> list[tuple[str, str]]:
    """Name the segments table's columns in order, each with what it is documented as."""
    columns = []
    for name in SEGMENTS:
        if name == "p_<label>":
            columns += [(column, name) for column in probability_columns(labels)]
        else:
            columns.append((name, name))
        if name == "file" and several:
            columns += [(model, model) for model in WINDOWS_MODEL]
    return columns


def labels_of(columns: Iterable[str]) -> list[str]:
    """Read the labels back from the names of a table's columns.

    Only the columns between `margin` or `confidence` and the next known one count, so that a
    manifest's own `p_value` is none.

    >>> labels_of(["confidence", "margin", "p_happy", "p_sad", "windows", "p_value"])
    ['happy', 'sad']
    """
    labels: list[str] = []
    inside = False
    for name in columns:
        if name in ("confidence", "margin"):
            inside = True
        elif inside and name.startswith("p_"):
            labels.append(name[2:])
        elif inside:
            break
    return labels


def models_of(columns: list[str]) -> list[str]:
    """Read the names of several models back from a files table's columns; none for a single one.

    Their columns are known by their places, right behind those of the labels, and not by how they
    look: no name of a label, of a model or of a manifest's column can be taken for another.

    >>> of_a = [name for name, _ in vote_columns(["sad"], "a")]
    >>> models_of(["margin", "p_sad", "agreement", *of_a, "windows"])
    ['a']
    """
    labels = labels_of(columns)
    place = columns.index(f"p_{labels[-1]}") + 1 if labels else len(columns)
    if columns[place : place + 1] != ["agreement"]:
        return []
    place += 1
    models: list[str] = []
    while place < len(columns):
        emotion, _, model = columns[place].partition("_")
        block = [name for name, _ in vote_columns(labels, model)]
        if emotion != "emotion" or columns[place : place + len(block)] != block:
            break
        models.append(model)
        place += len(block)
    return models


def reserved_columns(labels: Sequence[str], models: Sequence[str] = ()) -> frozenset[str]:
    """Give the names that a manifest's own column may not take in the files table."""
    return frozenset(name for name, _ in files_columns(labels, models))
