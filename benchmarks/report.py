"""The report on 100,000 recordings: its size, its bytes twice, and its first paint in Chromium.

    python benchmarks/report.py [--recordings N]

Names and groups are hostile: the report must hold no element but its own that could run. Sixty
of the recordings exist, voices of twelve seconds, so that all clips are there. Needs chromium
and chromedriver. The result is in docs/report.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))

from browser import open_chromium
from made_tables import COLUMNS, analysed, failed
from voices import write_voice

from batchemo.report import ReportOptions, write_report

HOSTILE = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
LABELS = ("calm", "angry")
CLIPS = 60
EMPTY = "<!doctype html><title>Empty</title><p>Empty."
PAINT = """
const paints = performance.getEntriesByType("paint");
const navigation = performance.getEntriesByType("navigation")[0];
return [paints.find((one) => one.name === "first-contentful-paint")?.startTime,
        navigation.loadEventEnd, document.title,
        document.querySelectorAll("script, img, iframe, [onerror], [onclick]").length];
"""


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=int, default=100_000)
    count = parser.parse_args().recordings
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder, count)
        options = ReportOptions(group_by="folder")
        started = time.perf_counter()
        for report in ("one.html", "two.html"):
            write_report(folder / "results.csv", folder / report, options)
        seconds = (time.perf_counter() - started) / 2
        one, two = ((folder / report).read_bytes() for report in ("one.html", "two.html"))
        figures = {
            "recordings": count,
            "seconds_to_write": round(seconds, 1),
            "megabytes": round(len(one) / 1e6, 2),
            "clips": one.count(b"<audio"),
            "same_bytes_twice": one == two,
            **painted(folder / "one.html", folder / "profile"),
        }
    print(json.dumps(figures, indent=2))


def write_table(folder: Path, count: int) -> None:
    """Write a table with hostile names; the most and the least certain recordings exist."""
    chance = np.random.default_rng(0)
    confidence = np.sort(chance.uniform(0.2, 0.99, count))
    exist = {*range(CLIPS // 2), *range(count - CLIPS // 2, count)}
    for number in exist:
        path = folder / f"speaker {number % 40}" / f"{number}.wav"
        path.parent.mkdir(exist_ok=True)
        write_voice(path, seconds=12, seed=number)
    with (folder / "results.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for number in range(count):
            name = f"speaker {number % 40}/{number}.wav"
            if number not in exist:
                name = f"speaker {number % 40} {HOSTILE.replace('/', '')}/{number}.wav"
            row = analysed(
                name,
                LABELS[number % 3 == 0],
                float(confidence[number]),
                root=str(folder),
                familiarity=float(chance.uniform()),
                duration=12.0,
                rms_db=float(chance.uniform(-60, -5)),
            )
            if number % 50 == 25 and number not in exist:
                row = failed(name, "silent")
            writer.writerow([row.get(column, "") for column in COLUMNS])


def painted(report: Path, profile: Path) -> dict[str, object]:
    """Open the report and an empty page from the disk in turn; return what the browser says."""
    empty = report.with_name("empty.html")
    empty.write_text(EMPTY)
    browser = open_chromium(profile)
    try:
        paints, loads, of_empty = [], [], []
        for _ in range(5):
            browser.get(empty.as_uri())
            time.sleep(1)
            of_empty.append(round(browser.execute_script(PAINT)[0]))
            browser.get(report.as_uri())
            time.sleep(1)
            paint, load, title, elements = browser.execute_script(PAINT)
            paints.append(round(paint))
            loads.append(round(load))
        messages = browser.get_log("browser")  # type: ignore[no-untyped-call]
    finally:
        browser.quit()
    return {
        "first_paint_ms": paints,
        "first_paint_of_an_empty_page_ms": of_empty,
        "loaded_ms": loads,
        "title": title,
        "foreign_elements": elements,
        "browser_messages": len(messages),
    }


if __name__ == "__main__":
    main()
