import pytest

from batchemo.app.config import AppOptions
from batchemo.errors import UsageError


@pytest.mark.parametrize("limit", ["max_upload_mb", "max_files", "max_duration", "timeout"])
def test_a_limit_of_zero_is_a_usage_error(limit):
    with pytest.raises(UsageError, match=f"--{limit.replace('_', '-')}"):
        AppOptions(("default",), **{limit: 0})


def test_no_model_is_a_usage_error():
    with pytest.raises(UsageError, match="--model"):
        AppOptions(())
