"""The columns of every table by name, in their order, each with the sentence that documents it.

Names that are made of labels and models are written, and read back, here alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

RECORDINGS = {
    "root": "the folder, absolute, that the recording was found below",
    "file": "the path below root, with / between the parts; bytes that are no UTF-8 stand as \\xNN",
    "status": "ok, or failed",
    "reason": "why it failed, a code (see docs/audio.md); null where status is ok",
    "detail": "what was found, in words; null where status is ok",
    "emotion": "the label of the highest probability, or uncertain; null where status is failed",
    "confidence": "the calibrated probability of the likeliest label",
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

MODEL_COLUMNS = {
    "agreement": "share of the models whose likeliest label is that of all together",
    "emotion_<model>": "that model's label of the highest probability, or uncertain",
    "confidence_<model>": "that model's calibrated probability of its likeliest label",
    "margin_<model>": "how far its second label's probability lies below it",
    "p_<label>_<model>": "that model's calibrated probability of each label",
}
"""What follows `p_<label>` where several models heard: the agreement, then the rest of these for
each model in turn. The columns before them are then the verdict of all models together."""

SEVERAL_MODELS = {
    **RECORDINGS,
    "emotion": "the label of the highest mean, or uncertain; null where status is failed",
    "confidence": "the mean of the models' probabilities of the likeliest label",
    "margin": "how far the second label's mean lies below it",
    "p_<label>": "the mean of the models' probabilities of each label",
    "model": "the models in their order, each with the start of its digest and its settings",
    **MODEL_COLUMNS,
}
"""What the columns of a files table of several models mean."""

UNADAPTED = {
    "unadapted_<label>": "what `p_<label>` was before it was adapted to the speaker",
    "unadapted_<label>_<model>": "the same of `p_<label>_<model>`, where several models heard",
}
"""What a files table has too, behind its probabilities, where they are adapted to speakers."""

DIMENSIONS = {
    "valence_est": "how pleasant, from -1 to 1: an estimate from the probabilities",
    "arousal_est": "how excited, from -1 to 1: an estimate from the probabilities",
    "dominance_est": "how much in control, from -1 to 1: an estimate from the probabilities",
}
"""What files and segments tables have too, where that is asked for."""

OPTIONAL = {**UNADAPTED, **DIMENSIONS}
"""What stands before `windows` in a files table where it is asked for."""

UNCERTAIN = "uncertain"
"""Stands for the label where its confidence is below what was asked for."""

DERIVED = ({"emotion", "confidence", "margin"} | MODEL_COLUMNS.keys() | OPTIONAL.keys()) - {
    "p_<label>_<model>"
}
"""The columns that follow from others of the same row, and from the speaker's other rows."""

SEGMENTS = {
    "root": "as in the files table",
    "file": "as in the files table",
    "start": "where the window begins, in seconds",
    "end": "where it ends, in seconds",
    "emotion": "the label of the highest probability, or uncertain; null without speech",
    "confidence": "the calibrated probability of the likeliest label",
    "p_<label>": "the calibrated probability of each label; null for a window without speech",
}
"""The segments table: one row a window of every recording whose status is ok."""

SEGMENT_MODEL = {"model": "the model whose window it is, by its name"}
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


def model_probability_columns(labels: Iterable[str], model: str) -> list[str]:
    """Name the column of each label for one model among several.

    >>> opinion_columns(["happy", "sad"], "mfcc40")
    ['p_happy_mfcc40', 'p_sad_mfcc40']
    """
    return [f"{name}_{model}" for name in probability_columns(labels)]


LABEL_COLUMNS = ("emotion", "confidence", "margin")
"""What each of several models has of its own, beside its probabilities."""


