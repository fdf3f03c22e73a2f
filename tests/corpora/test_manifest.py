"""Any corpus can be described by a table."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.corpora import Example, read_corpus
from batchemo.corpora.manifest import check_rows, read_manifest
from batchemo.errors import UsageError

Make = Callable[..., Path]


def test_a_file_and_a_label_are_enough(make_manifest: Make) -> None:
    manifest = make_manifest("file,label", "b/2.wav,sad", "a/1.wav,happy")

    corpus = read_corpus([manifest])

    first, second = corpus.examples
    assert first == Example(
        manifest.parent / "a/1.wav", "corpus", "", "", "happy", "", digest=first.digest
    )
    assert second.emotion == "sad"
    assert corpus.labels == ("happy", "sad")


def test_all_known_columns_are_read_and_others_are_ignored(make_manifest: Make) -> None:
    manifest = make_manifest(
        "file,take,emotion,speaker,corpus,gender,intensity,statement,language,channel",
        "1.wav,7,angry,s1,mine,F,strong,door,de,song",
    )

    [example] = read_corpus([manifest]).examples

    assert example == Example(
        manifest.parent / "1.wav",
        *("mine", "s1", "female", "angry", "strong", "door", "de", "song"),
        example.digest,
    )


def test_the_manifest_of_a_folder_wins_over_its_file_names(make_manifest: Make) -> None:
    folder = make_manifest("file,label", "03-01-01-01-01-01-01.wav,angry").parent

    assert read_corpus([folder]).labels == ("angry",)
    assert read_corpus([folder], layout="ravdess").labels == ("neutral",)


def test_a_table_may_be_separated_by_tabs(make_manifest: Make) -> None:
    manifest = make_manifest("file\tlabel", "1.wav\tsad", name="mine.tsv")

    assert read_corpus([manifest]).labels == ("sad",)


def test_a_byte_order_mark_blanks_and_empty_lines_do_no_harm(make_manifest: Make) -> None:
    manifest = make_manifest("\ufeffFile , Label", "1.wav, sad ", "")

    assert read_corpus([manifest]).labels == ("sad",)


def test_a_name_that_is_no_text_is_written_escaped(make_manifest: Make) -> None:
    manifest = make_manifest("file,label", "1.wav,sad")
    os.rename(manifest.parent / "1.wav", os.fsencode(manifest.parent) + b"/\xff.wav")
    manifest.write_text("file,label\n\\xff.wav,sad\n")

    [example] = read_corpus([manifest]).examples

    assert example.path.name == os.fsdecode(b"\xff.wav")


def test_a_missing_file_is_named_with_its_row(make_manifest: Make) -> None:
    manifest = make_manifest("file,label", "1.wav,sad", "2.wav,sad", "3.wav,sad")
    (manifest.parent / "2.wav").unlink()
    (manifest.parent / "3.wav").unlink()

    with pytest.raises(UsageError, match=r"row 2 .*2\.wav, which is not there, nor 1 more"):
        read_corpus([manifest])


def test_only_the_selected_corpora_must_be_there(make_manifest: Make) -> None:
    manifest = make_manifest("file,label,corpus", "1.wav,sad,here", "2.wav,sad,gone")
    (manifest.parent / "2.wav").unlink()

    assert [example.corpus for example in read_corpus([manifest], only=("here",)).examples] == [
        "here"
    ]
    with pytest.raises(UsageError, match="no recordings of elsewhere"):
        read_corpus([manifest], only=("here", "elsewhere"))


def test_rows_without_a_label_do_no_harm_to_the_corpora_that_are_selected(
    make_manifest: Make,
) -> None:
    manifest = make_manifest("file,label,corpus", "1.wav,sad,voices", "2.wav,,noises")

    assert read_corpus([manifest], only=("voices",)).labels == ("sad",)
    with pytest.raises(UsageError, match=r"None of the 1 recording has a label in .*manifest\.csv"):
        read_corpus([manifest], only=("noises",))


def test_the_manifest_above_describes_a_folder_of_names_that_say_nothing(
    make_manifest: Make,
) -> None:
    lines = ("plain/0001/07.wav,neutral,plain", "plainer/1.wav,sad,other", "noise/1.wav,,noise")
    corpora = make_manifest("file,label,corpus", *lines).parent

    [example] = read_corpus([corpora / "plain"]).examples

    assert (example.path, example.corpus) == (corpora / "plain/0001/07.wav", "plain")
    with pytest.raises(UsageError, match="None of the 1 recording has a label"):
        read_corpus([corpora / "noise"])
    with pytest.raises(UsageError, match=r"names in .*0001 are of no known corpus"):
        read_corpus([corpora / "plain/0001"])


def test_names_of_a_known_corpus_win_over_the_manifest_above(make_manifest: Make) -> None:
    corpora = make_manifest("file,label", "r/03-01-01-01-01-01-01.wav,angry").parent

    assert read_corpus([corpora / "r"]).labels == ("neutral",)


def test_the_manifest_above_is_found_from_inside_the_folder(
    make_manifest: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpora = make_manifest("file,label", "plain/1.wav,sad").parent
    monkeypatch.chdir(corpora / "plain")

    assert read_corpus([Path()]).labels == ("sad",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no proper table: Empty CSV file"),
        (b"file,corpus\na.wav,x\n", "Its columns are: file, corpus"),
        (b"file,label\n", "has no rows"),
        (b"file,label\n,sad\n", "has no file in row 1"),
        (b"file,label\na.wav,sad\nb.wav,\n", "has no label in row 2.* --only"),
        (b"file,label\na.wav,\n", "None of the 1 recording has a label"),
        (b"file,label\na.wav\n", "no proper table.*Expected 2 columns, got 1"),
        (b"file,label\n\xff.wav,sad\n", "not in UTF-8"),
        (b"file,label\na\0.wav,sad\n", "which is not there|no proper table"),
    ],
)
def test_a_table_that_is_no_manifest_is_refused(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "manifest.csv").write_bytes(content)

    with pytest.raises(UsageError, match=message):
        read_corpus([tmp_path])


@given(
    st.one_of(
        st.binary(max_size=60),
        st.lists(
            st.sampled_from(
                ["file", "label", ",", "\n", "\r", '"', "\0", "..", "/", "sad", "\\xff"]
            ),
            max_size=20,
        ).map(lambda parts: ("file,label\n" + "".join(parts)).encode()),
    )
)
def test_whatever_a_manifest_holds_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    manifest = tmp_path_factory.getbasetemp() / "any.csv"
    manifest.write_bytes(content)

    with suppress(UsageError):
        rows = read_manifest(manifest)
        assert all(row.number > 0 for row in rows)
        check_rows(manifest, rows)
        pytest.fail("there are no such files")
