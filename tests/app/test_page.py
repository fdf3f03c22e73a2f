import sys
from dataclasses import replace
from pathlib import Path

import pytest
from app_server import wav_bytes
from streamlit.testing.v1 import AppTest

from batchemo.app import page
from batchemo.app.config import AppOptions
from batchemo.audio import REASONS
from batchemo.inference.settings import PostprocessSettings

pytestmark = pytest.mark.browser

HOSTILE_NAMES = [
    "</script><script>alert(1)</script>.wav",
    "[x](javascript:alert(1)).wav",
    "**bold**.wav",
    ":red[x].wav",
    ":smile:.wav",
    "$latex$",
    "www.example.com",
    "# heading",
]
RENDERED_AS_MARKDOWN = ("title", "header", "subheader", "markdown", "caption", "warning", "error")
WIDGETS_WITH_LABELS = ("selectbox", "toggle", "tabs", "metric", "file_uploader")


@pytest.fixture
def open_page(monkeypatch, options, pool):
    """Open the page as a new visitor: `open_page(max_files=2)`."""
    monkeypatch.setattr("batchemo.app.worker_pool.shared_pool", lambda jobs: pool)

    def open_page(**changes) -> AppTest:
        changed: AppOptions = replace(options, **changes)
        monkeypatch.setattr(sys, "argv", ["page.py", changed.to_argument()])
        app = AppTest.from_file(str(Path(page.__file__)), default_timeout=30)
        return app.run()

    return open_page


