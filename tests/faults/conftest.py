"""The long form of the fault suite, `pytest -m faults`, ends with its figures."""

from __future__ import annotations

from collections import Counter

import pytest

FIGURES: Counter[str] = Counter()


@pytest.fixture(scope="session")
def figures() -> Counter[str]:
    """What was tried, and what was lost; docs/reliability.md quotes them."""
    return FIGURES


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if FIGURES:
        terminalreporter.section("figures of the faults")
        for name, count in sorted(FIGURES.items()):
            terminalreporter.line(f"{name}: {count:,}")
