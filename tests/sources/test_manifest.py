"""Tables that name recordings, the types of their columns, and the names in the results."""

import os
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from batchemo.common.text import to_text
from batchemo.errors import UsageError
from batchemo.sources import SourceOptions, open_sources
from batchemo.sources.manifest import infer_type, read_table
from batchemo.tables.write import CsvTableWriter


@pytest.fixture
def manifest(make):
    """Write a manifest into a folder with a few recordings, and open it."""

    def manifest(content, name="m.csv", reserved=frozenset(), **options):
        path = Path(make("a.wav", "s/b.wav", b"caf\xe9.wav"), name)
        if isinstance(content, pa.Table):
            with path.open("wb") as stream:
                parquet.write_table(content, stream)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return open_sources(SourceOptions(manifest=str(path), **options), reserved)

    return manifest


def test_each_row_names_a_recording_relative_to_the_manifest(manifest, tmp_path):
    found = list(manifest("speaker,file\n1,s/b.wav\n2,a.wav\n3,gone.wav\n"))
    assert [(r.root, r.file, r.size, r.row) for r in found] == [
        (str(tmp_path), "s/b.wav", 5, 0),
        (str(tmp_path), "a.wav", 5, 1),
        (str(tmp_path), "gone.wav", None, 2),
    ]


def test_names_are_relative_to_the_base_if_there_is_one(manifest, tmp_path):
    found = list(manifest("file\nb.wav\n../a.wav\n", base=f"{tmp_path}/s"))
    assert [(r.root, r.file) for r in found] == [
        (f"{tmp_path}/s", "b.wav"),
        (str(tmp_path), "a.wav"),
    ]


def test_the_other_columns_are_kept_for_every_row(manifest):
    extras = manifest("file,n,name\na.wav,1,x\n,2,y\ns/b.wav,,\n").extras
    assert extras.to_pydict() == {"n": [1, 2, None], "name": ["x", "y", None]}


@pytest.mark.parametrize(
    "content",
    [
        b'\xef\xbb\xbf"file","note"\r\n"a.wav","two\nlines, ""quoted"""\r\n',
        b'file,note\n\na.wav,"two\nlines, ""quoted"""',
    ],
)
def test_csv_with_quotes_any_line_ends_and_a_byte_order_mark_is_read(manifest, content):
    sources = manifest(content)
    assert sources.extras.to_pydict() == {"note": ['two\nlines, "quoted"']}
    assert [recording.file for recording in sources] == ["a.wav"]


def test_a_long_csv_may_hold_newlines_anywhere(manifest):
    note = "line\n" * 50
    extras = manifest("file,note\n" + f'a.wav,"{note}"\n' * 10_000).extras
    assert extras["note"].unique().to_pylist() == [note]
    assert extras.num_rows == 10_000


def test_an_empty_cell_is_null_quoted_or_not(manifest):
    assert manifest('file,n\na.wav,""\na.wav,\na.wav,1\n').extras["n"].to_pylist() == [
        None,
        None,
        1,
    ]


def test_a_tsv_is_separated_by_tabs(manifest):
    sources = manifest("file\tnote\na.wav\tx, y\n", name="m.TSV")
    assert sources.extras.to_pydict() == {"note": ["x, y"]}


def test_parquet_is_recognised_by_its_content_and_keeps_its_types(manifest):
    table = pa.table(
        {
            "file": pa.array(["a.wav", "s/b.wav"]).dictionary_encode(),
            "level": pa.array([1.5, None], pa.float32()),
            "tags": [["x"], []],
        }
    )
    sources = manifest(table, name="m.csv")
    assert [recording.file for recording in sources] == ["a.wav", "s/b.wav"]
    assert sources.extras.equals(table.drop_columns(["file"]))


def test_names_escaped_as_in_the_results_are_unescaped(manifest):
    name = os.fsdecode(b"caf\xe9.wav")
    (found,) = manifest(f"file\n{to_text(name)}\n")
    assert (found.file, found.size) == (name, 5)


def test_a_table_of_results_is_a_manifest(manifest, tmp_path):
    sources = manifest(
        f"root,file,emotion\n{tmp_path}/s,b.wav,calm\n,a.wav,\ns,b.wav,again\n",
        reserved=frozenset({"emotion"}),
    )
    found = [(r.root, r.file, r.size) for r in sources]
    assert found == [(f"{tmp_path}/s", "b.wav", 5), (str(tmp_path), "a.wav", 5)]
    assert sources.skipped.duplicates == 1
    assert sources.extras.column_names == ["manifest_emotion"]


