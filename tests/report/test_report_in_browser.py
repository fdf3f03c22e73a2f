"""A report in a real browser, opened from a disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from browser import IN_BROWSER, open_chromium
from made_tables import analysed, failed
from voices import write_voice

from batchemo.report import write_report

HOSTILE = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>.wav"

pytestmark = IN_BROWSER


def test_it_opens_without_a_network_and_nothing_runs_but_sound_plays(
    write_table: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("selenium", reason="needs selenium, of batchemo[test]")
    write_voice(tmp_path / "a.wav")
    table = write_table(
        analysed("a.wav", root=str(tmp_path)), analysed(HOSTILE), failed(HOSTILE, "silent")
    )
    write_report(table, tmp_path / "report.html")

    browser = open_chromium(tmp_path / "profile")
    try:
        browser.get((tmp_path / "report.html").as_uri())
        title = browser.title
        messages = browser.get_log("browser")  # type: ignore[no-untyped-call]
        seconds = browser.execute_async_script(
            "const done = arguments[0], sound = document.querySelector('audio');"
            "sound.onloadedmetadata = () => done(sound.duration); sound.onerror = () => done(-1);"
            "sound.preload = 'metadata'; sound.load();"
        )
        wider = browser.execute_script(
            "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )
    finally:
        browser.quit()

    assert title == "Emotions in results.csv"
    assert messages == []
    assert seconds == pytest.approx(1.5, abs=0.3)
    assert not wider


def test_paper_is_light_and_has_no_column_for_sounds(
    write_table: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("selenium", reason="needs selenium, of batchemo[test]")
    write_voice(tmp_path / "a.wav")
    write_report(write_table(analysed("a.wav", root=str(tmp_path))), tmp_path / "report.html")

    browser = open_chromium(tmp_path / "profile")
    try:
        browser.get((tmp_path / "report.html").as_uri())
        found = {}
        for medium in ("screen", "print"):
            dark = {"name": "prefers-color-scheme", "value": "dark"}
            browser.execute_cdp_cmd(
                "Emulation.setEmulatedMedia", {"media": medium, "features": [dark]}
            )
            found[medium] = browser.execute_script(
                "const shown = (cell) => getComputedStyle(cell).display !== 'none';"
                "const cells = [...document.querySelectorAll('#listen thead th')];"
                "return [getComputedStyle(document.body).color,"
                " cells.filter(shown).map((cell) => cell.textContent)];"
            )
    finally:
        browser.quit()

    assert found["screen"][0] == "rgb(230, 237, 243)"
    assert found["print"][0] == "rgb(31, 35, 40)"
    assert "sound" in found["screen"][1]
    assert set(found["print"][1]) == {"recording", "emotion", "confidence", "length"}
