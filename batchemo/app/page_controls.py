"""What a visitor of the page chooses and gives: models, recordings, and settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from batchemo.app.components import ASSETS
from batchemo.app.config import AppOptions
from batchemo.app.results import Upload, model_titles
from batchemo.bundles import Bundle
from batchemo.bundles.figures import describe_accuracy, uar_unseen_corpora, uar_unseen_speakers
from batchemo.common.text import for_display
from batchemo.inference.settings import ROOT, PostprocessSettings
from batchemo.tables.derived import COORDINATES

MICROPHONE_FILE = "microphone.wav"
MICROPHONE_RATE = 48_000
SAMPLE_FILE = "sample.flac"
SAMPLE_LICENCE = (
    "The sample is a synthetic voice (espeak-ng), dedicated to the public domain (CC0 1.0): no "
    "person was recorded, and the models are not familiar with such a voice."
)
MODEL = "Model (recall on unseen speakers, on unseen corpora)"
RECALL = (
    "Recall: the share of the recordings of a label that the model finds, averaged over the "
    "labels. Unseen are those that it was not trained on."
)
UNKNOWN = "not known"
SPEAKERS: dict[str, str | None] = {
    UNKNOWN: None,
    "all are of one speaker": ROOT,
    "named first in the file name": r"regex:([^/_\-. ]+)[^/]*$",
}
"""Who speaks, and the value of --speaker that says so."""


def choose_models(bundles: Sequence[Bundle]) -> tuple[Bundle, Sequence[Bundle]]:
    """Let the visitor choose; return the model to show, and all models to run."""
    if len(bundles) == 1:
        show_accuracy(bundles[0])
        return bundles[0], bundles
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    titles = dict(enumerate(map(_with_accuracy, model_titles(bundles), bundles)))
    index = left.selectbox(MODEL, titles, format_func=titles.__getitem__, help=RECALL)
    compare_all = right.toggle("Compare all models")
    return bundles[index], bundles if compare_all else [bundles[index]]


def _with_accuracy(title: str, bundle: Bundle) -> str:
    """Return a model's title with its recall on unseen speakers, and on unseen corpora."""
    figures = bundle.info["figures"]
    known = [
        "–" if value is None else f"{value:.2f}"
        for value in (uar_unseen_speakers(figures), uar_unseen_corpora(figures))
    ]
    return f"{title} ({', '.join(known)})"


def show_accuracy(bundle: Bundle) -> None:
    """Say how often a model is right, in one sentence."""
    accuracy = describe_accuracy(bundle)
    if accuracy is not None:
        # As plain text: the name of a bundle may come from anywhere.
        st.text(f"{for_display(bundle.name)} {accuracy}.")


def take_uploads(
    options: AppOptions, disk: DeltaGenerator, microphone: DeltaGenerator
) -> list[Upload]:
    """Take recordings from the disk and the microphone, up to the limit, or else the sample."""
    files = disk.file_uploader(
        "Recordings: WAV, FLAC, Ogg, MP3, AIFF and more", accept_multiple_files=True
    )
    spoken = microphone.audio_input("Speak for three seconds or more", sample_rate=MICROPHONE_RATE)
    uploads = []
    if spoken is not None:
        uploads.append(Upload(spoken.file_id, MICROPHONE_FILE, spoken.getvalue()))
    uploads += [Upload(file.file_id, file.name, file.getvalue()) for file in files]
    if not uploads:
        return _take_sample(disk)
    if len(uploads) > options.max_files:
        st.warning(
            f"Only the first {options.max_files} of {len(uploads)} recordings are analysed. For "
            "more, use the command `batchemo scan`."
        )
    return uploads[: options.max_files]


def _take_sample(disk: DeltaGenerator) -> list[Upload]:
    if not st.session_state.get("sample"):
        disk.button("Try it with a sample recording", on_click=_want_sample)
        return []
    disk.caption(SAMPLE_LICENCE)
    return [Upload("sample", SAMPLE_FILE, (ASSETS / SAMPLE_FILE).read_bytes())]


def _want_sample() -> None:
    st.session_state["sample"] = True


def choose_settings(
    postprocess: PostprocessSettings, bundles: Sequence[Bundle], recordings: int
) -> PostprocessSettings:
    """Let the visitor ask for dimensions, and say who speaks in several recordings."""
    if recordings > 1:
        who = st.radio(
            "Speakers",
            list(SPEAKERS),
            horizontal=True,
            help="Removes each model's bias towards a speaker, as --speaker does. It needs several "
            "recordings of a speaker, in different emotions.",
        )
        postprocess = replace(postprocess, speaker=SPEAKERS[who or UNKNOWN])
    if all(label in COORDINATES for bundle in bundles for label in bundle.labels):
        wanted = st.toggle(
            "Valence, arousal and dominance",
            help="Estimated from the probabilities, as --dimensions does; each from -1 to 1.",
        )
        postprocess = replace(postprocess, dimensions=wanted)
    return postprocess
