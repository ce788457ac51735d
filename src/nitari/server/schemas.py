"""What goes over the wire: the OpenAPI document is made from these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from nitari.errors import UsageError
from nitari.search.query import MAX_K, MAX_WINDOW, Query, RegionChoice
from nitari.types import Answer, Box

BoxModel = Annotated[list[float], Field(min_length=4, max_length=4, examples=[[0.2, 0.1, 0.8, 0.9]])]
MAX_EXAMPLES = 100
MAX_DIM = 65_536


class SearchOptions(BaseModel):
    """What every query can say beside what it searches with."""

    model_config = ConfigDict(extra="forbid")

    region: Literal["auto", "whole", "largest"] | BoxModel = Field(
        default="auto", description="Part of the photo to search with: a choice, or a box `[x1, y1, x2, y2]` in 0-1."
    )
    filter: dict[str, Any] | None = Field(
        default=None, examples=[{"gender": "female", "price": {"gte": 10, "lt": 50}, "color": ["red", "blue"]}]
    )
    k: int = Field(default=20, ge=1, le=MAX_K)
    offset: int = Field(default=0, ge=0, le=MAX_WINDOW)
    min_score: float | None = Field(default=None, ge=0, le=1)
    group_by: Literal["item", "group"] = "item"


class SearchBody(SearchOptions):
    """A query without an uploaded photo: exactly one of `url`, `item_id`, `vector` or `liked`."""

    url: str | None = Field(default=None, max_length=4096)
    item_id: str | None = Field(default=None, max_length=512)
    vector: list[float] | None = Field(default=None, min_length=1, max_length=MAX_DIM)
    liked: list[str] = Field(default=[], max_length=MAX_EXAMPLES)
    disliked: list[str] = Field(default=[], max_length=MAX_EXAMPLES)


class HitModel(BaseModel):
    """One item that looks alike."""

    item_id: str
    item_group_id: str
    score: float = Field(ge=0, le=1)
    image: str
    box: BoxModel
    title: str
    attributes: dict[str, str | float | bool | list[str]]


class RegionModel(BaseModel):
    """A product found on the query photo."""

    box: BoxModel
    label: str
    score: float


class AnswerModel(BaseModel):
    """Hits, best first."""

    hits: list[HitModel]
    more: bool
    regions: list[RegionModel]
    query_box: BoxModel | None
    timing_ms: dict[str, float]


def to_query(options: SearchOptions, *, photo: bytes | None = None) -> Query:
    """The query that a request means.

    Raises:
        UsageError: where nothing, or more than one thing, is given to search with.
    """
    body = options if isinstance(options, SearchBody) else SearchBody(**options.model_dump())
    return Query(
        photo=photo,
        url=body.url,
        item_id=body.item_id,
        vector=_vector(body.vector),
        liked=tuple(body.liked),
        disliked=tuple(body.disliked),
        region=_region(body.region),
        filter=body.filter,
        k=body.k,
        offset=body.offset,
        min_score=body.min_score,
        group_by=body.group_by,
    )


def to_answer(answer: Answer) -> AnswerModel:
    """An answer as JSON: boxes and scores rounded, attributes as JSON types."""
    return AnswerModel(
        hits=[
            HitModel(
                item_id=hit.item_id,
                item_group_id=hit.group_id,
                score=round(hit.score, 6),
                image=hit.image,
                box=hit.box.as_list(),
                title=hit.title,
                attributes={n: list(v) if isinstance(v, tuple) else v for n, v in hit.attributes.items()},
            )
            for hit in answer.hits
        ],
        more=answer.more,
        regions=[
            RegionModel(box=region.box.as_list(), label=region.label, score=round(region.score, 4))
            for region in answer.regions
        ],
        query_box=answer.query_box.as_list() if answer.query_box else None,
        timing_ms={stage: round(ms, 3) for stage, ms in answer.timing_ms.items()},
    )


def _vector(values: list[float] | None) -> np.ndarray[Any, np.dtype[np.float32]] | None:
    if values is None:
        return None
    vector = np.asarray(values, dtype=np.float32)
    if not np.isfinite(vector).all():
        raise UsageError("vector has a value that is not finite", remedy="send finite numbers")
    return vector


def _region(region: str | list[float]) -> RegionChoice:
    if isinstance(region, list):
        return Box(*region)
    return region  # type: ignore[return-value]  # the schema has checked the choice
