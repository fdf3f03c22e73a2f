"""The model card of a trained bundle, from its bundle.json and its figures.

It is Markdown after front matter in YAML, as Hugging Face reads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from batchemo.evaluation import CardFigures
from batchemo.training.export.encoder_terms import ENCODER_CHAPTER, ENCODER_LICENCES

_TAGS = ("speech-emotion-recognition", "emotion", "speech", "onnx", "batchemo")
_METRICS = ("recall", "accuracy", "f1", "brier_score")
"""Hugging Face's names of what a card shows; UAR is the mean recall."""

_LICENCE_IDS: Mapping[str, str] = {
    "Apache-2.0": "apache-2.0",
    "CC BY 4.0": "cc-by-4.0",
    "CC BY-NC 4.0": "cc-by-nc-4.0",
    "CC BY-NC-ND 4.0": "cc-by-nc-nd-4.0",
    "CC BY-NC-SA 4.0": "cc-by-nc-sa-4.0",
    "CC BY-SA 4.0": "cc-by-sa-4.0",
    "CC0 1.0": "cc0-1.0",
    "MIT": "mit",
    "ODbL 1.0": "odbl",
}
"""Hugging Face's identifiers of licences; others are `other`, with the name beside it."""

_YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})

_NOT_EVALUATED = """\
The model was not evaluated: `batchemo evaluate` measures it by protocol, and `batchemo train
--figures FILE` writes the figures here.
"""

_USE = """\
## Intended use

The output says how an expression *sounds*: which of the emotions that the speakers of the training
data, most of them actors, were asked to express it resembles most, and how certain that is. It is
**not what a person feels**, no diagnosis, and no ground for decisions about people.

Meant for research on corpora, for sorting and searching recordings, and for teaching. Not meant for
judging a person, for surveillance, or for any use with consequences for whoever speaks.

In the European Union, systems that infer emotions of people **at work or in education are
prohibited** (AI Act, Regulation (EU) 2024/1689, Article 5(1)(f)), apart from medical and safety
reasons; other uses of emotion recognition are high-risk there (Annex III), and people must be
informed of them (Article 50(3)). Other places have laws of their own.
"""

_LIMITATIONS = """\
## Limitations

- The training data has few speakers and few languages: see below. Where they are actors,
  spontaneous speech is weaker in expression; other languages, ages, microphones and noises differ
  too. What was measured of these stands above. Elsewhere, expect lower accuracy than on speakers
  that are not in the training data.
- Figures of few speakers are uncertain: the interval says how much, and speakers differ by far more
  than models do.
- Confidence is calibrated on speech like that of the training data. On other speech it tends to be
  too high.
- Every window of speech gets one of the labels, also when what is expressed is none of them.
- The words that are spoken are not understood.
"""


def write_model_card(info: Mapping[str, Any], figures: CardFigures) -> str:
    """Return the card: what the model is, how good, how it was trained, what it is not meant for.

    `info` is the bundle.json, of which `format` and `files` are not needed.
    """
    return "\n".join(
        [
            _front_matter(info, figures),
            f"# {info['name']}\n\n{info['description']}\n",
            *([figures.first_lines] if figures.first_lines else []),
            _inputs_and_outputs(info),
            f"## Evaluation\n\n{_overview(figures) if figures.figures else _NOT_EVALUATED}",
            _USE,
            *([figures.chapters] if figures.chapters else []),
            _LIMITATIONS,
            _training(info),
            _licences(info),
            *([ENCODER_CHAPTER] if _has_encoder(info) else []),
        ]
    )


def _front_matter(info: Mapping[str, Any], figures: CardFigures) -> str:
    """Return the metadata as YAML; texts are quoted as in JSON, which is YAML too."""
    corpora = info["training"]["corpora"]
    licence = info["licences"]["weights"]
    known = _LICENCE_IDS.get(licence)
    languages = {code for facts in corpora.values() for code in facts.get("languages", ())}
    fields = {
        "license": known or "other",
        **({} if known else {"license_name": licence}),
        "language": sorted(languages),
        "library_name": "batchemo",
        "pipeline_tag": "audio-classification",
        "tags": _TAGS,
        "datasets": sorted(corpora),
        "metrics": _METRICS if figures.figures else (),
    }
    lines = (line for name, value in fields.items() for line in _yaml(name, value))
    return "\n".join(["---", *lines, "---\n"])


