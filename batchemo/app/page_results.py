"""What the page shows of analysed recordings: the list, one recording in detail, and downloads.

File names and details of failures are shown as plain text, as in all of the page.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from batchemo.app.charts import (
    class_chart,
    comparison_chart,
    spectrogram_chart,
    time_chart,
    waveform_chart,
)
from batchemo.app.components import OVER_TIME, show_playhead
from batchemo.app.results import (
    ModelPrediction,
    RecordingView,
    Upload,
    count_agreeing,
    describe_failure,
    media_type,
    model_prediction,
    model_predictions,
    model_titles,
    recordings_table,
    table_bytes,
)
from batchemo.audio import REASONS
from batchemo.bundles import Bundle
from batchemo.common.text import for_display
from batchemo.errors import UsageError
from batchemo.inference.model_set import ModelSet, load_model_set
from batchemo.inference.settings import ModelSettings, PostprocessSettings
from batchemo.tables.columns import DIMENSIONS
from batchemo.tables.derived import expected_dimensions
from batchemo.tables.rows import RecordingResult
from batchemo.tables.summary import UNFAMILIAR

MEDIA_TYPES = {"CSV": "text/csv", "Parquet": "application/vnd.apache.parquet"}
METRIC_WIDTH = 140
COLUMNS = {
    "recording": st.column_config.TextColumn(width="medium"),
    "confidence": st.column_config.ProgressColumn(format="%.2f", min_value=0.0, max_value=1.0),
    "seconds": st.column_config.NumberColumn(format="%.1f"),
}


@st.cache_resource(show_spinner=False)
def common_model_set(models: tuple[str, ...]) -> ModelSet | None:
    """Return the models as one set; None if their labels or names do not fit in one table."""
    try:
        return load_model_set([ModelSettings(model) for model in models])
    except UsageError:
        return None


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
            show_metrics(row, prediction, postprocess)
        show_player(upload)
        show_over_time(row, view, bundle)
        if prediction is not None:
            st.vega_lite_chart(class_chart(prediction), width="stretch")
        if len(compared) > 1:
            show_comparison(view, compared, postprocess)


def show_metrics(
    row: RecordingResult, prediction: ModelPrediction, postprocess: PostprocessSettings
) -> None:
    """Show the label, and how far to trust it."""
    # Side by side as far as they fit, on a phone too.
    with st.container(horizontal=True):
        st.metric("Sounds", prediction.label, width=METRIC_WIDTH)
        st.metric("Confidence", f"{prediction.confidence:.0%}", width=METRIC_WIDTH)
        st.metric("Length", f"{row.duration:.1f} s", width=METRIC_WIDTH)
        if row.familiarity is not None:
            st.metric("Familiarity", f"{row.familiarity:.2f}", width=METRIC_WIDTH)
    if row.familiarity is not None and row.familiarity < UNFAMILIAR:
        st.warning(
            "The recording is unlike those that the model was trained on: do not trust the "
            "label, however high the confidence.",
            icon="⚠️",
        )
    if postprocess.dimensions:
        values = expected_dimensions(prediction.probabilities[None], prediction.labels)[0]
        with st.container(horizontal=True):
            for name, value in zip(DIMENSIONS, values, strict=True):
                title = name.removesuffix("_est").capitalize()
                st.metric(title, f"{value:+.2f}", width=METRIC_WIDTH)


def show_over_time(row: RecordingResult, view: RecordingView, bundle: Bundle) -> None:
    """Show the waveform, the spectrogram and the labels over one scale of time."""
    if view.waveform is None:
        return
    seconds = view.waveform.seconds
    # The script that moves the line finds the charts by this key.
    with st.container(key=OVER_TIME):
        st.vega_lite_chart(waveform_chart(view.waveform, seconds), width="stretch")
        if view.spectrogram is not None:
            st.vega_lite_chart(spectrogram_chart(view.spectrogram, seconds), width="stretch")
        if row.windows is not None and len(row.windows.starts) > 1:
            st.vega_lite_chart(time_chart(row.windows, bundle.labels, seconds), width="stretch")
    show_playhead(seconds)


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
    """Offer the tables of all recordings and of their windows, of each compared model."""
    model_set = common_model_set(tuple(str(other.path) for other in compared))
    if model_set is None:
        st.caption("These models do not fit in one table: it has the chosen model only.")
        model_set = ModelSet((bundle,), (ModelSettings(),))
    for name, title, segments in (
        ("batchemo", "Table", False),
        ("batchemo-segments", "Windows", True),
    ):
        table = recordings_table(views, model_set, postprocess, segments=segments)
        for column, kind in zip(st.columns(2), MEDIA_TYPES, strict=True):
            extension = f".{kind.lower()}"
            column.download_button(
                f"{title} as {kind}",
                table_bytes(table, extension),
                f"{name}{extension}",
                MEDIA_TYPES[kind],
                width="stretch",
                # A download must not run the page again.
                on_click="ignore",
            )
