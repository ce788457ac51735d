"""The OpenAPI document: what every client is made from, so it says everything that a route may answer.

Routes take and give raw bodies, which saves FastAPI's validation on the hot path; what they take and give is told to
the document by the functions here.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, TypeAlias

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute

from nitari import __version__
from nitari.server import problems, schemas, schemas_search
from nitari.server.body import BINARY, FORM, JSON
from nitari.server.security.sessions import COOKIE

Doc: TypeAlias = dict[str, Any]

TITLE = "Nitari"
SUMMARY = "A photo in, look-alike products out."
JPEG = "image/jpeg"
_REF = "#/components/schemas/{model}"
_PHOTO: Doc = {"type": "string", "format": "binary"}
_TAGS = (
    ("search", "Look-alikes of a photo, of an item, of many."),
    ("items", "What can be found."),
    ("photos", "Pictures of items, and query photos that are kept on request."),
    ("collections", "What there is, what can be asked of it, and which of it an alias names."),
    ("jobs", "Imports in the background."),
    ("snapshots", "Of the home, kept elsewhere."),
    ("session", "Signing in to the page."),
    ("health", "For whoever runs the server."),
)
_MEANINGS = {
    400: ("The request cannot be.", "usage", "a query has exactly one of photo, url, item_id, vector; found none"),
    401: ("No token, or a wrong one.", "unauthorized", "the request brings no token"),
    403: ("Another site's page asks.", "origin", "a web page of another site sent POST"),
    404: ("There is no such thing.", "not-found", "item '24-mb99' is not in the catalog"),
    405: ("There is no such method here.", "method-not-allowed", "/v1/jobs does not take PATCH; expected GET, POST"),
    408: ("The body did not arrive in time.", "slow-body", "the body did not arrive within 60 s"),
    409: ("Its state does not allow it.", "job-state", "the job has succeeded already"),
    413: ("The body is too long.", "too-large", "the body is longer than the 34603008 bytes that are taken here"),
    415: ("The body is of another kind.", "content-type", "the content type is text/plain; expected image/*"),
    421: ("The request is meant for another host.", "host", "the Host header names 'example.org'"),
    422: ("A field, a photo or the data do not fit.", "image", "the photo ends after 512 bytes of 20480"),
    429: ("Too many wrong tokens.", "too-many-attempts", "too many wrong tokens came from 192.0.2.1"),
    431: (
        "The address or the headers are too long.",
        "head-too-large",
        "the request's head is longer than 65536 bytes",
    ),
    500: ("The server is at fault.", "internal", "this server is at fault, not the request (incident 5f0c3a9e1b77)"),
    503: ("More is asked at a time than the server does.", "busy", "64 requests wait already"),
}
_EVERYWHERE = (401, 403, 421, 429, 431, 500)
_BODY = (400, 408, 413, 415, 422, 503)


def ref(model: type[BaseModel]) -> Doc:
    """A reference to a model's schema."""
    return {"$ref": _REF.format(model=model.__name__)}


def json_body(model: type[BaseModel], example: object) -> Doc:
    """``openapi_extra`` of a route that takes JSON."""
    return {"requestBody": {"required": True, "content": {JSON: {"schema": ref(model), "example": example}}}}


def bodies(*content: Mapping[str, Doc]) -> Doc:
    """``openapi_extra`` of a route that takes several kinds of bodies, told by the functions below."""
    merged: Doc = {}
    for kinds in content:
        merged.update(kinds)
    return {"requestBody": {"required": True, "content": merged}}


def as_json(model: type[BaseModel], examples: Mapping[str, object]) -> Mapping[str, Doc]:
    """A body that is JSON."""
    named = {name.replace(" ", "-"): {"summary": name, "value": value} for name, value in examples.items()}
    return {JSON: {"schema": ref(model), "examples": named}}


def as_form(fields: Mapping[str, Doc], *, required: Sequence[str]) -> Mapping[str, Doc]:
    """A body that is a form; see ``file_field``, ``files_field`` and ``json_field``."""
    schema = {"type": "object", "properties": dict(fields), "required": list(required), "additionalProperties": False}
    return {FORM: {"schema": schema}}


def as_photo() -> Mapping[str, Doc]:
    """A body that is a photo."""
    return {kind: {"schema": _PHOTO} for kind in (JPEG, "image/png", "image/webp", "image/*", BINARY)}


def file_field(description: str) -> Doc:
    """A form's field with a file."""
    return {**_PHOTO, "description": description}


def files_field(description: str) -> Doc:
    """A form's field that may come several times, each with a file."""
    return {"type": "array", "items": _PHOTO, "description": description}