def _yaml(name: str, value: str | Sequence[str]) -> Iterator[str]:
    if isinstance(value, str):
        yield f"{name}: {_scalar(value)}"
    elif value:
        yield f"{name}:"
        yield from (f"- {_scalar(item)}" for item in value)


def _scalar(text: str) -> str:
    # Quoted unless it is plainly a word: YAML takes `no`, the code of Norwegian, for false.
    is_word = text[:1].isalpha() and all(c.isascii() and (c.isalnum() or c in "._-") for c in text)
    return text if is_word and text.lower() not in _YAML_WORDS else json.dumps(text)


def _inputs_and_outputs(info: Mapping[str, Any]) -> str:
    given, labels = info["input"], info["outputs"]["classes"]["labels"]
    form = f"the feature set `{given['features']['name']}`" if "features" in given else "samples"
    return f"""\
The input is speech at {given["rate"]:,} Hz in windows of {given["window"]:g} s, as {form}.
The output is a probability for each of {len(labels)} labels:
{", ".join(labels)}.
"""


def _overview(figures: CardFigures) -> str:
    """Return a row for each protocol, and what each of them does."""
    protocols = "".join(
        f"Protocol `{name}`, {of['seeds']} {'seed' if of['seeds'] == 1 else 'seeds'},"
        f" {of['recordings']} recordings: {of['protocol']}\n\n"
        for name, of in figures.figures.items()
    )
    return f"{figures.table}\n{protocols}".rstrip() + "\n"


def _training(info: Mapping[str, Any]) -> str:
    training = info["training"]
    corpora = "\n".join(
        f"- {name}: {facts['recordings']:,} recordings of {facts['speakers'] or 'unknown'} speakers"
        for name, facts in training["corpora"].items()
    )
    rows = "\n".join(f"| {name} | {_cell(value)} |" for name, value in training["options"].items())
    return f"""\
## Training

{corpora}

{" ".join(_training_sentences(training))}
`training_set.csv` names every recording by its digest. The command

    {training["command"]}

trains the model again.

| hyperparameter | value |
| --- | --- |
{rows}
"""


def _training_sentences(training: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was validated, combined and selected."""
    if validation := training.get("validation"):
        speakers = ", ".join(name for name in validation if name) or "speakers not known"
        yield (
            f"{sum(validation.values())} of these recordings ({speakers}) were held out for"
            " validation, to select the epoch and the temperature."
        )
    else:
        yield "All of them were trained on; none was held out for validation."
    if training["nets"] > 1:
        yield f"The model is the mean of {training['nets']} nets `{training['net']}`."
    if selected := training.get("selected_epoch"):
        yield f"Epoch {selected['number'] + 1} of {training['epochs']}{_validated(selected)}."
        yield "`training.csv` has every epoch, `curves.png` shows them."


def _validated(selected: Mapping[str, Any]) -> str:
    uar, accuracy = selected["validation_uar"], selected["validation_accuracy"]
    if uar is None:
        return ""
    return (
        f": UAR {uar:.3f}, accuracy {accuracy:.3f} on the validation recordings (optimistic: it was"
        " selected by these)"
    )


def _cell(value: object) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, (list, tuple)) else str(value)


def _has_encoder(info: Mapping[str, Any]) -> bool:
    return all(name in info["licences"]["training_data"] for name in ENCODER_LICENCES)


def _licences(info: Mapping[str, Any]) -> str:
    data = "".join(
        f"- {name if name in ENCODER_LICENCES else f'training data, {name}'}: {licence}\n"
        for name, licence in info["licences"]["training_data"].items()
    )
    text = f"## Licences\n\n- weights: {info['licences']['weights']}\n{data}"
    if info["citations"]:
        citations = "\n".join(f"- {citation}" for citation in info["citations"])
        text += f"\nPlease cite:\n\n{citations}\n"
    return text
