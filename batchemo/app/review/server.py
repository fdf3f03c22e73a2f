"""The server of the page: gives out recordings to listen to, and takes the answers.

    GET  /, /page.js, /page.css     the page itself
    POST /api/start                 the labels, and how far the review is
    POST /api/next                  the next recordings to listen to
    GET  /api/clip/ID               the sound of one, as WAV
    POST /api/answer                keeps an answer; tells the prediction
    POST /api/skip, /api/close      a recording that cannot be played; a page that is closed
    GET  /api/figures               what the labels say so far

A recording is named by a digest, which stays the same when the server is started again: so a page
that was open meanwhile goes on. Nothing that a page sends becomes part of a path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from batchemo.app.hosts import AsgiApp, HostFilter, Receive, Scope, Send
from batchemo.app.review.clip import TIMEOUT, Clip, cut_clips, lost_clip, path_below_root, range_of
from batchemo.app.worker_pool import WorkerPool
from batchemo.common.text import for_display
from batchemo.errors import BatchemoError, describe
from batchemo.review.figure_tables import FigureTable
from batchemo.review.session import Session
from batchemo.sources import Recording
from batchemo.tables.labels import NO_SPEECH, UNSURE, Key

FOLDER = Path(__file__).parent
FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}
HEADERS = {
    # No script, style or picture but those of the page: a name that became HTML could do nothing.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
MAX_BODY = 1 << 16
MAX_NEXT = 20
MAX_NAME = 60


@dataclass(frozen=True, eq=False)
class ReviewPage:
    """What the server needs to know."""

    session: Session
    label_names: tuple[str, ...]
    pool: WorkerPool
    reviewer: str
    title: str = ""
    is_blind: bool = True
    limit: int | None = None
    figures: Callable[[], list[FigureTable]] = list
    """Returns the figures as tables."""
    ids: Sequence[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", [id_of(key) for key in self.session.candidates.keys])

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each recording by the name that the page knows it by."""
        return {name: row for row, name in enumerate(self.ids)}

    def clip(self, row: int) -> Clip:
        """Cut the clip of a row, in a worker."""
        key = self.session.candidates.keys[row]
        found = path_below_root(key)
        if found is None:
            return Clip(failure="It does not lie below its root, or a link leads out of it.")
        with self.pool.borrow() as worker:
            work = partial(cut_clips, range_of(key))
            return worker.run(work, lost_clip, [Recording(*found, None, None)], TIMEOUT).rows[0]


def id_of(key: Key) -> str:
    """Return the name of a recording for the page.

    >>> id_of(Key("/data", "a.wav")) == id_of(Key("/data", "a.wav", 0.0, 3.0))
    False
    """
    text = "\0".join("" if part is None else str(part) for part in key)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=9).hexdigest()


def application(page: ReviewPage, *, host: str, hosts: Sequence[str] = ()) -> AsgiApp:
    """Return the ASGI application."""
    handlers = Handlers(page)
    routes = [Route(path, partial(_send_file, *file)) for path, file in FILES.items()]
    routes += [
        Route(f"/api/{name}", _posted(handler), methods=["POST"])
        for name, handler in handlers.posts.items()
    ]
    routes += [
        Route("/api/clip/{name}", handlers.clip),
        Route("/api/figures", handlers.figures),
        Route("/api/health", handlers.health),
    ]
    middleware = [
        Middleware(HostFilter, host=host, allowed=hosts),
        Middleware(_SecurityHeaders),
    ]
    return Starlette(routes=routes, middleware=middleware)