def test_columns_are_renamed_if_they_collide_with_those_of_the_results(manifest):
    sources = manifest(
        "file,status,manifest_status,,n\na.wav,x,y,z,1\n", reserved=frozenset({"status", "size"})
    )
    assert sources.extras.to_pydict() == {
        "manifest_manifest_status": ["x"],
        "manifest_status": ["y"],
        "column_3": ["z"],
        "n": [1],
    }


def test_rows_that_name_no_recording_are_reported_and_the_others_are_read(manifest, tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    table = pa.table({"file": ["", None, "x\0y", "pipe.wav", "s", "a.wav"]})
    sources = manifest(table, name="m.parquet")
    assert [(r.file, r.row) for r in sources] == [("a.wav", 5)]
    rejected = [(row.split(" of ")[0], message) for row, message in sources.skipped.first_rejected]
    assert [row for row, _ in rejected] == ["row 1", "row 2", "row 3", "row 4", "row 5"]
    assert "empty" in rejected[0][1]
    assert "NUL" in rejected[2][1]
    assert "no regular file" in rejected[3][1]


def test_include_and_exclude_choose_among_the_rows(manifest):
    sources = manifest("file\na.wav\ns/b.wav\ns/c.wav\n", include=("s",), exclude=("c.*",))
    assert [(r.file, r.row) for r in sources] == [("s/b.wav", 1)]


def test_a_table_without_rows_is_accepted(manifest):
    sources = manifest("file,n\n")
    assert (list(sources), sources.extras.num_rows) == ([], 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,speaker\na.wav,1\n", "no column `file`.*path, speaker"),
        ("", "no proper table"),
        ("file,n\na.wav\n", "no proper table"),
        ("file,n,n\na.wav,1,2\n", "more than one column 'n'"),
        ("file,n\ncafé.wav,1\n".encode("latin-1"), "UTF-8"),
        ("file,é\na.wav,1\n".encode("latin-1"), "UTF-8"),
        ("file,n\na.wav,1\n".encode("utf-16"), "UTF-8"),
        (b"PAR1 and no more", "damaged"),
        (pa.table({"file": [[1], [2]]}), "by text"),
    ],
)
def test_an_invalid_manifest_is_refused_at_once(manifest, content, message):
    with pytest.raises(UsageError, match=message):
        manifest(content)


def test_a_missing_manifest_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere.csv"):
        with pytest.raises(UsageError, match="cannot be read"):
            open_sources(SourceOptions(manifest=str(path)))


def test_a_manifest_whose_name_is_no_utf8_is_read(manifest):
    assert len(list(manifest("file\na.wav\n", name=os.fsdecode(b"m\xff.csv")))) == 1
    table = pa.table({"file": ["a.wav"]})
    assert len(list(manifest(table, name=os.fsdecode(b"m\xff.parquet")))) == 1


RISKY = ["=sum(A1)", "+1 take", "-x", "@home", "'tis", "\tin", "\nx", "＝1", "plain", "it's"]


def test_only_the_csv_that_batchemo_wrote_is_unescaped(manifest, tmp_path):
    rows = pa.table(
        {
            "root": [str(tmp_path)] * len(RISKY),
            "file": [f"{text}.wav" for text in RISKY],
            "status": ["ok"] * len(RISKY),
            "model": ["m"] * len(RISKY),
            "=note": RISKY,
        }
    )
    path = tmp_path / "results.csv"
    table = CsvTableWriter(path, rows.schema)
    table.write(rows)
    table.close()
    own = open_sources(SourceOptions(manifest=str(path)))
    assert [recording.file for recording in own] == [f"{text}.wav" for text in RISKY]
    assert own.extras["=note"].to_pylist() == RISKY
    assert manifest("file,note\na.wav,'=x\n").extras["note"].to_pylist() == ["'=x"]


def test_read_table_gives_columns_of_text(tmp_path):
    path = tmp_path / "corpus.tsv"
    path.write_bytes("\ufefffile\tage\na.wav\t007\n\nb.wav\t\n".encode())
    table = read_table(str(path))
    assert table.to_pydict() == {"file": ["a.wav", "b.wav"], "age": ["007", None]}
    assert {str(field.type) for field in table.schema} == {"string"}


def test_read_table_names_the_row_that_is_wrong(tmp_path):
    path = tmp_path / "corpus.csv"
    path.write_text("file,age\na.wav,1\nb.wav\n")
    with pytest.raises(UsageError, match="Row #3: Expected 2 columns, got 1"):
        read_table(str(path))
    with pytest.raises(UsageError, match="cannot be read"):
        read_table(str(tmp_path / "nowhere.csv"))


