"""The page. Streamlit runs this file again for every visitor and every click.

File names of visitors, and details of failures, are only ever shown as plain text or in the cell of
a table. Labels and headings are Markdown, in which a name could become a link or an image.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import streamlit as st

from batchemo.app.components import show_live
from batchemo.app.config import AppOptions
from batchemo.app.job import MODEL_CHANGED
from batchemo.app.page_controls import choose_models, choose_settings, take_uploads
from batchemo.app.page_results import show_downloads, show_overview, show_recording
from batchemo.app.results import RecordingView, Upload, adapt_views, analyse_upload
from batchemo.app.worker_pool import shared_pool
from batchemo.bundles import Bundle, load_bundle
from batchemo.errors import BatchemoError

PURPOSE = (
    "The models were trained on acted speech. The result describes how an expression **sounds**; "
    "it is not what a person feels, and no basis for a decision about anybody. In the European "
    "Union, inferring emotions at work and in education is prohibited (AI Act, Article 5(1)(f))."
)
PRIVACY = (
    "This page keeps none of your data: a recording is on the server's disk only while it is "
    "analysed, and in its memory until you leave."
)


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
    st.write(PURPOSE)
    bundle, compared = choose_models(load_models(options.models))
    disk, microphone, live = st.tabs(["Upload", "Record", "Live"])
    uploads = take_uploads(options, disk, microphone)
    with live:
        show_live(bundle)
    if uploads:
        postprocess = choose_settings(options.postprocess, compared, len(uploads))
        views = analyse_uploads(uploads, compared, options)
        shown = adapt_views(views, compared, postprocess)
        index = 0
        if len(views) > 1:
            index = show_overview(uploads, shown, bundle, compared, postprocess)
        show_recording(uploads[index], shown[index], bundle, compared, postprocess)
        show_downloads(views, bundle, compared, postprocess)
    st.write(PRIVACY)


# Verified once for all visitors. What runs the models is loaded in the workers only.
@st.cache_resource(show_spinner=False)
def load_models(models: tuple[str, ...]) -> tuple[Bundle, ...]:
    """Load the bundles on offer."""
    try:
        return tuple(load_bundle(model) for model in models)
    except BatchemoError:
        raise BatchemoError(MODEL_CHANGED) from None


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


if __name__ == "__main__":
    main()
