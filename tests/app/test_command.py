import os
import subprocess
import sys

import pytest
from app_server import COMMAND, clean_environment

from batchemo.app.config import AppOptions
from batchemo.app.serve import streamlit_settings
from batchemo.cli.commands import app
from batchemo.errors import MissingExtraError, UsageError


def test_without_streamlit_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'batchemo\[app\]'"):
        app.need_streamlit()


def test_the_default_model_is_offered_first(monkeypatch):
    monkeypatch.setattr(app, "list_bundles", lambda: ("cnn1d", "default", "melattn"))
    assert app.shipped() == ["default", "cnn1d", "melattn"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("browser.gatherUsageStats", "false"),
        ("server.enableXsrfProtection", "true"),
        ("server.address", "localhost"),
        ("server.maxUploadSize", "7"),
        ("client.showErrorDetails", "none"),
        ("server.headless", "true"),
    ],
)
def test_streamlit_is_told_to_keep_the_page_private(name, value):
    options = AppOptions(("default",), max_upload_mb=7)
    settings = streamlit_settings(options, host="localhost", port=1, browser=False)
    assert settings[name] == value


def test_streamlit_knows_every_setting_that_it_is_told():
    from streamlit import config

    settings = streamlit_settings(AppOptions(("m",)), host="localhost", port=1, browser=True)
    for name in settings:
        config.get_option(name)


@pytest.mark.parametrize("limit", ["max_upload_mb", "max_files", "max_duration", "timeout"])
def test_a_limit_of_nothing_is_wrong_usage(limit):
    with pytest.raises(UsageError, match=f"--{limit.replace('_', '-')}"):
        AppOptions(("default",), **{limit: 0})


def test_no_model_at_all_is_wrong_usage():
    with pytest.raises(UsageError, match="--model"):
        AppOptions(())


def test_a_model_that_is_not_there_is_told_before_the_page_starts():
    ended = subprocess.run(
        [*COMMAND, "--model", "nowhere"],
        capture_output=True,
        text=True,
        timeout=30,
        env=clean_environment(),
    )
    assert ended.returncode == 2
    assert "there is no such model" in ended.stderr


def test_help_imports_no_streamlit():
    code = (
        "import sys; from batchemo.cli.main import run; run(['app', '--help']); "
        "sys.exit('streamlit' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, env=os.environ)
    assert ended.returncode == 0
