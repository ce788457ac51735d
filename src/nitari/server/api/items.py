"""Items: put, get, delete, and many at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query, Request, Response

from nitari.errors import NitariError, NotFoundError
from nitari.ingest.edit import Edited
from nitari.search.searcher import Searcher
from nitari.server import examples, openapi, present, problems, requests
from nitari.server.api.common import COLLECTION, Collection, ItemId, StrictRoute, json_response, take
from nitari.server.body import FORM, JSON, Body
from nitari.server.context import Api
from nitari.server.schemas import (
    MAX_SAMPLE,
    BatchBody,
    BatchModel,
    EditModel,
    FieldProblem,
    ItemBody,
    ItemModel,
    ItemsModel,
    Problem,
)

log = logging.getLogger(__name__)

_T = TypeVar("_T")

ITEM = "/items/{item_id:path}"
Limit = Annotated[int, Query(description="How many at most.", ge=1, le=MAX_SAMPLE)]


def router(api: Api) -> APIRouter:
    """The routes that read and edit items."""
    routes = APIRouter(prefix=f"/v1/collections/{COLLECTION}", tags=["items"], route_class=StrictRoute)
    services = api.services
    editor, catalog, searchers = services.editor, services.catalog, services.searchers

    def seen(c: str, edit: Callable[[], _T]) -> _T:
        """Carry out an edit, and see to it that this server's next answer shows it."""
        done = edit()
        try:
            searchers.refresh()
            asked = searchers.named(c)
            if asked is not searchers.current:
                asked.refresh()
        except NitariError:  # the edit is durable; the follower tries again within moments
            log.exception("the change log could not be read after an edit")
        return done

    def stored(c: str, item_id: str) -> bytes:
        found = catalog.get(item_id)
        if found is None:
            raise _absent(item_id)
        return present.encode(present.item(found, collection=c))

    def few(c: str, searcher: Searcher, limit: int) -> bytes:
        # One that was deleted a moment ago is left out.
        found = filter(None, map(catalog.get, searcher.sample(limit)))
        return present.encode({"items": [present.item(one, collection=c) for one in found]})

    def put(c: str, item_id: str, body: Body) -> Response:
        draft = requests.draft_of(item_id, body)
        edited = seen(c, lambda: editor().put(draft))
        api.metrics.edit(edited.result)
        if edited.result == "rejected":
            return problems.render(_rejected(edited))
        return json_response(present.encode(present.edit(edited)), status=present.edit_status(edited))

    def delete(c: str, item_id: str) -> Response:
        edited = seen(c, lambda: editor().delete(item_id))
        api.metrics.edit(edited.result)
        if edited.result == "absent":
            raise _absent(item_id)
        return json_response(present.encode(present.edit(edited)))

    def batch(c: str, body: Body) -> Response:
        operations = requests.operations_of(requests.parse_json(body.data, BatchBody))
        results = seen(c, lambda: editor().apply(operations))
        for edited in results:
            api.metrics.edit(edited.result)
        seq = max((edited.seq for edited in results), default=0) or catalog.seq()
        return json_response(present.encode(present.batch(results, seq=seq)))

    @routes.get(
        "/items",
        operation_id="sampleItems",
        summary="A few items, to show what there is",
        response_class=Response,
        responses=openapi.answers(ItemsModel, {"items": [examples.ITEM]}, failing=(404, 422, 503)),
    )
    async def sample_items(c: Collection, limit: Limit = 12) -> Response:
        """Spread evenly over the catalog, each of another group; the same ones until the catalog changes."""
        return json_response(await api.work.run(few, c, api.searcher(c), limit))

    @routes.post(
        "/items:batch",
        operation_id="editItems",
        summary="Put and delete many items",
        description="In order; each succeeds or fails by itself, and has its own status in the answer.",
        response_class=Response,
        responses=openapi.answers(BatchModel, examples.BATCH, failing=(404,), body=True),
        openapi_extra=openapi.json_body(BatchBody, examples.BATCH_BODY),
    )
    async def edit_items(c: Collection, request: Request) -> Response:
        api.searcher(c)
        return await api.edits.run(batch, c, await take(api, request, (JSON,)))

    @routes.get(
        ITEM,
        operation_id="getItem",
        summary="An item as the catalog has it",
        response_class=Response,
        responses=openapi.answers(ItemModel, examples.ITEM, failing=(404, 422, 503)),
    )
    async def get_item(c: Collection, item_id: ItemId) -> Response:
        """With its photos, what was found on them, and the paths of their pictures."""
        api.searcher(c)
        return json_response(await api.work.run(stored, c, item_id))

    @routes.put(
        ITEM,
        operation_id="putItem",
        summary="Insert or replace an item",
        description=(
            "As JSON, or as a form with photos, which are put before the `image_links`. When this answers, the item is "
            "durable and can be found. An item without any usable photo is refused, with the reason for each photo."
        ),
        response_class=Response,
        responses={
            **openapi.answers(
                EditModel, {**examples.EDIT, "result": "replaced", "status": 200}, failing=(404,), body=True
            ),
            201: openapi.answers(EditModel, examples.EDIT, status=201, description="It is new.")[201],
        },
        openapi_extra=openapi.bodies(
            openapi.as_json(ItemBody, {"an item": examples.ITEM_BODY}),
            openapi.as_form(
                {
                    "item": openapi.json_field(ItemBody, '{"title": "Joust duffle bag"}'),
                    "photo": openapi.files_field("Photos of the item, main one first."),
                },
                required=[],
            ),
        ),
    )
    async def put_item(c: Collection, item_id: ItemId, request: Request) -> Response:
        api.searcher(c)
        return await api.edits.run(put, c, item_id, await take(api, request, (JSON, FORM)))

    @routes.delete(
        ITEM,
        operation_id="deleteItem",
        summary="Delete an item",
        description="One that is still in its feed comes back with that feed's next import.",
        response_class=Response,
        responses=openapi.answers(EditModel, examples.DELETED, failing=(400, 404, 422, 503)),
    )
    async def delete_item(c: Collection, item_id: ItemId) -> Response:
        api.searcher(c)
        return await api.edits.run(delete, c, item_id)

    return routes


def _absent(item_id: str) -> NotFoundError:
    return NotFoundError(f"item {item_id[:80]!r} is not in the catalog")


def _rejected(edited: Edited) -> Problem:
    """Why a put was refused, photo by photo."""
    if edited.error is not None:
        return problems.describe(edited.error)
    errors = [
        FieldProblem(
            field=f"image_links.{edited.image_links.index(found.image_link)}"
            if found.image_link in edited.image_links
            else "image_links",
            found=problems.found(found.image_link),
            expected=f"a photo that can be used: {found.reason}",
        )
        for found in edited.rejections
    ]
    count = len(edited.rejections)
    what = f"{count} {'was' if count == 1 else 'were'} refused" if count else "none was given"
    return Problem(
        title=problems.title_of(422),
        status=422,
        detail=f"item {edited.item_id[:80]!r} has no photo that can be used; {what}",
        code="no-usable-photo" if count != 1 else edited.rejections[0].code,
        remedy=next((found.remedy for found in edited.rejections if found.remedy), ""),
        errors=errors,
    )