def model_columns(labels: Iterable[str], model: str) -> list[tuple[str, str]]:
    """Name the columns of one model among several, each with what it is documented as.

    >>> [name for name, _ in vote_columns(["happy"], "mfcc40")]
    ['emotion_mfcc40', 'confidence_mfcc40', 'margin_mfcc40', 'p_happy_mfcc40']
    """
    plain = [(f"{name}_{model}", f"{name}_<model>") for name in LABEL_COLUMNS]
    return plain + [
        (name, "p_<label>_<model>") for name in model_probability_columns(labels, model)
    ]


def unadapted_columns(labels: Iterable[str], models: Iterable[str]) -> list[tuple[str, str]]:
    """Name the columns that keep the probabilities as they were, each with its documentation.

    >>> [name for name, _ in unadapted_columns(["happy"], ["mfcc40"])]
    ['unadapted_happy', 'unadapted_happy_mfcc40']
    """
    labels = list(labels)
    columns = [(f"unadapted_{label}", "unadapted_<label>") for label in labels]
    for model in models:
        columns += [(f"unadapted_{n}_{model}", "unadapted_<label>_<model>") for n in labels]
    return columns


def _blocks(labels: Sequence[str], models: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Give what a files table may also have, by name, in its order."""
    return {
        "unadapted": unadapted_columns(labels, models),
        "dimensions": [(name, name) for name in DIMENSIONS],
    }


def recordings_columns(
    labels: Sequence[str], models: Sequence[str] = (), optional: Collection[str] = ()
) -> list[tuple[str, str]]:
    """Name the files table's columns in order, each with what it is documented as.

    `models` are the names of several; a single one has no columns of its own. `optional` may hold
    "unadapted" and "dimensions".
    """
    columns = []
    for name in RECORDINGS:
        if name != "p_<label>":
            columns.append((name, name))
            continue
        columns += [(column, name) for column in probability_columns(labels)]
        if models:
            columns.append(("agreement", "agreement"))
        for model in models:
            columns += model_columns(labels, model)
        for block, theirs in _blocks(labels, models).items():
            columns += theirs if block in optional else []
    return columns


def segments_columns(
    labels: Sequence[str], *, several_models: bool = False, dimensions: bool = False
) -> list[tuple[str, str]]:
    """Name the segments table's columns in order, each with what it is documented as."""
    columns = []
    for name in SEGMENTS:
        if name == "p_<label>":
            columns += [(column, name) for column in probability_columns(labels)]
        else:
            columns.append((name, name))
        if name == "file" and several_models:
            columns += [(model, model) for model in SEGMENT_MODEL]
    if dimensions:
        columns += [(dimension, dimension) for dimension in DIMENSIONS]
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
    place = _behind_labels(columns)
    if columns[place : place + 1] != ["agreement"]:
        return []
    place += 1
    models: list[str] = []
    while place < len(columns):
        emotion, _, model = columns[place].partition("_")
        block = [name for name, _ in model_columns(labels, model)]
        if emotion != "emotion" or columns[place : place + len(block)] != block:
            break
        models.append(model)
        place += len(block)
    return models


def optional_of(columns: list[str]) -> tuple[str, ...]:
    """Read from a table's columns what it also has; they too are known by their places.

    >>> also_of(["margin", "p_sad", "unadapted_sad", "windows", *DIMENSIONS])
    ('unadapted',)
    """
    labels, models = labels_of(columns), models_of(columns)
    place = _behind_labels(columns)
    if models:
        place += 1 + len(models) * len(model_columns(labels, ""))
    found = []
    for name, block in _blocks(labels, models).items():
        if block and columns[place : place + len(block)] == [column for column, _ in block]:
            found.append(name)
            place += len(block)
    return tuple(found)


def _behind_labels(columns: list[str]) -> int:
    """Give the place behind the probabilities of all labels."""
    labels = labels_of(columns)
    return columns.index(f"p_{labels[-1]}") + 1 if labels else len(columns)


def reserved_columns(
    labels: Sequence[str], models: Sequence[str] = (), optional: Collection[str] = ()
) -> frozenset[str]:
    """Give the names that a manifest's own column may not take in the files table."""
    return frozenset(name for name, _ in recordings_columns(labels, models, optional))
