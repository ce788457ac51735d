"""Requests to values of the core. What does not fit is said field by field: what was found, what was expected."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NoReturn, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from nitari.catalog.base import ItemDelete
from nitari.errors import UsageError
from nitari.ingest.edit import Draft, Operation
from nitari.search.query import Query, RegionChoice
from nitari.server.body import FORM, JSON, Body, Part, parse_form
from nitari.server.problems import RequestError, expectation, found, sentence
from nitari.server.schemas import (
    BatchBody,
    FieldProblem,
    ItemBody,
    PutOperation,
)
from nitari.server.schemas_search import (
    DetectBody,
    HeatmapBody,
    HeatmapOptions,
    RecommendBody,
    SearchBody,
    SearchOptions,
)
from nitari.server.services import QueryPhotos
from nitari.types import Box, FloatArray

_Model = TypeVar("_Model", bound=BaseModel)

MAX_OPTIONS = 16_000
"""Longest ``options`` in a query string, characters: percent-encoded, the request's head stays below 64 KiB."""

_SOURCES = ("url", "item_id", "vector", "photo_id")


def parse_json(data: bytes | str, model: type[_Model], *, name: str = "the body") -> _Model:
    """JSON as a model, strictly: RFC 8259 in UTF-8, no field twice, no field that nobody knows, numbers finite.

    Args:
        data: The JSON.
        model: What it should be.
        name: What to call it in messages.

    Raises:
        RequestError: 400 where it is not JSON, 422 where it is not such a model, naming the fields.
    """
    try:
        text = data.decode() if isinstance(data, bytes) else data
        json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        return model.model_validate_json(text)
    except ValidationError as exc:
        raise _invalid(exc, name) from exc
    except RecursionError as exc:
        raise _not_json(name, "it is nested too deeply") from exc
    except UnicodeDecodeError as exc:
        raise _not_json(name, f"byte {exc.start} is not UTF-8") from exc
    except ValueError as exc:
        raise _not_json(name, str(exc)) from exc


def search_query(body: Body, options: str | None, photos: QueryPhotos) -> Query:
    """The query of a search request, whichever of the three ways it came.

    Args:
        body: Photo, form or JSON.
        options: The query parameter ``options``: JSON beside a photo that is the body.
        photos: Where a ``photo_id`` leads.

    Raises:
        RequestError: what does not fit.
        UsageError: what the core refuses.
        NotFoundError: no such kept photo.
    """
    if body.kind == JSON:
        _no_options(options)
        return _query_of(parse_json(body.data, SearchBody), photos)
    _short_enough(options)
    photo, text = photo_and_options(body, options)
    asked = parse_json(text, SearchOptions, name="options") if text else SearchOptions()
    return _query(asked, photo=photo)


def heatmap_query(body: Body, options: str | None, photos: QueryPhotos) -> tuple[Query, str]:
    """The query of a heat map, whichever of the three ways it came, and the item to compare with.

    Raises:
        RequestError: what does not fit.
        NotFoundError: no such kept photo.
    """
    if body.kind == JSON:
        _no_options(options)
        asked = parse_json(body.data, HeatmapBody)
        _exactly_one(asked, ("url", "item_id", "photo_id"))
        photo = None if asked.photo_id is None else photos.get(asked.photo_id).data
        return _compared(asked, photo=photo, url=asked.url, item_id=asked.item_id), asked.hit
    _short_enough(options)
    data, text = photo_and_options(body, options)
    beside = parse_json(text or "{}", HeatmapOptions, name="options")
    return _compared(beside, photo=data), beside.hit


def detect_source(body: Body, photos: QueryPhotos) -> tuple[bytes | None, str | None]:
    """The photo, or the link to it, of a detection."""
    if body.kind != JSON:
        return photo_and_options(body, None)[0], None
    asked = parse_json(body.data, DetectBody)
    _exactly_one(asked, ("url", "photo_id"))
    if asked.photo_id is not None:
        return photos.get(asked.photo_id).data, None
    return None, asked.url


def recommend_query(data: bytes) -> Query:
    """The query of a recommendation."""
    return _query(parse_json(data, RecommendBody))


