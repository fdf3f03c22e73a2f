"""The server's application: Streamlit's own, behind a filter of the names it is reached by.

`streamlit run` finds the variable `app` in this file, and starts it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from starlette.middleware import Middleware
from starlette.routing import Route
from streamlit import config
from streamlit.starlette import App

from batchemo.app.config import AppOptions
from batchemo.app.hosts import AsgiApp, HostFilter
from batchemo.app.live import PATH, live


class PageFilter(HostFilter):
    """The filter with the settings of the server and the options of the command line."""

    def __init__(self, app: AsgiApp) -> None:
        # Not as arguments in `app` below: they are known only once the server starts.
        options = AppOptions.from_argument(sys.argv[1])
        super().__init__(app, host=config.get_option("server.address"), allowed=options.hosts)


app = App(
    Path(__file__).with_name("page.py"),
    routes=[Route(PATH, live, methods=["POST"])],
    middleware=[Middleware(PageFilter)],
)