def upload(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    app.file_uploader[0].set_value([(name, content, "audio/wav") for name, content in files])
    app.run()
    assert not app.exception
    return app


def count_charts(app: AppTest) -> int:
    return len(app.get("vega_lite_chart"))


def texts(app: AppTest) -> list[str]:
    return [text.value for text in app.text]


def captions(app: AppTest) -> list[str]:
    return [caption.value for caption in app.caption]


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def test_the_empty_page_says_what_the_result_is_and_is_not(open_page):
    app = open_page()
    text = " ".join(element.value for element in app.markdown)
    assert "not what a person feels" in text
    assert "Article 5(1)(f)" in text
    assert not app.metric
    assert not app.selectbox, "with one model there is no choice"


def test_a_recording_is_shown_with_label_confidence_and_bars(open_page, tiny_bundle):
    app = upload(open_page(), ("one.wav", wav_bytes()))
    assert metrics(app)["Sounds"] in tiny_bundle.labels
    assert metrics(app)["Confidence"].endswith("%")
    assert metrics(app)["Length"] == "1.5 s"
    assert texts(app) == ["one.wav"]
    assert count_charts(app) == 3, "the waveform, the spectrogram and the bars"
    assert len(app.get("audio")) == 1
    assert len(app.get("download_button")) == 4


def test_below_the_minimum_confidence_the_label_is_uncertain(open_page, make_bundle):
    flat = {"method": "temperature", "temperature": 200.0}
    model = str(make_bundle(name="unsure", calibration=flat).path)
    app = open_page(models=(model,), postprocess=PostprocessSettings(0.9))
    upload(app, ("one.wav", wav_bytes()), ("2.wav", wav_bytes(2)))
    assert metrics(app)["Sounds"] == "uncertain"
    assert set(app.dataframe[0].value["sounds"]) == {"uncertain"}


def test_a_long_recording_is_shown_over_time(open_page):
    assert count_charts(upload(open_page(), ("long.wav", wav_bytes(6)))) == 4


def test_many_recordings_are_listed_and_one_is_shown_in_detail(open_page):
    files = ("a.wav", wav_bytes()), ("b.wav", wav_bytes(seed=2)), ("bad.wav", b"no")
    app = upload(open_page(), *files)
    (table,) = (frame.value for frame in app.dataframe)
    assert table["recording"].tolist() == ["a.wav", "b.wav", "bad.wav"]
    assert table["problem"].tolist() == ["", "", REASONS["not_audio"]]
    assert texts(app) == ["a.wav"]

    app.selectbox[0].select_index(1).run()
    assert texts(app) == ["b.wav"]


def test_a_failed_recording_has_a_description_and_no_chart(open_page):
    app = upload(open_page(), ("bad.wav", b"<html>"))
    assert app.warning[0].value == "This recording could not be analysed."
    assert texts(app)[1].startswith(REASONS["not_audio"])
    assert count_charts(app) == 0
    assert not app.get("audio"), "what is not audio is not served as audio"


def test_models_can_be_chosen_and_compared(open_page, make_bundle):
    bundles = [make_bundle(name=f"tiny{seed}", seed=seed) for seed in (1, 2)]
    app = open_page(models=tuple(str(bundle.path) for bundle in bundles))
    upload(app, ("a.wav", wav_bytes()))
    first = metrics(app)["Confidence"]
    app.selectbox[0].select_index(1).run()
    second = metrics(app)["Confidence"]
    assert count_charts(app) == 3

    app.toggle[0].set_value(True).run()
    assert count_charts(app) == 4
    (table,) = (frame.value for frame in app.dataframe)
    assert table["model"].tolist() == ["tiny1", "tiny2"]
    assert f"{table['confidence'][1]:.0%}" == second
    same = table["sounds"][0] == table["sounds"][1]
    agreement = "All of them agree." if same else "1 of 2 give the label of their mean."
    assert f"All models side by side. {agreement}" in captions(app)

    assert metrics(app)["Confidence"] == second
    app.selectbox[0].select_index(0).run()
    assert metrics(app)["Confidence"] == first


def test_for_many_recordings_the_number_of_agreeing_models_is_listed(open_page, make_bundle):
    bundles = [make_bundle(name=f"tiny{seed}", seed=seed) for seed in (1, 2, 3)]
    app = open_page(models=tuple(str(bundle.path) for bundle in bundles))
    upload(app, ("a.wav", wav_bytes()), ("b.wav", wav_bytes(seed=2)), ("bad.wav", b"no"))
    app.toggle[0].set_value(True).run()
    table = app.dataframe[0].value
    for _, row in table[:2].iterrows():
        labels = [row[f"tiny{seed}"] for seed in (1, 2, 3)]
        assert row["agree"] == f"{max(map(labels.count, labels))} of 3"
    assert table["agree"][2] == table["tiny3"][2] == ""


def test_models_with_different_labels_get_the_table_of_the_chosen_one(open_page, make_bundle):
    bundles = [make_bundle(), make_bundle(name="two", labels=["calm", "angry"])]
    app = open_page(models=tuple(str(bundle.path) for bundle in bundles))
    upload(app, ("a.wav", wav_bytes()))
    assert not any("one table" in caption for caption in captions(app))
    app.toggle[0].set_value(True).run()
    assert not app.exception
    assert any("do not fit in one table" in caption for caption in captions(app))
    assert len(app.get("download_button")) == 4


def test_a_recording_is_analysed_once_however_often_the_page_runs(open_page, monkeypatch):
    calls = []
    analyse_upload = page.analyse_upload
    monkeypatch.setattr(
        "batchemo.app.results.analyse_upload",
        lambda *arguments: calls.append(arguments) or analyse_upload(*arguments),
    )
    app = upload(open_page(), ("a.wav", wav_bytes()))
    app.run()
    app.run()
    assert len(calls) == 1


def test_results_of_removed_recordings_are_dropped(open_page):
    app = upload(open_page(), ("a.wav", wav_bytes()), ("b.wav", wav_bytes(seed=2)))
    assert len(app.session_state["views"]) == 2
    app.file_uploader[0].set_value([("c.wav", wav_bytes(seed=3), "audio/wav")]).run()
    assert len(app.session_state["views"]) == 1


def test_more_recordings_than_allowed_are_not_analysed(open_page):
    app = upload(open_page(max_files=2), *((f"{i}.wav", wav_bytes()) for i in range(4)))
    assert "first 2 of 4" in app.warning[0].value
    assert len(app.dataframe[0].value) == 2


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_file_name_is_only_shown_as_plain_text(open_page, name):
    app = upload(open_page(), (name, wav_bytes()), (name, b"bad"))
    app.selectbox[0].select_index(1).run()
    assert texts(app)[0] == name
    assert app.dataframe[0].value["recording"].tolist() == [name, name]
    for kind in RENDERED_AS_MARKDOWN:
        assert not any(name in element.value for element in getattr(app, kind))
    for kind in WIDGETS_WITH_LABELS:
        assert not any(name in element.label for element in getattr(app, kind))


def test_the_page_never_allows_html():
    for module in Path(page.__file__).parent.glob("*.py"):
        assert "unsafe_allow" not in module.read_text(encoding="utf-8")


def test_a_model_that_vanished_is_an_error_in_plain_words(open_page, tiny_bundle):
    (tiny_bundle.path / "model.onnx").unlink()
    app = open_page()
    assert "start the page again" in app.error[0].value
    assert str(tiny_bundle.path) not in str(app)
    assert not app.exception


def test_a_sample_can_be_tried_until_something_is_uploaded(open_page):
    app = open_page()
    app.button[0].click().run()
    assert texts(app) == ["sample.flac"]
    assert any("CC0" in caption for caption in captions(app))
    assert texts(upload(app, ("one.wav", wav_bytes()))) == ["one.wav"]


def test_a_model_says_what_it_is_worth(open_page, make_bundle):
    figures = {"speaker": {"uar": {"mean": 0.72}}, "corpus": {"uar": {"mean": 0.4}}}
    bundles = [make_bundle(name="known", figures=figures), make_bundle(name="unknown", seed=1)]
    app = open_page(models=tuple(str(bundle.path) for bundle in bundles))
    assert app.selectbox[0].options == ["known (0.72, 0.40)", "unknown (–, –)"]
    assert "recall of 0.72" in texts(open_page(models=(str(bundles[0].path),)))[0]


def test_dimensions_are_shown_and_are_in_the_table(open_page, monkeypatch):
    app = upload(open_page(), ("one.wav", wav_bytes()))
    assert "Valence" not in metrics(app)
    tables = []
    monkeypatch.setattr(
        "batchemo.app.page_results.table_bytes",
        lambda table, extension: tables.append(table.column_names) or b"",
    )
    app.toggle[0].set_value(True).run()
    assert metrics(app)["Valence"][0] in "+-"
    assert {"valence_est", "arousal_est", "dominance_est"} <= set(tables[0])


def test_of_one_speaker_the_models_bias_is_removed_in_page_and_table(open_page, monkeypatch):
    tables = []
    monkeypatch.setattr(
        "batchemo.app.page_results.table_bytes",
        lambda table, extension: tables.append(table) or b"",
    )
    app = upload(open_page(), *((f"{seed}.wav", wav_bytes(seed=seed)) for seed in range(3)))
    before = app.dataframe[0].value["confidence"].tolist()
    app.radio[0].set_value("all are of one speaker").run()
    after = app.dataframe[0].value["confidence"].tolist()
    assert after != before
    assert after == pytest.approx(tables[-4]["confidence"].to_pylist())
    assert "unadapted_happy" in tables[-4].column_names


def test_the_windows_can_be_downloaded(open_page):
    app = upload(open_page(), ("long.wav", wav_bytes(6)))
    labels = [button.proto.label for button in app.get("download_button")]
    assert labels == ["Table as CSV", "Table as Parquet", "Windows as CSV", "Windows as Parquet"]
