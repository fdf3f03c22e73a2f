"""Which paths the patterns of --include, --exclude and globs match."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchemo.errors import UsageError
from batchemo.sources.filters import compile_patterns, parse_glob


def matches(pattern, path):
    return compile_patterns((pattern,)).fullmatch(path) is not None


def naive_part(pattern, text):
    if not pattern:
        return not text
    if pattern[0] == "*":
        return naive_part(pattern[1:], text) or bool(text and naive_part(pattern, text[1:]))
    return bool(text) and pattern[0] in ("?", text[0]) and naive_part(pattern[1:], text[1:])


def naive_path(pattern, parts):
    if not pattern:
        return not parts
    if pattern[0] == "**":
        if pattern == ["**"]:
            return bool(parts)
        return naive_path(pattern[1:], parts) or bool(parts and naive_path(pattern, parts[1:]))
    return bool(parts) and naive_part(pattern[0], parts[0]) and naive_path(pattern[1:], parts[1:])


def naive(pattern, path):
    parts = path.split("/")
    if "/" not in pattern and pattern != "**":
        return any(naive_part(pattern, part) for part in parts)
    return any(naive_path(pattern.split("/"), parts[:end]) for end in range(1, len(parts) + 1))


PATH_PARTS = st.text("ab.\n", min_size=1, max_size=3).filter(lambda part: part != ".")
PATTERN_PARTS = st.just("**") | st.text("ab.*?", min_size=1, max_size=4).filter(
    lambda part: part != "."
)


@given(
    st.lists(PATTERN_PARTS, min_size=1, max_size=4).map("/".join),
    st.lists(PATH_PARTS, min_size=1, max_size=5).map("/".join),
)
def test_a_pattern_matches_like_a_naive_implementation(pattern, path):
    assert matches(pattern, path) == naive(pattern, path)


@given(st.text(min_size=1).filter(lambda text: text.strip("./")))
def test_any_text_can_be_compiled(text):
    assert isinstance(compile_patterns((text,)), re.Pattern)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.wav", "a/b.wav", True),
        ("*.wav", "a/b.WAV", False),
        ("raw", "raw/a.wav", True),
        ("raw", "x/raw/y/a.wav", True),
        ("raw", "x/rawer/a.wav", False),
        ("x/raw", "x/raw/a.wav", True),
        ("x/raw", "y/x/raw/a.wav", False),
        ("/raw", "raw/a.wav", True),
        ("/raw", "x/raw/a.wav", False),
        ("./x/*.wav", "x/a.wav", True),
        ("raw/", "raw/a.wav", True),
        ("raw/", "x/raw", False),
        ("x/*.wav", "x/y/a.wav", False),
        ("x/**/*.wav", "x/a.wav", True),
        ("x/**/*.wav", "x/y/z/a.wav", True),
        ("x**z.wav", "xy/z.wav", False),
        ("take_?.wav", "take_1.wav", True),
        ("take_?.wav", "take_10.wav", False),
        ("take_[1-3].wav", "take_2.wav", True),
        ("take_[!1-3].wav", "take_2.wav", False),
        ("take_[^1-3].wav", "take_4.wav", True),
        ("[]]", "]", True),
        ("[!]]", "]", False),
        ("a[b", "a[b", True),
        ("a[]b", "a[]b", True),
        ("[z-a]", "m", False),
        ("[a-]", "-", True),
        ("[.-0]x", "/x", False),
        ("[!a]b", "/b", False),
        ("[[&&~|]", "&", True),
        ("[\\d]", "7", False),
        ("a.c", "abc", False),
        ("*", "two\nlines", True),
        ("?", "\udcff", True),
    ],
)
def test_a_pattern_matches_as_documented(pattern, path, expected):
    assert matches(pattern, path) is expected


def test_a_path_is_selected_if_one_of_several_patterns_matches():
    selected = compile_patterns(("a|b", "c"))
    assert [bool(selected.fullmatch(name)) for name in ("a", "a|b", "c")] == [False, True, True]


@pytest.mark.parametrize("pattern", ["", "/", ".", "./"])
def test_an_empty_pattern_is_refused(pattern):
    with pytest.raises(UsageError, match="empty"):
        compile_patterns((pattern,))


@given(
    st.lists(PATTERN_PARTS, min_size=1, max_size=4),
    st.lists(PATH_PARTS, min_size=1, max_size=5),
)
def test_a_glob_enters_every_folder_above_a_match(pattern, path):
    # The first part is always a pattern, so that no folder of that name is looked up.
    glob = parse_glob("/".join(["*", *pattern]))
    file = "/".join(["top", *path])
    if glob.files.fullmatch(file):
        folders = ["/".join(["top", *path[:end]]) for end in range(len(path))]
        assert all(glob.folders.fullmatch("/" + folder) for folder in folders)


def test_a_glob_enters_no_folder_that_cannot_hold_a_match():
    glob = parse_glob("/nowhere/a*/b/*.wav")
    allowed = [bool(glob.folders.fullmatch(path)) for path in ("/a1", "/a1/b", "/c", "/a1/b/c")]
    assert allowed == [True, True, False, False]


@pytest.mark.parametrize(
    ("path", "named"),
    [("/x/*.flac", True), ("/x/*", False), ("/x/*.*", False), ("/x/**", False), ("/x*/a.b", True)],
)
def test_a_glob_names_an_extension_if_its_last_part_has_one(path, named):
    assert parse_glob(path).names_extension is named
