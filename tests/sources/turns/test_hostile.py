"""Whatever stands in a file of turns: turns with finite times, or words."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from turn_files import AUDACITY, EAF, RTTM, TEXTGRID, WHISPERX

from batchemo.sources.turns.read import read_turns_file
from batchemo.sources.turns.values import TurnsError

WHOLE = {
    "a.rttm": RTTM,
    "a.txt": AUDACITY,
    "a.TextGrid": TEXTGRID,
    "a.eaf": EAF,
    "a.json": WHISPERX,
    "a.csv": "file,start,end,speaker,channel\na.wav,1.5,2,anna,1\n",
}


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Replace a part of a file by something else: bytes, numbers, or a part of itself."""
    start = draw(st.integers(0, len(whole)))
    stop = draw(st.integers(start, min(len(whole), start + 40)))
    odd = st.sampled_from(["-1", "nan", "1e999", "-inf", "9" * 400, '"', "\t", "\0", "é", "&x;"])
    again = st.integers(0, len(whole)).map(lambda at: whole[at : at + 60])
    put = draw(st.binary(max_size=40) | odd.map(str.encode) | again)
    return whole[:start] + put + whole[stop:]


@pytest.mark.parametrize("name", WHOLE)
@given(data=st.data())
@example(data=None)
@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_damaged_files_give_finite_turns_or_words(
    tmp_path: Path, name: str, data: st.DataObject | None
) -> None:
    whole = WHOLE[name].encode()
    content = whole if data is None else data.draw(damaged(whole) | st.binary(max_size=200))
    path = tmp_path / name
    path.write_bytes(content)
    try:
        found = read_turns_file(str(path))
    except TurnsError as error:
        found, words = {}, str(error)
        assert words.isprintable(), words
    for turns in found.values():
        for turn in turns:
            for time in (turn.start, turn.end):
                assert time is None or math.isfinite(time)
            assert turn.speaker is None or turn.speaker.strip()
