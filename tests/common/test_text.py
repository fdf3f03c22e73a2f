"""A file name can be restored from its text in a table, and is safe to print."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.common.text import for_display, from_text, to_text

NAMES = st.one_of(
    st.binary(min_size=1),
    # Names that look as if they had been escaped already.
    st.lists(
        st.sampled_from([b"\\", b"x", b"5c", b"ff", b"41", b"F", b"\xff", b"\xc3\xa9", b"a"]),
        max_size=12,
    ).map(b"".join),
).map(lambda raw: os.fsdecode(raw.replace(b"\0", b"").replace(b"/", b"")))


@given(NAMES)
def test_a_name_is_restored_from_its_text(name):
    assert from_text(to_text(name)) == name


@given(NAMES)
def test_the_text_is_always_valid_utf8(name):
    assert to_text(name).encode("utf-8").decode("utf-8") == to_text(name)


@given(NAMES, NAMES)
def test_different_names_have_different_texts(first, second):
    assert (to_text(first) == to_text(second)) == (first == second)


@given(st.text(st.characters(exclude_characters="\\", exclude_categories=["Cs"])))
def test_a_name_in_utf8_without_backslashes_is_its_own_text(name):
    assert to_text(name) == name == from_text(name)


def test_a_byte_that_is_no_utf8_is_written_as_two_hex_digits():
    assert to_text(os.fsdecode(b"caf\xe9.wav")) == r"caf\xe9.wav"


def test_a_backslash_that_looks_like_an_escape_is_escaped():
    assert to_text(r"a\xe9") == r"a\x5cxe9"
    assert to_text(r"a\b\xE9\x1") == r"a\b\xE9\x1"


@pytest.mark.parametrize("text", [r"a\x00b", r"a\x2fb", r"a\x41b"])
def test_escapes_of_ascii_are_not_decoded(text):
    assert from_text(text) == text


@given(st.text(st.sampled_from("\\xc3a9f"), max_size=12))
def test_a_restored_name_is_a_valid_file_system_string(text):
    name = from_text(text)
    assert os.fsdecode(os.fsencode(name)) == name


@given(st.text() | NAMES)
def test_a_displayed_text_is_one_line_without_control_characters(text):
    shown = for_display(text)
    assert len(shown.splitlines()) <= 1
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in shown)
    assert shown.encode("utf-8").decode("utf-8") == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ärger – 声.wav", "Ärger – 声.wav"),
        ("a\u00a0b", "a\u00a0b"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("two\nlines", r"two\x0alines"),
        ("\u202egnp.wav", r"\u202egnp.wav"),
        ("tag\U000e0041", r"tag\U000e0041"),
        (os.fsdecode(b"\xff"), r"\xff"),
        ("\ud800", r"\ud800"),
    ],
)
def test_only_invisible_characters_are_escaped_for_display(text, shown):
    assert for_display(text) == shown