def json_field(model: type[BaseModel], example: str) -> Doc:
    """A form's field with JSON in it."""
    return {
        "type": "string",
        "contentMediaType": JSON,
        "contentSchema": ref(model),
        "description": f"JSON, as `{model.__name__}`.",
        "example": example,
    }


def answers(
    model: type[BaseModel] | None,
    example: object = None,
    *,
    failing: Sequence[int] = (),
    status: int = 200,
    description: str = "As asked.",
    headers: Mapping[str, str] | None = None,
    body: bool = False,
) -> dict[int | str, Doc]:
    """``responses`` of a route.

    Args:
        model: What it answers; ``None`` for nothing.
        example: Of the answer.
        failing: Statuses of problems, beside those that every route can have.
        status: When all is well.
        description: Of the good answer.
        headers: Descriptions of its headers.
        body: Whether the route takes a body, with all that can be wrong with one.
    """
    good: Doc = {"description": description}
    if model is not None:
        good["content"] = {JSON: {"schema": ref(model), "example": example}}
    if headers:
        good["headers"] = {name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()}
    return {status: good, **problem_answers(*failing, *(_BODY if body else ()))}


def picture_answers(*failing: int, headers: Mapping[str, str] | None = None) -> dict[int | str, Doc]:
    """``responses`` of a route that answers a JPEG."""
    shown = {name: {"description": text, "schema": {"type": "string"}} for name, text in (headers or {}).items()}
    good = {"description": "A JPEG, re-encoded, without metadata.", "content": {JPEG: {"schema": _PHOTO}}}
    return {200: {**good, "headers": shown}, **problem_answers(*failing)}


def problem_answers(*statuses: int) -> dict[int | str, Doc]:
    """Answers that are problems, beside those that every route can have."""
    return {status: _problem(status) for status in sorted({*statuses, *_EVERYWHERE})}


def document(routes: Sequence[BaseRoute]) -> Doc:
    """The OpenAPI document of these routes."""
    made = get_openapi(
        title=TITLE,
        version=__version__,
        summary=SUMMARY,
        description=(
            "Visual product search over one catalog. Boxes are `[x1, y1, x2, y2]` in shares of the upright photo. "
            "Every error is a problem document (RFC 9457) that names what was found and what was expected."
        ),
        routes=routes,
        tags=[{"name": name, "description": text} for name, text in _TAGS],
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    _restore_nulls(made, routes)
    components = made.setdefault("components", {})
    components["schemas"] = {**components.get("schemas", {}), **_schemas()}
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "The server's token, where it has one."},
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "From `POST /session`."},
    }
    made["security"] = [{}, {"bearer": []}, {"session": []}]
    return made


def _restore_nulls(made: Doc, routes: Sequence[BaseRoute]) -> None:
    """Put bodies and answers back as they were written: FastAPI leaves null out, in examples, too."""
    for route in routes:
        if not isinstance(route, APIRoute) or not route.include_in_schema:
            continue
        for method in route.methods or ():
            operation = made["paths"][route.path_format][method.lower()]
            operation.update(route.openapi_extra or {})
            for status, answer in route.responses.items():
                if "content" in answer:
                    operation["responses"][str(status)]["content"] = answer["content"]


def install(app: FastAPI) -> None:
    """Serve the document at ``/openapi.json``, made when it is first asked for."""

    def openapi() -> Doc:
        if app.openapi_schema is None:
            app.openapi_schema = document(app.routes)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way that FastAPI documents


def _schemas() -> Doc:
    """Every schema there is: what clients send as it may come, what they get as it is sent."""
    models = [
        model
        for _, model in sorted(dict(_classes(schemas) + _classes(schemas_search)).items())
        if issubclass(model, BaseModel) and model not in (BaseModel, schemas.Wire)
    ]
    modes = [(model, "validation" if issubclass(model, schemas.Wire) else "serialization") for model in models]
    _, made = models_json_schema(modes, ref_template=_REF)  # type: ignore[arg-type]  # the two words are literals
    return dict(made["$defs"])


def _classes(module: ModuleType) -> list[tuple[str, type]]:
    return inspect.getmembers(module, inspect.isclass)


def _problem(status: int) -> Doc:
    description, code, detail = _MEANINGS[status]
    example = {
        "type": "about:blank",
        "title": problems.title_of(status),
        "status": status,
        "detail": detail,
        "code": code,
        "remedy": "",
        "errors": [],
    }
    content = {problems.MEDIA_TYPE: {"schema": ref(schemas.Problem), "example": example}}
    answer: Doc = {"description": description, "content": content}
    if status in (429, 503):
        answer["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string"}}}
    return answer
