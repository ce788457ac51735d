"""Search, detect, recommend, count."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from nitari.search.searcher import Searcher
from nitari.server import examples, openapi, present, requests
from nitari.server.api.common import COLLECTION, Collection, DirectRoute, json_response, take
from nitari.server.body import BINARY, FORM, IMAGES, JSON, Body
from nitari.server.context import Api
from nitari.server.schemas_search import (
    AnswerModel,
    DetectBody,
    DetectionModel,
    FacetsBody,
    FacetsModel,
    HeatmapBody,
    HeatmapModel,
    HeatmapOptions,
    RecommendBody,
    SearchBody,
    SearchOptions,
)
from nitari.types import Answer

PHOTO_KINDS = (IMAGES, BINARY, FORM, JSON)
TIMED = {"Server-Timing": "Milliseconds by stage, as browsers' tools show them."}
Options = Annotated[
    str | None,
    Query(
        description="JSON, as `SearchOptions`, beside a photo that is the body.",
        max_length=requests.MAX_OPTIONS,
        examples=['{"k": 10, "region": "largest"}'],
    ),
]
HeatmapParameter = Annotated[
    str | None,
    Query(
        description="JSON, as `HeatmapOptions`, beside a photo that is the body.",
        max_length=requests.MAX_OPTIONS,
        examples=['{"hit": "24-mb02"}'],
    ),
]


def router(api: Api) -> APIRouter:
    """The routes that answer questions."""
    routes = APIRouter(prefix=f"/v1/collections/{COLLECTION}", tags=["search"], route_class=DirectRoute)
    photos, pictures, metrics = api.services.query_photos, api.services.pictures, api.metrics

    def told(c: str, searcher: Searcher, answer: Answer) -> tuple[bytes, str]:
        metrics.stages(answer.timing_ms)
        document = present.answer(answer, collection=searcher.collection, asked=c)
        return present.encode(document), present.server_timing(answer.timing_ms)

    def answered(c: str, searcher: Searcher, body: Body, options: str | None) -> tuple[bytes, str]:
        return told(c, searcher, searcher.search(requests.search_query(body, options, photos)))

    def detected(searcher: Searcher, body: Body) -> tuple[bytes, str]:
        photo, url = requests.detect_source(body, photos)
        detection = searcher.detect(photo=photo, url=url)
        metrics.stages(detection.timing_ms)
        return present.encode(present.detection(detection)), present.server_timing(detection.timing_ms)

    def compared(searcher: Searcher, body: Body, options: str | None) -> tuple[bytes, str]:
        query, hit = requests.heatmap_query(body, options, photos)
        found = searcher.likeness_maps(query, hit, lambda item_id, link: pictures.original(item_id, link=link))
        document = present.likeness_maps(found, collection=searcher.collection)
        return present.encode(document), present.server_timing(found.timing_ms)

    def recommended(c: str, searcher: Searcher, body: Body) -> tuple[bytes, str]:
        return told(c, searcher, searcher.search(requests.recommend_query(body.data)))

    def counted(searcher: Searcher, body: Body) -> bytes:
        asked = requests.parse_json(body.data, FacetsBody)
        return present.encode(present.counted(searcher.facets(asked.names, filter=asked.filter, limit=asked.limit)))

    @routes.post(
        "/search",
        operation_id="search",
        summary="Find look-alikes",
        description=(
            "Of a photo (the body itself, with `options` in the query string, or in a form), or of JSON: a link to a "
            "photo, an item, a vector, a kept query photo, or liked items. Photos are not kept."
        ),
        response_class=Response,
        responses=openapi.answers(AnswerModel, examples.ANSWER, failing=(404,), headers=TIMED, body=True),
        openapi_extra=openapi.bodies(
            openapi.as_json(
                SearchBody,
                {
                    "like an item": {"item_id": "24-mb01", "k": 10, "filter": {"price": {"lt": 50}}},
                    "like a photo elsewhere": {"url": "https://shop.example/photo.jpg", "region": "largest"},
                    "like these, unlike that": {"liked": ["24-mb01"], "disliked": ["24-mb02"], "facets": ["gender"]},
                },
            ),
            openapi.as_form(
                {
                    "photo": openapi.file_field("The query photo."),
                    "options": openapi.json_field(SearchOptions, '{"k": 10}'),
                },
                required=["photo"],
            ),
            openapi.as_photo(),
        ),
    )
    async def search(c: Collection, request: Request, options: Options = None) -> Response:
        searcher = api.searcher(c)  # for all of this request, whatever an alias names by its end
        body = await take(api, request, PHOTO_KINDS)
        return json_response(*await api.work.run(answered, c, searcher, body, options))

    @routes.post(
        "/detect",
        operation_id="detect",
        summary="Find the products on a photo",
        description="Boxes, largest product first. A search with the same photo then does not look for them again.",
        response_class=Response,
        responses=openapi.answers(DetectionModel, examples.DETECTION, failing=(404,), headers=TIMED, body=True),
        openapi_extra=openapi.bodies(
            openapi.as_json(DetectBody, {"a photo elsewhere": {"url": "https://shop.example/photo.jpg"}}),
            openapi.as_form({"photo": openapi.file_field("The photo.")}, required=["photo"]),
            openapi.as_photo(),
        ),
    )
    async def detect(c: Collection, request: Request) -> Response:
        searcher = api.searcher(c)
        body = await take(api, request, PHOTO_KINDS)
        return json_response(*await api.work.run(detected, searcher, body))

    @routes.post(
        "/heatmap",
        operation_id="heatmap",
        summary="Where a query and a hit are alike",
        description=(
            "Covers the photos of both patch by patch and sees how much less alike they are: some eighty passes "
            "through the network, a second or two. One is made at a time; where too many wait, the answer is 503."
        ),
        response_class=Response,
        responses=openapi.answers(HeatmapModel, examples.HEATMAP, failing=(404,), headers=TIMED, body=True),
        openapi_extra=openapi.bodies(
            openapi.as_json(
                HeatmapBody, {"of an item that was searched with": {"item_id": "24-mb01", "hit": "24-mb02"}}
            ),
            openapi.as_form(
                {
                    "photo": openapi.file_field("The query photo."),
                    "options": openapi.json_field(HeatmapOptions, '{"hit": "24-mb02"}'),
                },
                required=["photo", "options"],
            ),
            openapi.as_photo(),
        ),
    )
    async def heatmap(c: Collection, request: Request, options: HeatmapParameter = None) -> Response:
        searcher = api.searcher(c)
        body = await take(api, request, PHOTO_KINDS)
        return json_response(*await api.maps.run(compared, searcher, body, options))

    @routes.post(
        "/recommend",
        operation_id="recommend",
        summary="Items like some and unlike others",
        description="None of the items named is answered.",
        response_class=Response,
        responses=openapi.answers(AnswerModel, examples.ANSWER, failing=(404,), headers=TIMED, body=True),
        openapi_extra=openapi.json_body(RecommendBody, {"liked": ["24-mb01", "24-mb03"], "disliked": ["24-mb02"]}),
    )
    async def recommend(c: Collection, request: Request) -> Response:
        searcher = api.searcher(c)
        body = await take(api, request, (JSON,))
        return json_response(*await api.work.run(recommended, c, searcher, body))

    @routes.post(
        "/facets",
        operation_id="countFacets",
        summary="Count the values of attributes",
        description=(
            "Over all items that pass the filter. A value's count says what choosing it would leave: the filter's own "
            "conditions on that attribute are set aside for it."
        ),
        response_class=Response,
        responses=openapi.answers(FacetsModel, examples.FACETS, failing=(404,), body=True),
        openapi_extra=openapi.json_body(FacetsBody, {"names": ["gender", "price"], "filter": {"price": {"lt": 50}}}),
    )
    async def count_facets(c: Collection, request: Request) -> Response:
        searcher = api.searcher(c)
        body = await take(api, request, (JSON,))
        return json_response(await api.work.run(counted, searcher, body))

    return routes
