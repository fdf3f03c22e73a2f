"""The answers to chunks of the live microphone that need no server of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import MutableMapping
from dataclasses import replace
from typing import Any

import pytest
from app_server import wav_bytes

pytest.importorskip("starlette", reason="needs starlette, of batchemo[app]")
from starlette.requests import Request

from batchemo.app import live as live_module
from batchemo.app.config import AppOptions
from batchemo.app.worker_pool import WorkerPool
from batchemo.bundles import Bundle
from batchemo.inference.settings import PostprocessSettings


@pytest.fixture(autouse=True)
def one_worker(monkeypatch: pytest.MonkeyPatch, pool: WorkerPool) -> None:
    monkeypatch.setattr(live_module, "shared_pool", lambda jobs: pool)
    live_module._loaded.cache_clear()


def send(monkeypatch: pytest.MonkeyPatch, options: AppOptions, digest: str) -> tuple[int, str]:
    """Return the status and the text of the answer to three seconds of a voice."""
    monkeypatch.setattr(sys, "argv", ["asgi.py", options.to_argument()])
    scope = {
        **{"type": "http", "method": "POST", "path": "/live"},
        "query_string": f"model={digest}".encode(),
        "headers": [(b"content-type", b"audio/wav")],
    }

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": wav_bytes(3), "more_body": False}

    response = asyncio.run(live_module.live(Request(scope, receive)))
    return response.status_code, bytes(response.body).decode()


def test_below_the_minimum_confidence_the_label_is_uncertain(
    monkeypatch: pytest.MonkeyPatch, options: AppOptions, tiny_bundle: Bundle
) -> None:
    unsure = replace(options, postprocess=PostprocessSettings(1.0))
    status, text = send(monkeypatch, unsure, tiny_bundle.digest)
    assert status == 200
    assert '"label":"uncertain"' in text


def test_a_damaged_model_is_an_error_without_a_path_of_the_server(
    monkeypatch: pytest.MonkeyPatch, options: AppOptions, tiny_bundle: Bundle
) -> None:
    (tiny_bundle.path / "model.onnx").unlink()
    status, text = send(monkeypatch, options, tiny_bundle.digest)
    assert status == 503
    assert "start the page again" in text
    assert str(tiny_bundle.path) not in text
