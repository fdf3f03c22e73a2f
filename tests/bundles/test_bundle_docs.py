"""The documentation of bundles names everything that a bundle.json may hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from batchemo.bundles import Bundle, list_bundles, load_bundle
from batchemo.bundles.schema import INPUT_TYPES, NORMALISATIONS, PADDINGS

DOCS = Path(__file__).parents[2] / "docs" / "models.md"


def test_every_key_of_bundle_json_is_documented(make_bundle: Callable[..., Bundle]) -> None:
    page = DOCS.read_text(encoding="utf-8")
    info = make_bundle().info
    keys = [*info, *info["input"], *info["outputs"], *info["calibration"], *info["licences"]]
    words = [*keys, *INPUT_TYPES, *NORMALISATIONS, *PADDINGS, "dimensions", "embedding"]

    assert [word for word in words if f"`{word}`" not in page] == []


@pytest.mark.parametrize("name", list_bundles())
def test_every_shipped_model_has_its_limits_and_the_law_on_its_card(name: str) -> None:
    card = load_bundle(name).card

    for needed in (
        "not in its training data",
        "Protocol",
        "## Limitations",
        "## Licences",
        "Article 5(1)(f)",
    ):
        assert needed in card


@pytest.mark.parametrize("name", list_bundles())
def test_every_card_begins_with_metadata_that_is_no_part_of_its_text(name: str) -> None:
    bundle = load_bundle(name)
    text = bundle.read("README.md").decode()

    assert text.startswith("---\nlicense: cc-by-nc-sa-4.0\nlanguage:\n- ")
    assert bundle.card.startswith(f"# {name}\n")
    assert text.endswith(bundle.card)
