import sys
from dataclasses import replace
from pathlib import Path

import pytest
from app_server import wav
from streamlit.testing.v1 import AppTest

from batchemo.app import page
from batchemo.app.config import AppOptions
from batchemo.app.worker_pool import shared_pool
from batchemo.audio import REASONS
from batchemo.inference.settings import PostprocessSettings

NAMES = [
    "</script><script>alert(1)</script>.wav",
    "[x](javascript:alert(1)).wav",
    "**bold**.wav",
    ":red[x].wav",
    ":smile:.wav",
    "$latex$",
    "www.example.com",
    "# heading",
]
READ_AS_MARKDOWN = ("title", "header", "subheader", "markdown", "caption", "warning", "error")
WIDGETS = ("selectbox", "toggle", "tabs", "metric", "file_uploader")


@pytest.fixture(scope="module", autouse=True)
def _workers():
    yield
    shared_pool(1).close()
    shared_pool.cache_clear()


@pytest.fixture
def opened(monkeypatch, options):
    """Opens the page as a new visitor: `opened(max_files=2)`."""

    def open_page(**changes) -> AppTest:
        asked: AppOptions = replace(options, **changes)
        monkeypatch.setattr(sys, "argv", ["page.py", asked.to_word()])
        app = AppTest.from_file(str(Path(page.__file__)), default_timeout=30)
        return app.run()

    return open_page


