"""The widgets of the page. Streamlit runs this file again for every visitor and every click.

File names of visitors, and details of failures, are only ever shown as plain text or in the cell of
a table. Labels and headings are Markdown, in which a name could become a link or an image.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import streamlit as st

from batchemo.app.charts import class_chart, comparison_chart, time_chart, waveform_chart
from batchemo.app.config import AppOptions
from batchemo.app.job import MODEL_CHANGED
from batchemo.app.results import (
    ModelPrediction,
    RecordingView,
    Upload,
    analyse_upload,
    count_agreeing,
    describe_failure,
    media_type,
    model_prediction,
    model_predictions,
    model_titles,
    recordings_table,
    table_bytes,
)
from batchemo.app.worker_pool import shared_pool
from batchemo.audio import REASONS
from batchemo.bundles import Bundle, load_bundle
from batchemo.common.text import for_display
from batchemo.errors import BatchemoError, UsageError
from batchemo.inference.model_set import ModelSet, load_model_set
from batchemo.inference.settings import ModelSettings, PostprocessSettings

PURPOSE = (
    "The models were trained on acted speech. The result describes how an expression **sounds**; "
    "it is not what a person feels, and no basis for a decision about anybody. In the European "
    "Union, inferring emotions at work and in education is prohibited (AI Act, Article 5(1)(f))."
)
PRIVACY = (
    "This page keeps none of your data: a recording is on the server's disk only while it is "
    "analysed, and in its memory until you leave."
)
MICROPHONE_FILE = "microphone.wav"
MICROPHONE_RATE = 48_000
MEDIA_TYPES = {"CSV": "text/csv", "Parquet": "application/vnd.apache.parquet"}
COLUMNS = {
    "recording": st.column_config.TextColumn(width="medium"),
    "confidence": st.column_config.ProgressColumn(format="%.2f", min_value=0.0, max_value=1.0),
    "seconds": st.column_config.NumberColumn(format="%.1f"),
}


def main() -> None:
    """Show the page with the options of the command line, and errors as messages."""
    try:
        show_page(AppOptions.from_argument(sys.argv[1]))
    except BatchemoError as error:
        st.error(f"The analysis failed: {error}.")


def show_page(options: AppOptions) -> None:
    """Show the whole page."""
    st.set_page_config(page_title="batchemo", page_icon="🎙", layout="centered")
    st.title("Emotion in speech recordings")
    st.caption(PURPOSE)
    bundle, compared = choose_models(load_models(options.models))
    uploads = take_uploads(options)
    if uploads:
        views = analyse_uploads(uploads, compared, options)
        postprocess = options.postprocess
        index = 0
        if len(views) > 1:
            index = show_overview(uploads, views, bundle, compared, postprocess)
        show_recording(uploads[index], views[index], bundle, compared, postprocess)
        show_downloads(views, bundle, compared, postprocess)
    st.caption(PRIVACY)


# Verified once for all visitors. What runs the models is loaded in the workers only.
@st.cache_resource(show_spinner=False)
def load_models(models: tuple[str, ...]) -> tuple[Bundle, ...]:
    """Load the bundles on offer."""
    try:
        return tuple(load_bundle(model) for model in models)
    except BatchemoError:
        raise BatchemoError(MODEL_CHANGED) from None


@st.cache_resource(show_spinner=False)
def common_model_set(models: tuple[str, ...]) -> ModelSet | None:
    """Return the models as one set; None if their labels or names do not fit in one table."""
    try:
        return load_model_set([ModelSettings(model) for model in models])
    except UsageError:
        return None


def choose_models(bundles: Sequence[Bundle]) -> tuple[Bundle, Sequence[Bundle]]:
    """Let the visitor choose; return the model to show, and all models to run."""
    if len(bundles) == 1:
        return bundles[0], bundles
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    titles = dict(enumerate(model_titles(bundles)))
    index = left.selectbox("Model", titles, format_func=titles.__getitem__)
    compare_all = right.toggle("Compare all models")
    return bundles[index], bundles if compare_all else [bundles[index]]


def take_uploads(options: AppOptions) -> list[Upload]:
    """Take recordings from the disk and the microphone, up to the limit."""
    disk, microphone = st.tabs(["Upload", "Record"])
    files = disk.file_uploader(
        "Recordings: WAV, FLAC, Ogg, MP3, AIFF and more", accept_multiple_files=True
    )
    spoken = microphone.audio_input("Speak for three seconds or more", sample_rate=MICROPHONE_RATE)
    uploads = []
    if spoken is not None:
        uploads.append(Upload(spoken.file_id, MICROPHONE_FILE, spoken.getvalue()))
    uploads += [Upload(file.file_id, file.name, file.getvalue()) for file in files]
    if len(uploads) > options.max_files:
        st.warning(
            f"Only the first {options.max_files} of {len(uploads)} recordings are analysed. For "
            "more, use the command `batchemo scan`."
        )
    return uploads[: options.max_files]


def analyse_uploads(
    uploads: Sequence[Upload], bundles: Sequence[Bundle], options: AppOptions
) -> list[RecordingView]:
    """Analyse the uploads, each once with each model: the session keeps the results.

    Results of uploads that the visitor removed are dropped.
    """
    known: dict[str, RecordingView] = st.session_state.get("views", {})
    views = {upload.key: known.get(upload.key, RecordingView({})) for upload in uploads}
    st.session_state["views"] = views
    pending = [
        (upload, [bundle for bundle in bundles if bundle.digest not in views[upload.key].rows])
        for upload in uploads
    ]
    pending = [(upload, missing) for upload, missing in pending if missing]
    if pending:
        progress = st.progress(0.0, "Analysing…")
        for done, (upload, missing) in enumerate(pending):
            progress.progress(done / len(pending), f"Analysing… {done} of {len(pending)}")
            found = analyse_upload(upload, missing, shared_pool(options.jobs), options)
            views[upload.key] = views[upload.key].merged(found)
        progress.empty()
    return [views[upload.key] for upload in uploads]


def show_overview(
    uploads: Sequence[Upload],
    views: Sequence[RecordingView],
    bundle: Bundle,
    compared: Sequence[Bundle],
    postprocess: PostprocessSettings,
) -> int:
    """Show a line for each recording; return the index of the one to show in detail."""
    rows = [view.rows[bundle.digest] for view in views]
    predictions = [model_prediction(row, bundle, postprocess) for row in rows]
    columns = {
        "recording": [for_display(upload.name) for upload in uploads],
        "sounds": [p.label if p else "" for p in predictions],
        "confidence": [p and p.confidence for p in predictions],
        "seconds": [row.duration for row in rows],
    }
    if len(compared) > 1:
        by_title = [model_predictions(view, compared, postprocess) for view in views]
        columns["agree"] = [
            f"{count_agreeing(list(found.values()))} of {len(found)}" if found else ""
            for found in by_title
        ]
        for title in model_titles(compared):
            columns[title] = [found[title].label if title in found else "" for found in by_title]
    if not all(predictions):
        columns["problem"] = [REASONS[row.reason] if row.reason else "" for row in rows]
    table = st.dataframe(
        columns,
        hide_index=True,
        column_config=COLUMNS,
        on_select="rerun",
        selection_mode="single-row",
    )
    clicked = table["selection"]["rows"]
    # Numbered, as several uploads may have the same name.
    choices = {i: f"{i + 1}. {for_display(upload.name)}" for i, upload in enumerate(uploads)}
    first = clicked[0] if clicked and clicked[0] in choices else 0
    return st.selectbox("Show", choices, index=first, format_func=choices.__getitem__)


def show_recording(
    upload: Upload,
    view: RecordingView,
    bundle: Bundle,
    compared: Sequence[Bundle],
    postprocess: PostprocessSettings,
) -> None:
    """Show the result of one recording in detail."""
    row = view.rows[bundle.digest]
    prediction = model_prediction(row, bundle, postprocess)
    with st.container(border=True):
        st.text(for_display(upload.name))
        if prediction is None:
            st.warning("This recording could not be analysed.", icon="⚠️")
            st.text(describe_failure(row))
        else:
            label, confidence, length = st.columns(3)
            label.metric("Sounds", prediction.label)
            confidence.metric("Confidence", f"{prediction.confidence:.0%}")
            length.metric("Length", f"{row.duration:.1f} s")
        show_player(upload)
        if view.waveform is not None:
            st.vega_lite_chart(waveform_chart(view.waveform), width="stretch")
        if row.windows is not None and len(row.windows.starts) > 1:
            st.vega_lite_chart(time_chart(row.windows, bundle.labels), width="stretch")
        if prediction is not None:
            st.vega_lite_chart(class_chart(prediction), width="stretch")
        if len(compared) > 1:
            show_comparison(view, compared, postprocess)


def show_player(upload: Upload) -> None:
    """Show a player if browsers can play the recording."""
    kind = media_type(upload.content[:16])
    if kind is not None:
        st.audio(upload.content, format=kind)


def show_comparison(
    view: RecordingView, bundles: Sequence[Bundle], postprocess: PostprocessSettings
) -> None:
    """Show the predictions of all models for one recording."""
    predictions = model_predictions(view, bundles, postprocess)
    if predictions:
        st.caption(f"All models side by side. {agreement(list(predictions.values()))}")
        columns = {
            "model": list(predictions),
            "sounds": [prediction.label for prediction in predictions.values()],
            "confidence": [prediction.confidence for prediction in predictions.values()],
        }
        st.dataframe(columns, hide_index=True, column_config=COLUMNS)
        st.vega_lite_chart(comparison_chart(predictions), width="stretch")


def agreement(predictions: Sequence[ModelPrediction]) -> str:
    """Say how many models agree."""
    count = count_agreeing(predictions)
    if count == len(predictions):
        return "All of them agree."
    return f"{count} of {len(predictions)} give the label of their mean."


def show_downloads(
    views: Sequence[RecordingView],
    bundle: Bundle,
    compared: Sequence[Bundle],
    postprocess: PostprocessSettings,
) -> None:
    """Offer the table of all recordings, with columns for each compared model."""
    model_set = common_model_set(tuple(str(other.path) for other in compared))
    if model_set is None:
        st.caption("These models do not fit in one table: it has the chosen model only.")
        model_set = ModelSet((bundle,), (ModelSettings(),))
    table = recordings_table(views, model_set, postprocess)
    for column, kind in zip(st.columns(2), ("CSV", "Parquet"), strict=True):
        extension = f".{kind.lower()}"
        column.download_button(
            f"Table as {kind}",
            table_bytes(table, extension),
            f"batchemo{extension}",
            MEDIA_TYPES[kind],
            width="stretch",
            # A download must not run the page again.
            on_click="ignore",
        )


if __name__ == "__main__":
    main()