def draft_of(item_id: str, body: Body) -> Draft:
    """The item of a put, as JSON or as a form with photos."""
    if body.kind == JSON:
        return _draft(item_id, parse_json(body.data, ItemBody))
    parts = _known_parts(body, ("item", "photo"))
    texts = [part.data for part in parts if part.name == "item"]
    if len(texts) > 1:
        _refuse("item", f"{len(texts)} fields", "one field with the item as JSON")
    item = parse_json(texts[0], ItemBody, name="item") if texts else ItemBody()
    return _draft(item_id, item, tuple(part.data for part in parts if part.name == "photo"))


def operations_of(batch: BatchBody) -> tuple[Operation, ...]:
    """The operations of a batch."""
    return tuple(
        _draft(op.item_id, op.item) if isinstance(op, PutOperation) else ItemDelete(op.item_id)
        for op in batch.operations
    )


def photo_of(body: Body) -> bytes:
    """The one photo that a request brings."""
    return photo_and_options(body, None)[0]


def photo_and_options(body: Body, options: str | None) -> tuple[bytes, str | None]:
    """The photo of a raw body or of a form, and the JSON beside it."""
    if body.kind != FORM:
        return body.data, options
    _no_options(options)
    parts = _known_parts(body, ("photo", "options"))
    photos = [part.data for part in parts if part.name == "photo"]
    texts = [part.data for part in parts if part.name == "options"]
    if len(photos) != 1:
        _refuse("photo", f"{len(photos)} such fields in the form", "one, with an image file")
    if len(texts) > 1:
        _refuse("options", f"{len(texts)} such fields in the form", "at most one, with JSON")
    return photos[0], _text(texts[0], "options") if texts else None


def form_parts(body: Body, known: Sequence[str]) -> dict[str, Part]:
    """The fields of a form that may have each of ``known`` once."""
    fields: dict[str, Part] = {}
    for part in _known_parts(body, known):
        if part.name in fields:
            _refuse(part.name, "several such fields in the form", "one")
        fields[part.name] = part
    return fields


def refuse(field: str, what: str, expected: str) -> NoReturn:
    """Say that a field does not fit.

    Raises:
        RequestError: always.
    """
    _refuse(field, what, expected)


def _known_parts(body: Body, known: Sequence[str]) -> tuple[Part, ...]:
    parts = parse_form(body)
    for part in parts:
        if part.name not in known:
            _refuse(part.name[:80], "a field of the form", f"no other fields than {' and '.join(known)}")
    return parts


def _query_of(asked: SearchBody, photos: QueryPhotos) -> Query:
    """The query of a search in JSON."""
    given = [name for name in _SOURCES if getattr(asked, name) is not None]
    if len(given) > 1 or not (given or asked.liked):
        _refuse(
            given[-1] if given else "",
            f"beside {' and '.join(given[:-1])}" if given else "without anything to search with",
            f"exactly one of {', '.join(_SOURCES)}, or liked alone",
            status=HTTPStatus.BAD_REQUEST,
        )
    photo = None if asked.photo_id is None else photos.get(asked.photo_id).data
    vector = None if asked.vector is None else _vector(asked.vector)
    return _query(asked, photo=photo, url=asked.url, item_id=asked.item_id, vector=vector)


def _query(
    asked: SearchOptions | RecommendBody,
    *,
    photo: bytes | None = None,
    url: str | None = None,
    item_id: str | None = None,
    vector: FloatArray | None = None,
) -> Query:
    return Query(
        photo=photo,
        url=url,
        item_id=item_id,
        vector=vector,
        liked=tuple(asked.liked),
        disliked=tuple(asked.disliked),
        region=_region(asked.region) if isinstance(asked, SearchOptions) else "auto",
        filter=asked.filter,
        k=asked.k,
        offset=asked.offset,
        min_score=asked.min_score,
        group_by=asked.group_by,
        facets=tuple(asked.facets),
        facet_limit=asked.facet_limit,
        explain=asked.explain,
        emphasis=asked.emphasis,
        worn=asked.worn if isinstance(asked, SearchOptions) else "auto",
        category=asked.category,
        collapse=asked.collapse,
        why=asked.why,
    )


def _compared(
    asked: HeatmapOptions, *, photo: bytes | None, url: str | None = None, item_id: str | None = None
) -> Query:
    return Query(
        photo=photo,
        url=url,
        item_id=item_id,
        region=_region(asked.region),
        emphasis=asked.emphasis,
        worn=asked.worn,
    )


