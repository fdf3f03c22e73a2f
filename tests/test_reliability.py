"""docs/reliability.md names tests that exist: a promise without its test would not be noticed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PAGE = (REPOSITORY / "docs" / "reliability.md").read_text(encoding="utf-8")
TEST_FILES = list((REPOSITORY / "tests").rglob("test_*.py"))
TESTS = {
    name
    for path in TEST_FILES
    for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(?:tests/\S*/)?(test_\w+\.py)`", PAGE))))
def test_a_file_of_tests_exists(name: str) -> None:
    assert name in {path.name for path in TEST_FILES}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`((?:test|…)_[\w…]+)`", PAGE))))
def test_a_test_exists(name: str) -> None:
    pattern = re.escape(name).replace("…", r"\w*")
    assert any(re.fullmatch(pattern, test) for test in TESTS)
