"""The columns of every table: names, order, and the sentence that documents each.

A column is documented under its template, which for most is its name: `p_<label>` is the template
of `p_happy` and `p_sad`. Names made of labels and models are composed, and parsed back, only here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

RECORDINGS = {
    "root": "the folder, absolute, or the URL that the recording was found below",
    "file": "the path below root, with / between the parts; bytes that are no UTF-8 stand as \\xNN",
    "status": "ok, or failed",
    "reason": "why it failed, a code (see docs/audio.md); null where status is ok",
    "detail": "what was found, in words; null where status is ok",
    "emotion": "the label of the highest probability, or uncertain; null where status is failed",
    "confidence": "the calibrated probability of the likeliest label",
    "margin": "how far the second label's probability lies below it",
    "p_<label>": "the calibrated probability of each label, in the order of the model's labels",
    "familiarity": "how like the training recordings it is, 0 to 1; null if the model cannot say",
    "windows": "how many windows the recording was cut into, those without speech included",
    "duration": "seconds of sound",
    "sample_rate": "samples a second in the file",
    "channels": "channels in the file",
    "rms_db": "level of the whole signal, dB below full scale",
    "clipped": "share of the samples that lie in clipped runs",
    "silence": "share of the signal that is silent",
    "size": "bytes of the file that was read",
    "mtime": "when that file was last changed, UTC",
    "etag": "what the object store calls this version of the object; null for a file",
    "model": "the model with the start of its digest, and the settings that are not its defaults",
}
"""The recordings table: one row for each recording."""

TURNS = {
    "start": "where the turn begins, in seconds from the beginning of the recording; null for all "
    "of it",
    "end": "where it ends",
    "speaker": "who speaks, as the file of turns says; null if it does not",
    "channel": "the channel that was analysed, from 0; null for that of the run",
    "overlap": "share of the turn in which another speaker has one; null without a speaker",
    "speech_share": "share of the recording that lies in turns that were found",
}
"""The columns after `file` in a recordings table of turns, as far as there is something to say."""

TURN_KEY = ("start", "end", "channel")
"""The columns that tell the turns of a recording apart."""

MODEL_COLUMNS = {
    "agreement": "share of the models whose likeliest label is that of their mean",
    "emotion_<model>": "that model's label of the highest probability, or uncertain",
    "confidence_<model>": "that model's calibrated probability of its likeliest label",
    "margin_<model>": "how far its second label's probability lies below it",
    "p_<label>_<model>": "that model's calibrated probability of each label",
}
"""The columns after `p_<label>` in a scan with several models: the agreement, then the others for
each model in turn. The columns before them then hold the mean of all models."""

SEVERAL_MODELS = {
    **RECORDINGS,
    "emotion": "the label of the highest mean, or uncertain; null where status is failed",
    "confidence": "the mean of the models' probabilities of the likeliest label",
    "margin": "how far the second label's mean lies below it",
    "p_<label>": "the mean of the models' probabilities of each label",
    "familiarity": "the mean of the models that can say how like their training recordings it is",
    "model": "the models in their order, each with the start of its digest and its settings",
    **MODEL_COLUMNS,
}
"""The meaning of the columns of a recordings table of several models."""

UNADAPTED = {
    "unadapted_<label>": "what `p_<label>` was before it was adapted to other recordings",
    "unadapted_<label>_<model>": "the same of `p_<label>_<model>`, in a scan with several models",
}
"""Optional columns of a recordings table whose probabilities are adapted to others."""

MEASURED = {
    "arousal": "how excited, as the model gives it; null where status is failed",
    "valence": "how pleasant, as the model gives it; null where status is failed",
    "dominance": "how much in control, as the model gives it; null where status is failed",
}
"""Optional columns of recordings and segments tables: dimensions that a model was trained to give.
Each of them is a block of its own, as a model need not give all."""

DIMENSIONS = {
    "valence_est": "how pleasant, from -1 to 1: an estimate from the probabilities",
    "arousal_est": "how excited, from -1 to 1: an estimate from the probabilities",
    "dominance_est": "how much in control, from -1 to 1: an estimate from the probabilities",
}
"""Optional columns of recordings and segments tables."""

TRIES = {"tries": "how many runs have tried to analyse a recording that failed; else null"}
"""Optional column of recordings tables, where the number of tries is limited."""

OPTIONAL = {**UNADAPTED, **MEASURED, **DIMENSIONS, **TRIES}
"""The optional columns, which stand before `familiarity`."""

FAMILIARITY = "familiarity"
"""The column that says how like the training recordings a recording, or a window, is."""

ADDED = frozenset({FAMILIARITY, "etag"})
"""Columns that tables of earlier versions do not have, in whose place null is right."""

UNCERTAIN = "uncertain"
"""Replaces the label where its confidence is below `--min-confidence`."""

MIXED = "mixed"
"""Stands for the label of a long recording of which none has more than half."""

DERIVED = ({"emotion", "confidence", "margin"} | MODEL_COLUMNS.keys() | OPTIONAL.keys()) - {
    "p_<label>_<model>",
    *MEASURED,
    *TRIES,
}
"""Columns computed from others of the same row, or from other rows that it is adapted to."""

LABEL_COLUMNS = ("emotion", "confidence", "margin")
"""The derived columns that each of several models has, besides its probabilities."""

SEGMENTS = {
    "root": "as in the recordings table",
    "file": "as in the recordings table",
    "start": "where the window begins, in seconds",
    "end": "where it ends, in seconds",
    "emotion": "the label of the highest probability, or uncertain; null without speech",
    "confidence": "the calibrated probability of the likeliest label",
    "p_<label>": "the calibrated probability of each label; null for a window without speech",
    "familiarity": "how like the training recordings it is; null without speech",
}
"""The segments table: one row for each window of every recording whose status is ok."""

EMBEDDINGS = {
    "root": "as in the recordings table",
    "file": "as in the recordings table",
    "embedding": "the mean of the embeddings of its windows with speech; null where status is "
    "failed",
    "by_window": "a list of its windows, described below; null where status is failed",
}
"""The embeddings table: one row for each recording, as in the recordings table."""


SEGMENT_MODEL = {"model": "the model whose window it is, by its name"}
"""The column after `file` in a segments table of several models, each of which has its own
windows."""

SUMMARY = {
    "group": "the group, or `all`",
    "status": "ok, or failed",
    "emotion": "the emotion counted in this row; null for failures",
    "reason": "the reason of failure counted in this row; null for emotions",
    "files": "how many recordings",
    "share": "share of the group's recordings of that status",
    "minutes": "how many minutes of sound they hold, as far as it is known",
    "mean_confidence": "mean of their confidence; null for failures",
    "mean_familiarity": "mean of their familiarity; null where no model can say",
}
"""The summary: one row for each emotion or reason of failure in each group."""

MEASURED_SUMMARY = {f"mean_{name}": f"mean of their {name}; null for failures" for name in MEASURED}
"""Optional columns of the summary: those of the dimensions that the model measures."""

FRAME = "frame"

FEATURES = {
    "root": "as in the recordings table",
    "file": "as in the recordings table",
    "status": "ok, or failed: then this is the recording's only row, and holds no features",
    "reason": "why it failed, a code (see docs/audio.md); null where status is ok",
    "detail": "what was found, in words; null where status is ok",
    "start": "where the window begins, in seconds; null where status is failed",
    "end": "where it ends, in seconds; null where status is failed",
    "speech": "whether the window sounds like speech; null where status is failed",
    FRAME: "the frame's number in its window, from 0; only where the feature set gives frames",
}
"""The columns of a features table before those of the feature set."""


def probability_columns(labels: Iterable[str]) -> list[str]:
    """Return the column name of each label.

    >>> probability_columns(["happy", "sad"])
    ['p_happy', 'p_sad']
    """
    return [f"p_{label}" for label in labels]


def model_probability_columns(labels: Iterable[str], model: str) -> list[str]:
    """Return the column name of each label for one of several models.

    >>> model_probability_columns(["happy", "sad"], "mfcc40")
    ['p_happy_mfcc40', 'p_sad_mfcc40']
    """
    return [f"{name}_{model}" for name in probability_columns(labels)]


def model_columns(labels: Iterable[str], model: str) -> list[tuple[str, str]]:
    """Return the columns of one of several models as (name, template).

    >>> [name for name, _ in model_columns(["happy"], "mfcc40")]
    ['emotion_mfcc40', 'confidence_mfcc40', 'margin_mfcc40', 'p_happy_mfcc40']
    """
    columns = [(f"{name}_{model}", f"{name}_<model>") for name in LABEL_COLUMNS]
    return columns + [
        (name, "p_<label>_<model>") for name in model_probability_columns(labels, model)
    ]


def unadapted_columns(labels: Iterable[str], models: Iterable[str]) -> list[tuple[str, str]]:
    """Return the columns of the probabilities before adaptation as (name, template).

    >>> [name for name, _ in unadapted_columns(["happy"], ["mfcc40"])]
    ['unadapted_happy', 'unadapted_happy_mfcc40']
    """
    labels = list(labels)
    columns = [(f"unadapted_{label}", "unadapted_<label>") for label in labels]
    for model in models:
        columns += [(f"unadapted_{label}_{model}", "unadapted_<label>_<model>") for label in labels]
    return columns


def _optional_blocks(
    labels: Sequence[str], models: Sequence[str]
) -> dict[str, list[tuple[str, str]]]:
    """Return the optional blocks of columns by name, in their order in the table."""
    return {
        "unadapted": unadapted_columns(labels, models),
        **{name: [(name, name)] for name in MEASURED},
        "dimensions": [(name, name) for name in DIMENSIONS],
        "tries": [(name, name) for name in TRIES],
    }


def recordings_columns(
    labels: Sequence[str], models: Sequence[str] = (), optional: Collection[str] = ()
) -> list[tuple[str, str]]:
    """Return the columns of the recordings table in order as (name, template).

    `models` are the names of several models; a single one has no columns of its own. `optional`
    may hold names of `TURNS`, "unadapted", names of `MEASURED`, "dimensions" and "tries".
    """
    columns = []
    for name in RECORDINGS:
        if name != "p_<label>":
            columns.append((name, name))
            if name == "file":
                columns += [(turn, turn) for turn in TURNS if turn in optional]
            continue
        columns += [(column, name) for column in probability_columns(labels)]
        if models:
            columns.append(("agreement", "agreement"))
        for model in models:
            columns += model_columns(labels, model)
        for block, block_columns in _optional_blocks(labels, models).items():
            columns += block_columns if block in optional else []
    return columns


def segments_columns(
    labels: Sequence[str], *, several_models: bool = False, optional: Collection[str] = ()
) -> list[tuple[str, str]]:
    """Return the columns of the segments table in order as (name, template).

    `optional` may hold names of `TURNS`, of which the speaker and the channel tell whose window
    one is, names of `MEASURED`, and "dimensions".
    """
    columns = []
    for name in SEGMENTS:
        if name == "p_<label>":
            columns += [(column, name) for column in probability_columns(labels)]
            columns += [(each, each) for each in MEASURED if each in optional]
            columns += [(each, each) for each in DIMENSIONS if "dimensions" in optional]
        else:
            columns.append((name, name))
        if name == "file":
            columns += [(each, each) for each in ("speaker", "channel") if each in optional]
            columns += [(model, model) for model in SEGMENT_MODEL if several_models]
    return columns


def reserved_columns(
    labels: Sequence[str], models: Sequence[str] = (), optional: Collection[str] = ()
) -> frozenset[str]:
    """Return the names that a manifest's column cannot have in the recordings table."""
    return frozenset(name for name, _ in recordings_columns(labels, models, optional))


