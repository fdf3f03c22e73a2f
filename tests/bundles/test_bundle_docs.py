"""What a bundle may say is documented."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchemo.bundles import Bundle, list_bundles, load_bundle

DOCS = Path(__file__).parents[2] / "docs" / "models.md"


def test_every_key_of_bundle_json_is_documented(tiny_bundle: Bundle) -> None:
    page = DOCS.read_text(encoding="utf-8")

    assert [key for key in tiny_bundle.info if f"`{key}`" not in page] == []


@pytest.mark.parametrize("name", list_bundles())
def test_every_shipped_model_has_its_limits_and_the_law_on_its_card(name: str) -> None:
    card = load_bundle(name).card

    for needed in ("never heard", "Protocol", "Limits", "Licence", "Article 5(1)(f)"):
        assert needed in card
