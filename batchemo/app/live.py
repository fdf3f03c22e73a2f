"""The live microphone: the last seconds of it in one request, the label in the answer.

The page's own upload is for whole recordings: each runs the page again, which is too slow for a
label while one speaks. The filter of `hosts` is before this as before the page, so that no other
site can send anything; and what is sent must say that it is a WAV file, which a form cannot.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from batchemo.app.config import AppOptions
from batchemo.app.job import MODEL_CHANGED
from batchemo.app.results import Upload, analyse_upload, describe_failure, model_prediction
from batchemo.app.worker_pool import shared_pool
from batchemo.bundles import Bundle, load_bundle
from batchemo.errors import BatchemoError

PATH = "/live"
MAX_BYTES = 4 * 2**20
"""Ten seconds of the highest rate that browsers have, 192 kHz."""


async def live(request: Request) -> Response:
    """Answer a POST of a WAV file with the prediction of the model in `?model=DIGEST`."""
    options = AppOptions.from_argument(sys.argv[1])
    if request.headers.get("content-type") != "audio/wav":
        return PlainTextResponse("Send a WAV file.", 415)
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > MAX_BYTES:
            return PlainTextResponse("These are more than a few seconds.", 413)
    digest = request.query_params.get("model")
    try:
        bundles = [b for b in _loaded(options.models) if b.digest == digest]
        if not bundles:
            return PlainTextResponse("There is no such model: load the page again.", 404)
        return JSONResponse(await run_in_threadpool(_analyse, bytes(content), bundles, options))
    except BatchemoError as error:
        return PlainTextResponse(f"The analysis failed: {error}.", 503)


@lru_cache(maxsize=1)
def _loaded(models: tuple[str, ...]) -> tuple[Bundle, ...]:
    try:
        return tuple(map(load_bundle, models))
    except BatchemoError:
        # What it says names folders of the server.
        raise BatchemoError(MODEL_CHANGED) from None


def _analyse(content: bytes, bundles: Sequence[Bundle], options: AppOptions) -> dict[str, Any]:
    [bundle] = bundles
    upload = Upload("live", "live.wav", content)
    view = analyse_upload(upload, [bundle], shared_pool(options.jobs), options)
    row = view.rows[bundle.digest]
    prediction = model_prediction(row, bundle, options.postprocess)
    if prediction is None:
        return {"problem": describe_failure(row)}
    return {
        "label": prediction.label,
        "confidence": prediction.confidence,
        "probabilities": dict(prediction.ranked),
    }