def inferred(texts):
    return infer_type(pa.chunked_array([pa.array(texts, pa.string())]))


@pytest.mark.parametrize(
    ("texts", "type_", "values"),
    [
        (["1", None, "-20"], "int64", [1, None, -20]),
        (["0.5", "1e-07", "2.0"], "double", [0.5, 1e-07, 2.0]),
        (["1", "2.5"], "double", [1.0, 2.5]),
        (["true", "false"], "bool", [True, False]),
        (["True", None], "bool", [True, None]),
    ],
)
def test_numbers_and_booleans_are_recognised(texts, type_, values):
    column = inferred(texts)
    assert (str(column.type), column.to_pylist()) == (type_, values)


@pytest.mark.parametrize(
    "texts",
    [
        *(["01"], ["+1"], [" 1"], ["1_000"], ["٣"], ["1", "x"], [str(2**63)]),
        *(["0.50"], ["1.0", "1"], ["nan"], ["inf"], ["1e5"], ["1,5"], ["9007199254740993", "0.5"]),
        *(["true", "True"], ["yes"], ["TRUE"], [None], [], ["2024-01-01"], ["9" * 5000]),
    ],
)
def test_everything_else_stays_text(texts):
    column = inferred(texts)
    assert (str(column.type), column.to_pylist()) == ("string", texts)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_every_64_bit_integer_is_recognised(numbers):
    assert inferred([str(number) for number in numbers]).to_pylist() == numbers


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_every_float_is_recognised_to_its_last_bit(numbers):
    column = inferred([repr(number) for number in numbers])
    assert str(column.type) == "double"
    assert [repr(number) for number in column.to_pylist()] == [repr(number) for number in numbers]


@given(st.lists(st.none() | st.text("01.-e", max_size=5)))
def test_no_value_changes_but_in_spelling(texts):
    for text, value in zip(texts, inferred(texts).to_pylist(), strict=True):
        assert (value is None) == (text is None)
        if isinstance(value, float):
            assert text in (repr(value), repr(value).removesuffix(".0"))
        elif value is not None:
            assert str(value) == text


@pytest.mark.parametrize(
    ("name", "delimiter"),
    [("m.csv", ";"), ("m.csv", "\t"), ("m.tsv", ";"), ("m.tsv", ",")],
)
def test_another_delimiter_than_the_extension_promises_is_recognised(manifest, name, delimiter):
    rows = [["file", "n", "note"], ["a.wav", "1", "x, y"], ["s/b.wav", "2", '"z"']]
    rows[2][2] = '"""z"""'
    if delimiter == ",":
        rows[1][2] = '"x, y"'
    sources = manifest("".join(delimiter.join(row) + "\n" for row in rows), name)
    assert [recording.file for recording in sources] == ["a.wav", "s/b.wav"]
    assert sources.extras.to_pydict() == {"n": [1, 2], "note": ["x, y", '"z"']}


def test_a_delimiter_inside_of_a_cell_changes_nothing(manifest):
    assert manifest("file,a;b\na.wav,1;2\n").extras.to_pydict() == {"a;b": ["1;2"]}
    assert [recording.file for recording in manifest("file\na;b.wav\n")] == ["a;b.wav"]


def test_times_in_a_zone_that_is_unknown_here_are_refused_at_once(manifest):
    times = pa.array([0], pa.timestamp("us", "Mars/Olympus"))
    with pytest.raises(UsageError, match=r"time zone 'Mars/Olympus' \(column 'when'"):
        manifest(pa.table({"file": ["a.wav"], "when": times}))
    known = pa.array([0], pa.timestamp("us", "Europe/Berlin"))
    assert manifest(pa.table({"file": ["a.wav"], "when": known})).extras["when"].type == known.type


@pytest.mark.parametrize("column", ["file", "note"])
def test_text_that_is_no_utf8_is_refused_at_once(manifest, column):
    _, offsets, data = pa.array([b"\xff\xfe.wav"], pa.binary()).buffers()
    broken = pa.StringArray.from_buffers(1, offsets, data)
    columns = {"file": ["a.wav"]} | {column: broken}
    with pytest.raises(UsageError, match=f"damaged column '{column}', or one that is not in UTF-8"):
        manifest(pa.table(columns))
    if column == "file":
        with pytest.raises(UsageError, match="file is binary"):
            manifest(pa.table({"file": pa.array([b"\xff\xfe.wav"], pa.binary())}))