def upload(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    sent = [(name, content, "audio/wav") for name, content in files]
    app.file_uploader[0].set_value(sent)
    app.run()
    assert not app.exception
    return app


def charts(app: AppTest) -> int:
    return len(app.get("vega_lite_chart"))


def texts(app: AppTest) -> list[str]:
    return [text.value for text in app.text]


def test_the_empty_page_says_what_it_is_and_what_it_is_not(opened):
    app = opened()
    said = " ".join(caption.value for caption in app.caption)
    assert "not what a person feels" in said
    assert "Article 5(1)(f)" in said
    assert not app.metric
    assert not app.selectbox, "one model is no choice"


def test_a_recording_is_shown_with_label_confidence_and_bars(opened, tiny_bundle):
    app = upload(opened(), ("one.wav", wav()))
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics["Sounds"] in tiny_bundle.labels
    assert metrics["Confidence"].endswith("%")
    assert metrics["Length"] == "1.5 s"
    assert texts(app) == ["one.wav"]
    assert charts(app) == 2, "the waveform and the bars"
    assert len(app.get("audio")) == 1
    assert len(app.get("download_button")) == 2


def test_what_is_not_confident_is_shown_as_uncertain(opened, make_bundle):
    mild = {"method": "temperature", "temperature": 200.0}
    model = str(make_bundle(name="unsure", calibration=mild).path)
    page = opened(models=(model,), postprocess=PostprocessSettings(0.9))
    app = upload(page, ("one.wav", wav()), ("2.wav", wav(2)))
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics["Sounds"] == "uncertain"
    assert set(app.dataframe[0].value["sounds"]) == {"uncertain"}


def test_a_long_recording_is_shown_over_time(opened):
    assert charts(upload(opened(), ("long.wav", wav(6)))) == 3


def test_of_many_recordings_all_are_listed_and_one_is_shown_closely(opened):
    app = upload(opened(), ("a.wav", wav()), ("b.wav", wav(seed=2)), ("bad.wav", b"no"))
    (table,) = (frame.value for frame in app.dataframe)
    assert table["recording"].tolist() == ["a.wav", "b.wav", "bad.wav"]
    assert table["problem"].tolist() == ["", "", REASONS["not_audio"]]
    assert texts(app) == ["a.wav"]

    app.selectbox[0].select_index(1).run()
    assert texts(app) == ["b.wav"]


def test_a_bad_recording_is_told_in_words_and_has_no_chart(opened):
    app = upload(opened(), ("bad.wav", b"<html>"))
    assert app.warning[0].value == "This recording could not be analysed."
    assert texts(app)[1].startswith(REASONS["not_audio"])
    assert charts(app) == 0
    assert not app.get("audio"), "what is no sound is not served as one"


def test_models_can_be_chosen_and_compared(opened, make_bundle):
    bundles = [make_bundle(name=f"tiny{seed}", seed=seed) for seed in (1, 2)]
    app = upload(opened(models=tuple(str(bundle.path) for bundle in bundles)), ("a.wav", wav()))
    first = app.metric[1].value
    app.selectbox[0].select("tiny2").run()
    second = app.metric[1].value
    assert charts(app) == 2
    app.toggle[0].set_value(True).run()
    assert charts(app) == 3
    said = [caption.value for caption in app.caption]
    (table,) = (frame.value for frame in app.dataframe)
    assert table["model"].tolist() == ["tiny1", "tiny2"]
    assert f"{table['confidence'][1]:.0%}" == second
    same = table["sounds"][0] == table["sounds"][1]
    agreed = "All of them agree." if same else "No two of them agree."
    assert f"All models beside each other. {agreed}" in said
    assert app.metric[1].value == second
    app.selectbox[0].select("tiny1").run()
    assert app.metric[1].value == first


def test_of_many_recordings_it_is_told_how_many_models_agree(opened, make_bundle):
    bundles = [make_bundle(name=f"tiny{seed}", seed=seed) for seed in (1, 2, 3)]
    app = opened(models=tuple(str(bundle.path) for bundle in bundles))
    upload(app, ("a.wav", wav()), ("b.wav", wav(seed=2)), ("bad.wav", b"no"))
    app.toggle[0].set_value(True).run()
    table = app.dataframe[0].value
    for _, row in table[:2].iterrows():
        said = [row[f"tiny{seed}"] for seed in (1, 2, 3)]
        assert row["agree"] == f"{max(map(said.count, said))} of 3"
    assert table["agree"][2] == table["tiny3"][2] == ""


def test_models_with_other_labels_have_no_table_in_common_and_the_page_says_so(opened, make_bundle):
    bundles = [make_bundle(), make_bundle(name="two", labels=["calm", "angry"])]
    app = upload(opened(models=tuple(str(bundle.path) for bundle in bundles)), ("a.wav", wav()))
    assert not any("in common" in caption.value for caption in app.caption)
    app.toggle[0].set_value(True).run()
    assert not app.exception
    assert any("no table in common" in caption.value for caption in app.caption)
    assert len(app.get("download_button")) == 2


def test_a_recording_is_analysed_once_however_often_the_page_runs(opened, monkeypatch):
    asked = []
    real = page.analyse_upload
    monkeypatch.setattr(
        "batchemo.app.results.look_at", lambda *words: asked.append(words) or real(*words)
    )
    app = upload(opened(), ("a.wav", wav()))
    app.run()
    app.run()
    assert len(asked) == 1


def test_what_was_taken_away_is_forgotten(opened):
    app = upload(opened(), ("a.wav", wav()), ("b.wav", wav(seed=2)))
    assert len(app.session_state["looks"]) == 2
    app.file_uploader[0].set_value([("c.wav", wav(seed=3), "audio/wav")]).run()
    assert len(app.session_state["looks"]) == 1


def test_more_recordings_than_allowed_are_not_analysed(opened):
    app = upload(opened(max_files=2), *((f"{i}.wav", wav()) for i in range(4)))
    assert "first 2 of 4" in app.warning[0].value
    assert len(app.dataframe[0].value) == 2


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_only_ever_plain_text(opened, name):
    app = upload(opened(), (name, wav()), (name, b"bad"))
    app.selectbox[0].select_index(1).run()
    assert texts(app)[0] == name
    assert app.dataframe[0].value["recording"].tolist() == [name, name]
    for kind in READ_AS_MARKDOWN:
        assert not any(name in element.value for element in getattr(app, kind))
    for kind in WIDGETS:
        assert not any(name in element.label for element in getattr(app, kind))


def test_nothing_on_the_page_may_be_html():
    for module in Path(page.__file__).parent.glob("*.py"):
        assert "unsafe_allow" not in module.read_text(encoding="utf-8")


def test_a_model_that_vanished_is_told_in_words(opened, tiny_bundle):
    (tiny_bundle.path / "model.onnx").unlink()
    app = opened()
    assert "start the page again" in app.error[0].value
    assert str(tiny_bundle.path) not in str(app)
    assert not app.exception