class Handlers:
    """Answers the requests."""

    def __init__(self, page: ReviewPage) -> None:
        self._page = page
        self.posts: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "start": self.start,
            "next": self.next,
            "answer": self.answer,
            "skip": self.skip,
            "close": self.close,
        }

    def start(self, sent: dict[str, Any]) -> dict[str, Any]:
        """Return what does not change, and how far the review is."""
        page = self._page
        return {
            "title": page.title,
            "reviewer": page.reviewer,
            "labels": page.label_names,
            "blind": page.is_blind,
            "limit": page.limit,
            "total": len(page.ids),
        }

    def next(self, sent: dict[str, Any]) -> dict[str, Any]:
        """Return the next recordings to listen to, besides those that the page holds."""
        page = self._page
        held = sent.get("held", [])
        if not isinstance(held, list) or len(held) > MAX_NEXT:
            raise HTTPException(400, "held must be a short list")
        rows = [page.rows[name] for name in held if isinstance(name, str) and name in page.rows]
        count = sent.get("count", 1)
        if not isinstance(count, int) or not 0 <= count <= MAX_NEXT:
            raise HTTPException(400, f"count must be a number up to {MAX_NEXT}")
        reviewer = _name(sent, "reviewer")
        found = page.session.next(reviewer, count, page=_name(sent, "page"), held=rows)
        own, all_answered = page.session.counts(reviewer)
        return {"clips": [self._described(row) for row in found], "own": own, "all": all_answered}

    def answer(self, sent: dict[str, Any]) -> dict[str, Any]:
        """Keep an answer, and tell what the model predicts."""
        page = self._page
        row, reviewer = self._row(sent), _name(sent, "reviewer")
        label = sent.get("label")
        if label not in (*page.label_names, UNSURE, NO_SPEECH, ""):
            raise HTTPException(400, "there is no such label")
        candidates = page.session.candidates
        prediction = candidates.prediction(row)
        seen = not page.is_blind or page.session.was_shown(row, reviewer)
        page.session.answer(row, label, reviewer, shown=prediction if seen and label else "")
        own, all_answered = page.session.counts(reviewer)
        return {
            "own": own,
            "all": all_answered,
            "prediction": prediction,
            "confidence": float(candidates.confidence[row]),
            "file": for_display(candidates.keys[row].file),
        }

    def skip(self, sent: dict[str, Any]) -> dict[str, Any]:
        """Ask nobody about a recording that cannot be played."""
        self._page.session.skip(self._row(sent))
        return {}

    def close(self, sent: dict[str, Any]) -> dict[str, Any]:
        """Give back what a closed page has not asked."""
        self._page.session.release(_name(sent, "page"))
        return {}

    async def clip(self, request: Request) -> Response:
        """Send the sound of a recording."""
        row = self._page.rows.get(request.path_params["name"])
        if row is None:
            raise HTTPException(404, "there is no such recording")
        clip = await run_in_threadpool(self._page.clip, row)
        if clip.failure is not None:
            return PlainTextResponse(clip.failure, 422)
        headers = {"X-Clip-Start": f"{clip.start:.3f}", "X-Clip-Cut": str(clip.is_cut).lower()}
        return Response(clip.wav, media_type="audio/wav", headers=headers)

    async def figures(self, request: Request) -> Response:
        """Send what the labels say."""
        return await _answered(self._page.figures)

    async def health(self, request: Request) -> Response:
        """Say that the server runs."""
        return PlainTextResponse("ok")

    def _row(self, sent: Mapping[str, Any]) -> int:
        row = self._page.rows.get(str(sent.get("id")))
        if row is None:
            raise HTTPException(404, "the recording is not in the table any more")
        return row

    def _described(self, row: int) -> dict[str, Any]:
        page = self._page
        candidates = page.session.candidates
        key = candidates.keys[row]
        described: dict[str, Any] = {
            "id": page.ids[row],
            "file": for_display(key.file),
            "start": key.start,
            "end": key.end,
        }
        if not page.is_blind:
            described["prediction"] = candidates.prediction(row)
            described["confidence"] = float(candidates.confidence[row])
        return described


def _posted(
    handler: Callable[[dict[str, Any]], dict[str, Any]],
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that gives a handler the JSON object that was sent."""

    async def endpoint(request: Request) -> Response:
        # A form of another site cannot have this type.
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise HTTPException(415, "send application/json")
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY:
                raise HTTPException(413, "too much was sent")
        return await _answered(partial(handler, _object(body)))

    return endpoint


async def _answered(work: Callable[[], Any]) -> Response:
    """Return the result of work, done in a thread, as JSON; and errors in words."""
    try:
        return JSONResponse(await run_in_threadpool(work))
    except BatchemoError as error:
        return PlainTextResponse(for_display(str(error)), 500)
    except (OSError, MemoryError) as error:
        return PlainTextResponse(for_display(describe(error)), 507)


def _object(body: bytes) -> dict[str, Any]:
    import json

    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        sent = None
    if not isinstance(sent, dict):
        raise HTTPException(400, "send a JSON object")
    return sent


def _name(sent: Mapping[str, Any], which: str) -> str:
    """Return a name that a page sent: of its reviewer, or of itself."""
    name = sent.get(which)
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME:
        raise HTTPException(400, f"{which} must be a name of at most {MAX_NAME} letters")
    if not name.isprintable():
        raise HTTPException(400, f"{which} has invisible letters")
    return name.strip()


async def _send_file(name: str, media_type: str, request: Request) -> Response:
    return Response((FOLDER / name).read_bytes(), media_type=media_type)


class _SecurityHeaders:
    """Adds the headers to every answer."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                added = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *added]
            await send(message)

        await self._app(scope, receive, send_with_headers)