# Labels, models and optional blocks are parsed from the column names by position, not by what the
# names look like: a label may be called "a_b", a model "p_a", and a column of the manifest
# anything. Only so is every table that can be written also read back, from CSV too.


def labels_of(columns: Iterable[str]) -> list[str]:
    """Return the labels of a table, parsed from its column names.

    They stand between `margin` or `confidence` and the next column of another kind, so that a
    manifest's column `p_value` is not taken for a label.

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
    """Return the names of several models, parsed from the names of a recordings table's columns.

    A table of a single model has no columns of that model, and gives an empty list.

    >>> model_a = [name for name, _ in model_columns(["sad"], "a")]
    >>> models_of(["margin", "p_sad", "agreement", *model_a, "windows"])
    ['a']
    """
    labels = labels_of(columns)
    position = _after_labels(columns)
    if columns[position : position + 1] != ["agreement"]:
        return []
    position += 1
    models: list[str] = []
    while position < len(columns):
        emotion, _, model = columns[position].partition("_")
        block = [name for name, _ in model_columns(labels, model)]
        if emotion != "emotion" or columns[position : position + len(block)] != block:
            break
        models.append(model)
        position += len(block)
    return models


def label_columns_of(columns: list[str]) -> frozenset[str]:
    """Return the columns whose values are labels, of a recordings or segments table.

    >>> sorted(label_columns_of(["emotion", "confidence", "p_sad", "emotion_note"]))
    ['emotion']
    """
    if not labels_of(columns):
        return frozenset()
    return frozenset(["emotion", *(f"emotion_{model}" for model in models_of(columns))])


def optional_of(columns: list[str]) -> tuple[str, ...]:
    """Return the optional blocks of a table, parsed from its column names.

    >>> optional_of(["margin", "p_sad", "unadapted_sad", "windows", *DIMENSIONS])
    ('unadapted',)
    """
    labels, models = labels_of(columns), models_of(columns)
    position = _after_labels(columns)
    if models:
        position += 1 + len(models) * len(model_columns(labels, ""))
    optional = list(turns_of(columns))
    for name, block in _optional_blocks(labels, models).items():
        if block and columns[position : position + len(block)] == [column for column, _ in block]:
            optional.append(name)
            position += len(block)
    return tuple(optional)


def turns_of(columns: list[str]) -> tuple[str, ...]:
    """Return the columns of turns of a recordings table, parsed from its column names.

    They stand between `file` and `status`: a manifest's column `speaker` is no such one.

    >>> turns_of(["root", "file", "start", "end", "status", "speaker"]), turns_of(["root", "file"])
    (('start', 'end'), ())
    """
    if "status" not in columns or columns[1:2] != ["file"]:
        return ()
    between = columns[2 : columns.index("status")]
    return tuple(between) if between == [name for name in TURNS if name in between] else ()


def row_noun(turns: Sequence[str]) -> str:
    """Return what each row of a recordings table with these columns of turns is.

    >>> row_noun(("start", "end")), row_noun(("channel",)), row_noun(())
    ('turn', 'channel', 'recording')
    """
    return "turn" if "start" in turns else "channel" if turns else "recording"


def _after_labels(columns: list[str]) -> int:
    """Return the position after the probabilities of all labels, of which there may be none."""
    labels = labels_of(columns)
    last = f"p_{labels[-1]}" if labels else "margin" if "margin" in columns else "confidence"
    return columns.index(last) + 1 if last in columns else len(columns)
