"""Pictures of items, and query photos that are kept because somebody asked for it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from nitari.server import examples, openapi, present, requests
from nitari.server.api.common import COLLECTION, Collection, ItemId, StrictRoute, json_response, take
from nitari.server.body import BINARY, FORM, IMAGES, Body
from nitari.server.context import Api
from nitari.server.pages import is_known
from nitari.server.schemas import QueryPhotoModel
from nitari.server.services import KeptPhoto, Picture

DEFAULT_SIZE = 480
SMALLEST, LARGEST = 16, 2048

# A feed may replace the photo behind a link, so that browsers ask again after a while; a kept photo never changes.
_CACHED = "private, max-age=300"
_CACHED_KEPT = "private, max-age=86400, immutable"
_TAGGED = {"ETag": "Changes whenever the picture does.", "Cache-Control": "How long it may be shown again."}

Link = Annotated[
    str | None,
    Query(description="One of the item's own links; its main photo if absent.", min_length=1, max_length=4096),
]
Size = Annotated[int, Query(description="Longest side, pixels; a near step is taken.", ge=SMALLEST, le=LARGEST)]
PhotoId = Annotated[str, Path(min_length=1, max_length=64, examples=[examples.QUERY_PHOTO["photo_id"]])]


def router(api: Api) -> APIRouter:
    """The routes that answer pictures."""
    routes = APIRouter(prefix=f"/v1/collections/{COLLECTION}", tags=["photos"], route_class=StrictRoute)
    pictures, query_photos = api.services.pictures, api.services.query_photos
    not_modified: dict[int | str, openapi.Doc] = {
        304: {"description": "The picture that the client has is still good."}
    }

    def keep(body: Body) -> KeptPhoto:
        return query_photos.keep(requests.photo_of(body))

    @routes.get(
        "/photos/{item_id:path}",
        operation_id="getPhoto",
        summary="A picture of an item",
        description="A small JPEG of one of the item's own photos. No other link is ever followed.",
        response_class=Response,
        responses={**openapi.picture_answers(400, 404, 422, 503, headers=_TAGGED), **not_modified},
    )
    async def get_photo(
        c: Collection, item_id: ItemId, request: Request, link: Link = None, size: Size = DEFAULT_SIZE
    ) -> Response:
        api.searcher(c)
        picture = await api.pictures.run(pictures.thumbnail, item_id, link=link, size=size)
        return _picture(picture, request, _CACHED)

    @routes.post(
        "/query-photos",
        operation_id="keepQueryPhoto",
        summary="Keep a query photo for a link",
        description=(
            "Re-encoded, without metadata, under a name that nobody can guess, for as long as the server keeps such "
            "photos. No other request ever stores a query photo."
        ),
        status_code=201,
        response_class=Response,
        responses=openapi.answers(
            QueryPhotoModel,
            examples.QUERY_PHOTO,
            failing=(404,),
            status=201,
            headers={"Location": "The photo's path."},
            body=True,
        ),
        openapi_extra=openapi.bodies(
            openapi.as_form({"photo": openapi.file_field("The photo.")}, required=["photo"]), openapi.as_photo()
        ),
    )
    async def keep_query_photo(c: Collection, request: Request) -> Response:
        api.searcher(c)
        kept = await api.work.run(keep, await take(api, request, (IMAGES, BINARY, FORM)))
        path = present.query_photo_path(c, kept.photo_id)
        body = present.encode({"photo_id": kept.photo_id, "photo": path, "expires_at": kept.expires_at})
        return json_response(body, status=201, headers={"Location": path})

    @routes.get(
        "/query-photos/{photo_id}",
        operation_id="getQueryPhoto",
        summary="A kept query photo",
        response_class=Response,
        responses={**openapi.picture_answers(404, 422, 503, headers=_TAGGED), **not_modified},
    )
    async def get_query_photo(c: Collection, photo_id: PhotoId, request: Request) -> Response:
        """As it was kept: re-encoded, without metadata."""
        api.searcher(c)
        return _picture(await api.work.run(query_photos.get, photo_id), request, _CACHED_KEPT)

    @routes.delete(
        "/query-photos/{photo_id}",
        operation_id="forgetQueryPhoto",
        summary="Delete a kept query photo",
        status_code=204,
        response_class=Response,
        responses=openapi.answers(None, failing=(404, 422, 503), status=204, description="It is gone."),
    )
    async def forget_query_photo(c: Collection, photo_id: PhotoId) -> Response:
        """For good."""
        api.searcher(c)
        await api.work.run(query_photos.forget, photo_id)
        return Response(status_code=204)

    return routes


def _picture(picture: Picture, request: Request, caching: str) -> Response:
    """A picture, or 304 where the client has it already (RFC 9110, 13.1.2)."""
    tag = f'"{picture.tag}"'
    headers = {"ETag": tag, "Cache-Control": caching}
    if is_known(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    return Response(picture.data, media_type=openapi.JPEG, headers=headers)
