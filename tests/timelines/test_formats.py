"""Every file is read by its tool's own library: with the same times and labels, however hostile."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.common.text import for_display
from batchemo.timelines import Stretch
from batchemo.timelines.database import write_database
from batchemo.timelines.formats import FORMATS, audacity, rttm, srt
from batchemo.timelines.read import Timeline

STRETCHES = [
    Stretch(0.0, 2.5, "calm", 0.9),
    Stretch(4.0, 7.123, 'a "quoted" <b> & label', 0.61),
    Stretch(7.123, 3725.5, "angry", 0.5),
]
TIMELINE = Timeline("/rec", "day 1/é & b.wav", 3800.0, {"emotion": STRETCHES})
HOSTILE = st.text(min_size=1, max_size=12)


def expected(stretches: list[Stretch]) -> list[tuple[float, float, str]]:
    return [(round(s.start, 3), round(s.end, 3), for_display(s.label)) for s in stretches]


def praat_intervals(text: str, folder: Path) -> dict[str, list[tuple[float, float, str]]]:
    from praatio import textgrid

    path = folder / "a.TextGrid"
    path.write_text(text, encoding="utf-8")
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False)
    return {
        tier.name: [(round(e.start, 3), round(e.end, 3), e.label) for e in tier.entries]
        for tier in grid.tiers
    }


def elan_annotations(text: str, folder: Path) -> dict[str, list[tuple[float, float, str]]]:
    from pympi.Elan import Eaf

    path = folder / "a.eaf"
    path.write_text(text, encoding="utf-8")
    document = Eaf(str(path))
    return {
        name: sorted(
            (start / 1000, end / 1000, label)
            for start, end, label in document.get_annotation_data_for_tier(name)
        )
        for name in document.get_tier_names()
    }


READERS = {"textgrid": praat_intervals, "elan": elan_annotations}


@pytest.mark.parametrize("kind", READERS)
def test_praat_and_elan_read_the_same_times_and_labels(kind: str, tmp_path: Path) -> None:
    read = READERS[kind](FORMATS[kind].text(TIMELINE), tmp_path)

    assert read == {"emotion": expected(STRETCHES)}


@pytest.mark.parametrize("kind", READERS)
def test_several_models_are_several_tiers(kind: str, tmp_path: Path) -> None:
    timeline = Timeline("/rec", "a.wav", 10.0, {"one": STRETCHES[:1], "two": []})

    read = READERS[kind](FORMATS[kind].text(timeline), tmp_path)

    assert read == {"one": expected(STRETCHES[:1]), "two": []}


@pytest.mark.parametrize("kind", READERS)
@given(label=HOSTILE, tier=HOSTILE)
def test_no_label_or_tier_breaks_a_file(
    kind: str, label: str, tier: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    timeline = Timeline("/rec", "a.wav", 5.0, {tier: [Stretch(1.0, 2.0, label, 0.5)]})

    read = READERS[kind](FORMATS[kind].text(timeline), tmp_path_factory.mktemp("hostile"))

    (entries,) = read.values()
    # Praat's reader takes the space off the ends of labels, and an empty label for silence.
    shown = for_display(label).strip()
    assert [entry[2].strip() for entry in entries] == ([shown] if shown else [""][: len(entries)])


def test_the_media_of_an_elan_file_is_the_recording() -> None:
    assert 'MEDIA_URL="file:///rec/day%201/%C3%A9%20%26%20b.wav"' in FORMATS["elan"].text(TIMELINE)


@given(label=HOSTILE)
def test_a_line_of_a_text_file_stays_a_line(label: str) -> None:
    timeline = Timeline("/rec", "a b\n.wav", 5.0, {"emotion": [Stretch(1.0, 2.5, label, 0.5)]})

    (track,) = audacity(timeline).removesuffix("\n").split("\n")
    (diarised,) = rttm(timeline).removesuffix("\n").split("\n")
    subtitle = srt(timeline).removesuffix("\n\n").split("\n")

    assert track.split("\t", 2)[:2] == ["1.000000", "2.500000"]
    assert len(diarised.split()) == 10
    assert subtitle[:2] == ["1", "00:00:01,000 --> 00:00:02,500"]
    assert len(subtitle) == 3


def test_with_several_models_a_label_names_its_model() -> None:
    tiers = {"one": [Stretch(1.0, 2.0, "sad", 0.5)], "two": [Stretch(0.0, 1.0, "calm", 0.5)]}

    lines = audacity(Timeline("/rec", "a.wav", 2.0, tiers)).splitlines()

    assert [line.split("\t")[2] for line in lines] == ["two: calm", "one: sad"]


def test_audformat_reads_the_database(tmp_path: Path) -> None:
    import audformat

    write_database([("day 1/é.wav", TIMELINE), ("b.wav", TIMELINE)], tmp_path)

    table = audformat.Database.load(str(tmp_path))["emotion"].df.reset_index()
    assert table.file.tolist() == ["day 1/é.wav"] * 3 + ["b.wav"] * 3
    first = table.iloc[:3]
    times = (first[column].dt.total_seconds() for column in ("start", "end"))
    assert list(zip(*times, first.emotion, strict=True)) == expected(STRETCHES)
    assert first.confidence.tolist() == pytest.approx([0.9, 0.61, 0.5])