def _region(region: str | list[float]) -> RegionChoice:
    if isinstance(region, str):
        return region  # type: ignore[return-value]  # the model takes no other words
    try:
        return Box(*region)
    except UsageError as exc:
        error = FieldProblem(field="region", found=found(region), expected=exc.remedy)
        raise RequestError(
            HTTPStatus.UNPROCESSABLE_ENTITY, exc.message, errors=[error], code=exc.code, remedy=exc.remedy
        ) from exc


def _vector(values: Sequence[float]) -> FloatArray:
    wide = np.array(values, np.float64)
    most = float(np.finfo(np.float32).max)
    if np.abs(wide).max() > most:
        place = int(np.abs(wide).argmax())
        _refuse(f"vector.{place}", found(values[place]), f"a number of at most {most:.4g}")
    return wide.astype(np.float32)


def _draft(item_id: str, item: ItemBody, uploads: tuple[bytes, ...] = ()) -> Draft:
    return Draft(
        item_id=item_id,
        title=item.title,
        group_id=item.item_group_id or "",
        image_links=tuple(item.image_links),
        attributes={
            name: tuple(value) if isinstance(value, list) else value for name, value in item.attributes.items()
        },
        uploads=uploads,
        refetch=item.refetch,
    )


def _exactly_one(asked: BaseModel, names: Sequence[str]) -> None:
    given = [name for name in names if getattr(asked, name) is not None]
    if len(given) != 1:
        _refuse(
            given[-1] if given else "",
            f"beside {given[0]}" if given else "without a photo",
            f"exactly one of {', '.join(names)}",
            status=HTTPStatus.BAD_REQUEST,
        )


def _short_enough(options: str | None) -> None:
    if options is not None and len(options) > MAX_OPTIONS:
        _refuse("options", f"{len(options)} characters", f"at most {MAX_OPTIONS}; a form takes more")


def _no_options(options: str | None) -> None:
    if options is not None:
        _refuse("options", "in the query string", "it in the body, for a body that is JSON or a form")


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        raise _not_json(name, f"byte {exc.start} is not UTF-8") from exc


def _refuse(field: str, what: str, expected: str, *, status: HTTPStatus = HTTPStatus.UNPROCESSABLE_ENTITY) -> NoReturn:
    errors = [FieldProblem(field=field, found=what, expected=expected)]
    raise RequestError(status, sentence(errors), errors=errors)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, whose names must differ: which of two values counts, no two parsers agree on (RFC 8259, 4)."""
    result = dict(pairs)
    if len(result) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"the name {found(twice)} stands twice in one object")
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _not_json(name: str, reason: str) -> RequestError:
    errors = [FieldProblem(field="" if name == "the body" else name, found=reason, expected="JSON in UTF-8 (RFC 8259)")]
    return RequestError(HTTPStatus.BAD_REQUEST, f"{name} is not JSON: {reason}", errors=errors, code="json")


def _invalid(exc: ValidationError, name: str) -> RequestError:
    """What does not fit, by field. Of the branches of a union, the one that went furthest says it."""
    wrong = [(_path(error), error) for error in exc.errors(include_url=False, include_context=False)]
    if any(error["type"] == "json_invalid" for _, error in wrong):
        return _not_json(name, str(wrong[0][1]["msg"]).removeprefix("Invalid JSON: "))
    merged: dict[str, list[Mapping[str, Any]]] = {}
    for path, error in wrong:
        merged.setdefault(path, []).append(error)
    fields = [
        FieldProblem(
            field=path,
            found="absent" if errors[0]["type"] == "missing" else found(errors[0]["input"]),
            expected=" or ".join(dict.fromkeys(expectation(error) for error in errors)),
        )
        for path, errors in merged.items()
        if not any(other.startswith(f"{path}.") for other in merged if path)
    ]
    return RequestError(HTTPStatus.UNPROCESSABLE_ENTITY, sentence(fields), errors=fields[:32])


# What pydantic adds to a place for the branch of a union or the kind of an operation: no part of what was sent.
_BRANCHES = frozenset({"put", "delete", "bool", "float", "constrained-float", "str", "int", "none"})


def _path(error: Mapping[str, Any]) -> str:
    """The field as the client wrote it."""
    place = error["loc"]
    shown = [
        str(part)[:80]
        for at, part in enumerate(place)
        if isinstance(part, int) or not (at and (part in _BRANCHES or "[" in part))
    ]
    return ".".join(shown)
