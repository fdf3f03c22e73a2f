"""The parts of the page that need a script in the browser: live listening, and the player's line.

The scripts are files of this package. What they get is data, which they show as plain text.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import streamlit as st

from batchemo.app.live import PATH
from batchemo.bundles import Bundle
from batchemo.common.colours import colours_of

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

ASSETS = Path(__file__).with_name("assets")
OVER_TIME = "over_time"
"""The key of the container with the charts that have the recording's time as their axis."""
LIVE_SECONDS = 4.0
"""The most that is analysed at a time: longer, and the label would lag behind the voice."""


def show_playhead(seconds: float) -> None:
    """Move a line over the charts of a recording of this length while it is played."""
    _playhead()(data={"seconds": seconds, "charts": f".st-key-{OVER_TIME}"})


def show_live(bundle: Bundle) -> None:
    """Show a button that listens to the microphone, and the model's label of the last seconds."""
    _live()(
        data={
            # Relative, as the page may be served below a path.
            "url": "." + PATH + "?" + urlencode({"model": bundle.digest}),
            "seconds": min(LIVE_SECONDS, max(2.0, bundle.window)),
            "colours": dict(zip(bundle.labels, colours_of(bundle.labels), strict=True)),
        }
    )


def _read(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


# Registered once for all visitors.
@lru_cache(maxsize=1)
def _playhead() -> ComponentRenderer:
    return st.components.v2.component("batchemo_playhead", js=_read("playhead.js"))


@lru_cache(maxsize=1)
def _live() -> ComponentRenderer:
    return st.components.v2.component(
        "batchemo_live", html=_read("live.html"), css=_read("live.css"), js=_read("live.js")
    )
