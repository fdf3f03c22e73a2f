"""`batchemo app`: what it checks before the page starts."""

import os
import subprocess
import sys

import pytest
from command_line import RunCommand

from batchemo.cli.commands import app
from batchemo.errors import MissingExtraError


def test_without_streamlit_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'batchemo\[app\]'"):
        app.require_streamlit()


def test_the_default_model_is_offered_first(monkeypatch):
    monkeypatch.setattr(app, "list_bundles", lambda: ("cnn1d", "default", "melattn"))
    assert app.shipped_models() == ["default", "cnn1d", "melattn"]


def test_missing_model_is_reported_before_the_page_starts(batchemo: RunCommand) -> None:
    ran = batchemo("app", "--model", "nowhere")
    assert ran.code == 2
    assert "there is no such model" in ran.err


@pytest.mark.process
def test_help_does_not_import_streamlit():
    code = (
        "import sys; from batchemo.cli.main import run; run(['app', '--help']); "
        "sys.exit('streamlit' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, env=os.environ)
    assert ended.returncode == 0
