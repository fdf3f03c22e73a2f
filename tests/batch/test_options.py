"""Options of a scan that contradict each other are refused when they are made."""

from __future__ import annotations

from typing import Any

import pytest

from batchemo.batch.options import ScanOptions
from batchemo.errors import UsageError
from batchemo.sources import SourceOptions

SOURCES = SourceOptions(("/data",))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output": "r.csv", "update": True, "overwrite": True}, "give one of them"),
        ({"output": "r.csv", "retry_failed": True}, "--retry-failed .*give --update too"),
        ({"output": "r.csv", "prune": True}, "--prune .*give --update too"),
        ({"update": True}, "need an output file"),
        ({"overwrite": True, "output": "-"}, "need an output file"),
        ({"timeout": -1.0}, "cannot be negative"),
        ({"jobs": -1}, "cannot be negative"),
        ({"limit": -1}, "cannot be negative"),
        ({"output": "r.csv", "max_tries": 0}, "--max-tries cannot be less than 1"),
        ({"output": "-", "max_tries": 3}, "--max-tries .*needs a file"),
        ({"max_tries": 3}, "--max-tries .*needs a file"),
    ],
)
def test_contradictory_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ScanOptions(SOURCES, **options)


def test_the_default_is_the_default_model_with_its_own_settings() -> None:
    (settings,) = ScanOptions(SOURCES).settings
    assert settings.model == "default"
    assert settings.differences() == {}
