"""Every format of turns is read as its tool writes it, and nothing else passes for it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from turn_files import AUDACITY, EAF, RTTM, SHORT_TEXTGRID, TEXTGRID, WHISPERX

from batchemo.common.turns import Turn
from batchemo.sources.turns.read import read_turns_file
from batchemo.sources.turns.values import MAX_BYTES, MAX_LINE, TurnsError

ANNA = Turn(12.3, 16.42, "anna")


def written(folder: Path, name: str, content: str | bytes, encoding: str = "utf-8") -> str:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return str(path)


@pytest.mark.parametrize(
    ("name", "content", "turns"),
    [
        ("a.rttm", RTTM, {"call": [ANNA], "other": [Turn(0.5, 1.5)]}),
        ("a.txt", AUDACITY, {"": [ANNA, Turn(1.5, 2.5)]}),
        ("a.TextGrid", TEXTGRID, {"": [ANNA, Turn(1.5, 2.5, "ben")]}),
        ("a.TextGrid", SHORT_TEXTGRID, {"": [ANNA]}),
        ("a.eaf", EAF, {"": [ANNA]}),
        ("a.json", WHISPERX, {"": [Turn(12.3, 16.42, "SPEAKER_00"), Turn(17.0, 18.5)]}),
    ],
    ids=["rttm", "audacity", "textgrid", "short textgrid", "elan", "whisperx"],
)
def test_turns_are_read(
    tmp_path: Path, name: str, content: str, turns: dict[str, list[Turn]]
) -> None:
    assert read_turns_file(written(tmp_path, name, content)) == turns
    # Praat, and programs of Windows, write UTF-16.
    content = content.removeprefix("\ufeff").replace("UTF-8", "UTF-16")
    assert read_turns_file(written(tmp_path, name, content, "utf-16")) == turns


def test_a_table_gives_the_turns_of_each_file(tmp_path: Path) -> None:
    csv = "file,start,end,speaker,channel,note\na.wav,1.50,2,anna,1,x\na.wav,,,,,\nb.wav,3,4,,,\n"
    expected = {"a.wav": [Turn(1.5, 2, "anna", 1), Turn()], "b.wav": [Turn(3, 4)]}
    assert read_turns_file(written(tmp_path, "t.csv", csv)) == expected
    table = pa.table(
        {
            "root": ["/data", "/data"],
            "file": ["a.wav", "b.wav"],
            "start": pa.array([1_500, None], pa.duration("ms")),
            "end": pa.array([2_250, None], pa.duration("ms")),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    found = read_turns_file(str(tmp_path / "t.parquet"))
    assert found == {"/data/a.wav": [Turn(1.5, 2.25)], "/data/b.wav": [Turn()]}


def test_durations_are_read_as_audformat_writes_them(tmp_path: Path) -> None:
    csv = "file,start,end\na.wav,0 days 00:00:01.500000,0 days 01:00:00\n"
    assert read_turns_file(written(tmp_path, "t.csv", csv)) == {"a.wav": [Turn(1.5, 3600.0)]}


BOMB = '<!DOCTYPE a [<!ENTITY b "lol"><!ENTITY c "&b;&b;&b;">]><ANNOTATION_DOCUMENT>&c;'
REFUSED = {
    "a number that is none": ("a.rttm", "SPEAKER a 1 nan 1 x x b", "line 1: 'nan' is no time"),
    "infinite": ("a.txt", "1\tinf\tx\n", "line 1: 'inf' is no time"),
    "too few fields": ("a.rttm", "SPEAKER a 1 2\n", "line 1 has 4 fields"),
    "a recording": ("a.rttm", b"RIFF\x00\xff\xfe\x00WAVE", "not in UTF-8"),
    "prose": ("a.txt", "I was walking.\n", "line 1 is no label of Audacity"),
    "Latin-1": ("a.txt", "1\t2\tx\n3\t4\té\n".encode("latin-1"), "line 2 is not in UTF-8"),
    "a long line": ("a.txt", b"1" * (MAX_LINE + 9), "line 1 is longer than 65,536 bytes"),
    "a long name": ("a.txt", f"1\t2\t{'x' * 2000}", "2,000 characters"),
    "other XML": ("a.eaf", "<svg/>", "no EAF: it begins with 'svg'"),
    "no XML": ("a.eaf", "tier", "no XML that can be read"),
    "entities": ("a.eaf", BOMB, "document type"),
    "an external entity": (
        "a.eaf",
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><ANNOTATION_DOCUMENT/>',
        "document type",
    ),
    "an encoding that there is not": (
        "a.eaf",
        '<?xml version="1.0" encoding="klingon"?><ANNOTATION_DOCUMENT/>',
        "no XML that can be read",
    ),
    "frames for times": ("a.eaf", EAF.replace("milliseconds", "PAL-frames"), "not milliseconds"),
    "a time that is missing": ("a.eaf", EAF.replace('_REF2="ts3"', '_REF2="ts2"'), "'ts2'"),
    "JSON of another kind": ("a.json", "[1]", "no list `segments`"),
    "JSON that is cut off": ("a.json", '{"segments": [', "no JSON"),
    "JSON without end": ("a.json", "[" * 100_000, "nested deeper"),
    "NaN in JSON": ("a.json", '{"segments": [{"start": NaN}]}', "'NaN' is no time"),
    "a huge number": ("a.json", '{"segments": [{"start": 1e400, "end": 2}]}', "segment 1: 'inf'"),
    "a text for a time": ("a.json", '{"segments": [{"start": "1", "end": 2}]}', "segment 1: '1'"),
    "a binary TextGrid": ("a.TextGrid", b"ooBinaryFile\x08TextGrid", "binary TextGrid"),
    "a TextGrid that is cut off": ("a.TextGrid", TEXTGRID[:700], "ends before all of its tiers"),
    "another object of Praat": ("a.TextGrid", '"ooTextFile" "Pitch"', "no TextGrid"),
    "no columns of times": ("a.csv", "file,from,to\na.wav,1,2\n", "no columns start and end"),
    "one time": ("a.csv", "file,start,end\na.wav,1,\n", "row 1 of"),
    "NaN in a table": ("a.csv", "file,start,end\na.wav,1,2\nb.wav,nan,2\n", "row 2 of"),
    "a long row": ("a.csv", "file,start,end\na.wav,1," + "2" * (1 << 21), "longer than a megabyte"),
    "a channel": ("a.csv", "file,start,end,channel\na.wav,1,2,left\n", "'left' is no channel"),
    "another ending": ("a.doc", "x", "files of turns end in"),
}


@pytest.mark.parametrize(("name", "content", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_understood_is_refused_in_words(
    tmp_path: Path, name: str, content: str | bytes, words: str
) -> None:
    with pytest.raises(TurnsError, match=words.replace("(", r"\(")) as refused:
        read_turns_file(written(tmp_path, name, content))
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("name", ["a.eaf", "a.TextGrid", "a.json"])
def test_of_a_file_that_is_far_too_large_only_the_beginning_is_read(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    with path.open("wb") as stream:
        stream.truncate(100 * 2**20)  # It takes no room on the disk.
    with pytest.raises(TurnsError, match=f"at most {MAX_BYTES:,}"):
        read_turns_file(str(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TurnsError, match=r"gone\.rttm: it cannot be read: No such file"):
        read_turns_file(str(tmp_path / "gone.rttm"))
