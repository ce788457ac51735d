"""The HTTP application: a searcher behind ``/v1/search`` and the health routes."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import TypeVar

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from nitari import __version__
from nitari.errors import NitariError
from nitari.search.searcher import Searcher
from nitari.server import problems
from nitari.server.schemas import AnswerModel, SearchBody, SearchOptions, to_answer, to_query

log = logging.getLogger(__name__)

_Model = TypeVar("_Model", bound=SearchOptions)

_PHOTO_BODY = {"schema": {"type": "string", "format": "binary"}}
_SEARCH_DOC = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": SearchBody.model_json_schema()},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["photo"],
                    "properties": {
                        "photo": {"type": "string", "format": "binary"},
                        "options": {
                            "type": "string",
                            "description": "JSON: region, filter, k, offset, min_score, group_by",
                        },
                    },
                }
            },
            "image/jpeg": _PHOTO_BODY,
            "image/png": _PHOTO_BODY,
            "image/webp": _PHOTO_BODY,
        },
    }
}


def create_app(searcher: Searcher, *, refresh_s: float, max_body_bytes: int) -> FastAPI:
    """Build the application.

    Args:
        searcher: Answers; the application does not close it.
        refresh_s: How often the change log is looked at, seconds.
        max_body_bytes: Larger request bodies are answered 413.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with _following(searcher, refresh_s):
            yield

    app = FastAPI(title="Nitari", version=__version__, lifespan=lifespan)
    problems.install(app)

    @app.get("/livez", tags=["health"])
    def livez() -> dict[str, str]:
        """Whether the process answers at all."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"])
    def readyz() -> JSONResponse:
        """Whether searches can be answered, and what is served."""
        try:
            searcher.ping()
        except NitariError as error:
            unready = HTTPStatus.SERVICE_UNAVAILABLE
            return problems.problem(unready, title=unready.phrase, detail=error.message, code=error.code)
        stats = searcher.stats()
        return JSONResponse({"status": "ok", "collection": stats.collection, "items": stats.items, "seq": stats.seq})

    @app.post("/v1/search", tags=["search"], openapi_extra=_SEARCH_DOC)
    async def search(request: Request) -> AnswerModel:
        """Find look-alikes of a photo (the body itself, or in a form), or of JSON: url, item_id, vector or liked."""
        body = await _read_body(request, max_body_bytes)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/json":
            query = to_query(_options(body, SearchBody))
        elif kind == "multipart/form-data":
            photo, options = await _read_form(request)
            query = to_query(_options(options, SearchOptions), photo=photo)
        elif kind.startswith("image/") or kind == "application/octet-stream":
            query = to_query(_options(request.query_params.get("options", "{}").encode(), SearchOptions), photo=body)
        else:
            raise HTTPException(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"content type {kind or '(none)'}; expected application/json, multipart/form-data or image/*",
            )
        return to_answer(await run_in_threadpool(searcher.search, query))

    return app


@contextmanager
def _following(searcher: Searcher, refresh_s: float) -> Iterator[None]:
    """Keep the searcher up to date with the catalog, in a thread of its own."""
    stop = threading.Event()

    def follow() -> None:
        while not stop.wait(refresh_s):
            try:
                searcher.refresh()
            except NitariError:
                log.exception("the change log could not be read; answers may be out of date")

    thread = threading.Thread(target=follow, name="nitari-follow", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


async def _read_body(request: Request, most: int) -> bytes:
    """The body, refused as soon as it is known to be too large."""
    too_large = HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"body is larger than {most} bytes")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most:
        raise too_large
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise too_large
        parts.append(part)
    body = b"".join(parts)
    request._body = body  # what Request.body() caches: form parsing reads it again
    return body


async def _read_form(request: Request) -> tuple[bytes, bytes]:
    """Photo and options of a form."""
    async with request.form(max_files=1, max_fields=2) as form:
        photo, options = form.get("photo"), form.get("options", "{}")
        if not isinstance(photo, UploadFile) or not isinstance(options, str):
            raise HTTPException(
                HTTPStatus.BAD_REQUEST, "the form needs a file field `photo` (and may have `options`, JSON)"
            )
        return await photo.read(), options.encode()


def _options(data: bytes, model: type[_Model]) -> _Model:
    """Parse JSON into ``model``, or say what does not fit."""
    try:
        return model.model_validate(json.loads(data))
    except ValueError as exc:
        found = exc.errors()[0] if isinstance(exc, ValidationError) else None
        detail = f"{'.'.join(str(p) for p in found['loc'])}: {found['msg']}" if found else f"not JSON: {exc}"
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, detail) from exc
