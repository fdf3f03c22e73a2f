"""The page's widgets. Streamlit runs this file anew for every visitor and every click.

What a visitor named, and what is said of it, is shown as plain text or in a table's cell, never in
Markdown: not in a label, not in a heading.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import streamlit as st

from batchemo.app import charts
from batchemo.app.config import AppOptions
from batchemo.app.job import CHANGED
from batchemo.app.results import (
    ModelPrediction,
    RecordingView,
    Upload,
    analyse_upload,
    count_agreeing,
    describe_failure,
    files_table,
    judgement,
    media_type,
    predictions_of,
    titles,
    written,
)
from batchemo.app.worker_pool import shared_pool
from batchemo.audio import REASONS
from batchemo.bundles import Bundle, load_bundle
from batchemo.common.text import for_display
from batchemo.errors import BatchemoError, UsageError
from batchemo.inference.model_set import ModelSet, load_model_set
from batchemo.inference.settings import ModelSettings, PostprocessSettings

WHAT_IT_IS = (
    "The models learned from actors. What comes out is how an expression **sounds**, judged by "
    "acted speech; it is not what a person feels, and no ground for a decision about anybody. In "
    "the European Union, inferring emotions at work and in education is prohibited "
    "(AI Act, Article 5(1)(f))."
)
WHAT_IS_KEPT = (
    "Nothing that you give to this page is kept: a recording lies on the server's disk only while "
    "it is analysed, and in its memory until you leave."
)
SPOKEN = "microphone.wav"
MEDIA_TYPES = {"CSV": "text/csv", "Parquet": "application/vnd.apache.parquet"}
COLUMNS = {
    "recording": st.column_config.TextColumn(width="medium"),
    "confidence": st.column_config.ProgressColumn(format="%.2f", min_value=0.0, max_value=1.0),
    "seconds": st.column_config.NumberColumn(format="%.1f"),
}


@st.cache_resource(show_spinner=False)
def load_models(models: tuple[str, ...]) -> tuple[Bundle, ...]:
    """The models on offer, verified once; what runs them lives in the workers."""
    try:
        return tuple(load_bundle(model) for model in models)
    except BatchemoError:
        raise BatchemoError(CHANGED) from None


@st.cache_resource(show_spinner=False)
def model_set(models: tuple[str, ...]) -> ModelSet | None:
    """The models as one table holds them; None where labels or names keep them apart."""
    try:
        return load_model_set([ModelSettings(model) for model in models])
    except UsageError:
        return None


def show(options: AppOptions) -> None:
    """Show the whole page."""
    st.set_page_config(page_title="batchemo", page_icon="🎙", layout="centered")
    st.title("How does a voice sound?")
    st.caption(WHAT_IT_IS)
    bundles = load_models(options.models)
    bundle, compared = choose(bundles)
    recordings = take(options)
    if recordings:
        views = analyse_all(recordings, compared, options)
        how = options.postprocess
        place = overview(recordings, views, bundle, compared, how) if len(views) > 1 else 0
        closely(recordings[place], views[place], bundle, compared, how)
        downloads(views, bundle, compared, how)
    st.caption(WHAT_IS_KEPT)


def choose(bundles: Sequence[Bundle]) -> tuple[Bundle, Sequence[Bundle]]:
    """Let the visitor choose a model; give it, and all that are to be asked."""
    if len(bundles) == 1:
        return bundles[0], bundles
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    names = dict(enumerate(titles(bundles)))
    place = left.selectbox("Model", names, format_func=names.__getitem__)
    everyone = right.toggle("Compare all models")
    return bundles[place], bundles if everyone else [bundles[place]]


def take(options: AppOptions) -> list[Upload]:
    """Take recordings, as many as are allowed."""
    upload, speak = st.tabs(["Upload", "Speak"])
    files = upload.file_uploader(
        "Recordings: WAV, FLAC, Ogg, MP3, AIFF and more", accept_multiple_files=True
    )
    spoken = speak.audio_input("Say something, three seconds or more", sample_rate=48_000)
    sent = [Upload(spoken.file_id, SPOKEN, spoken.getvalue())] if spoken is not None else []
    sent += [Upload(file.file_id, file.name, file.getvalue()) for file in files]
    if len(sent) > options.max_files:
        st.warning(
            f"Only the first {options.max_files} of {len(sent)} recordings are analysed. For more, "
            "there is the command `batchemo scan`."
        )
    return sent[: options.max_files]


def analyse_all(
    recordings: Sequence[Upload], bundles: Sequence[Bundle], options: AppOptions
) -> list[RecordingView]:
    """Look at every recording, and at none a second time."""
    known: dict[str, RecordingView] = st.session_state.get("looks", {})
    views = {each.key: known.get(each.key, RecordingView({})) for each in recordings}
    st.session_state["looks"] = views
    missing = [
        (each, [bundle for bundle in bundles if bundle.digest not in views[each.key].rows])
        for each in recordings
    ]
    missing = [(each, wanted) for each, wanted in missing if wanted]
    if missing:
        progress = st.progress(0.0, "Listening…")
        for done, (each, wanted) in enumerate(missing):
            progress.progress(done / len(missing), f"Listening… {done} of {len(missing)}")
            found = analyse_upload(each, wanted, shared_pool(options.jobs), options)
            views[each.key] = views[each.key].joined(found)
        progress.empty()
    return [views[each.key] for each in recordings]


def overview(
    recordings: Sequence[Upload],
    views: Sequence[RecordingView],
    bundle: Bundle,
    compared: Sequence[Bundle],
    how: PostprocessSettings,
) -> int:
    """Show a line for each recording; give the place of the one to be looked at closely."""
    rows = [look.rows[bundle.digest] for look in views]
    judged = [judgement(row, bundle, how) for row in rows]
    columns = {
        "recording": [for_display(each.name) for each in recordings],
        "sounds": [each.label if each else "" for each in judged],
        "confidence": [each and each.confidence for each in judged],
        "seconds": [row.duration for row in rows],
    }
    if len(compared) > 1:
        model_probabilities = [predictions_of(look, compared, how) for look in views]
        columns["agree"] = [
            f"{count_agreeing(list(each.values()))} of {len(each)}" if each else ""
            for each in model_probabilities
        ]
        for title in titles(compared):
            columns[title] = [
                each[title].label if title in each else "" for each in model_probabilities
            ]
    if not all(judged):
        columns["problem"] = [REASONS[row.reason] if row.reason else "" for row in rows]
    st.dataframe(columns, hide_index=True, column_config=COLUMNS)
    lines = {
        place: f"{place + 1}. {for_display(each.name)}" for place, each in enumerate(recordings)
    }
    return st.selectbox("Look closely at", lines, format_func=lines.__getitem__)


def closely(
    recording: Upload,
    look: RecordingView,
    bundle: Bundle,
    compared: Sequence[Bundle],
    how: PostprocessSettings,
) -> None:
    """Show all that is known of one recording."""
    row = look.rows[bundle.digest]
    judged = judgement(row, bundle, how)
    with st.container(border=True):
        st.text(for_display(recording.name))
        if judged is None:
            st.warning("This recording could not be analysed.", icon="⚠️")
            st.text(describe_failure(row))
        else:
            sounds, confidence, length = st.columns(3)
            sounds.metric("Sounds", judged.label)
            confidence.metric("Confidence", f"{judged.confidence:.0%}")
            length.metric("Length", f"{row.duration:.1f} s")
        play(recording)
        if look.waveform is not None:
            st.vega_lite_chart(charts.waveform_chart(look.waveform), width="stretch")
        if row.windows is not None and len(row.windows.starts) > 1:
            st.vega_lite_chart(charts.over_time(row.windows, bundle.labels), width="stretch")
        if judged is not None:
            st.vega_lite_chart(charts.classes(judged), width="stretch")
        if len(compared) > 1:
            compare(look, compared, how)


def play(recording: Upload) -> None:
    """Show a player for what browsers play."""
    kind = media_type(recording.content[:16])
    if kind is not None:
        st.audio(recording.content, format=kind)


def compare(look: RecordingView, bundles: Sequence[Bundle], how: PostprocessSettings) -> None:
    """Show what every model says of one recording."""
    heard = predictions_of(look, bundles, how)
    if heard:
        st.caption(f"All models beside each other. {agreed(list(heard.values()))}")
        columns = {
            "model": list(heard),
            "sounds": [each.label for each in heard.values()],
            "confidence": [each.confidence for each in heard.values()],
        }
        st.dataframe(columns, hide_index=True, column_config=COLUMNS)
        st.vega_lite_chart(charts.comparison(heard), width="stretch")


def agreed(judgements: Sequence[ModelPrediction]) -> str:
    """Say how many models agree."""
    count = count_agreeing(judgements)
    if count == len(judgements):
        return "All of them agree."
    return f"{count} of {len(judgements)} agree." if count > 1 else "No two of them agree."


def downloads(
    views: Sequence[RecordingView],
    bundle: Bundle,
    compared: Sequence[Bundle],
    how: PostprocessSettings,
) -> None:
    """Offer the table of all recordings, with columns for each model that is compared."""
    asked = model_set(tuple(str(each.path) for each in compared))
    if asked is None:
        st.caption("These models have no table in common: this is the chosen model's own.")
        asked = ModelSet((bundle,), (ModelSettings(),))
    table = files_table(views, asked, how)
    for column, kind in zip(st.columns(2), ("CSV", "Parquet"), strict=True):
        ending = f".{kind.lower()}"
        column.download_button(
            f"Table as {kind}",
            written(table, ending),
            f"batchemo{ending}",
            MEDIA_TYPES[kind],
            width="stretch",
            on_click="ignore",
        )


def main() -> None:
    """Show the page with the options that it was started with, and errors in their words."""
    try:
        show(AppOptions.from_word(sys.argv[1]))
    except BatchemoError as error:
        st.error(f"The analysis failed: {error}.")


if __name__ == "__main__":
    main()
