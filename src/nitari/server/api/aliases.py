"""Aliases: which collection a name leads to, switched and switched back while searches run."""

from __future__ import annotations

import logging
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from nitari.catalog.base import Alias
from nitari.errors import NitariError
from nitari.server import examples, openapi, present, requests
from nitari.server.api.common import StrictRoute, json_response, take
from nitari.server.body import JSON, Body
from nitari.server.context import Api
from nitari.server.schemas import AliasBody, AliasesModel, AliasModel

log = logging.getLogger(__name__)

AliasName = Annotated[str, Path(description="The alias.", min_length=1, max_length=64, examples=["default"])]
_ALIAS = "/{alias:plain}"


def router(api: Api) -> APIRouter:
    """The routes of aliases."""
    routes = APIRouter(prefix="/v1/aliases", tags=["collections"], route_class=StrictRoute)
    catalog, searchers = api.services.catalog, api.services.searchers

    def shown(alias: Alias) -> present.Wire:
        return present.alias(alias, serving=searchers.serves(alias))

    def listed() -> bytes:
        return present.encode({"aliases": [shown(alias) for alias in catalog.aliases()]})

    def switched(alias: Alias) -> bytes:
        """Follow at once; what is not open yet is opened first."""
        try:
            searchers.refresh()
            if not searchers.serves(alias):
                searchers.prepare(again=True)
        except NitariError:  # the switch is durable; the follower tries again within moments
            log.exception("the aliases could not be read after a switch")
        return present.encode(shown(alias))

    def point(name: str, body: Body) -> bytes:
        return switched(catalog.point(name, requests.parse_json(body.data, AliasBody).collection))

    def back(name: str) -> bytes:
        return switched(catalog.point_back(name))

    @routes.get(
        "",
        operation_id="listAliases",
        summary="All aliases",
        response_class=Response,
        responses=openapi.answers(AliasesModel, {"aliases": [examples.ALIAS]}, failing=(503,)),
    )
    async def list_aliases() -> Response:
        """With what each named before."""
        return json_response(await api.work.run(listed))

    @routes.put(
        _ALIAS,
        operation_id="setAlias",
        summary="Let an alias name a collection",
        description=(
            "In one step: a search runs from beginning to end on one collection. What the alias named before is kept "
            "open and up to date, for the way back. `default` is what the page and most clients search."
        ),
        response_class=Response,
        responses=openapi.answers(AliasModel, examples.ALIAS, failing=(404,), body=True),
        openapi_extra=openapi.json_body(AliasBody, {"collection": "nitari-fashion"}),
    )
    async def set_alias(alias: AliasName, request: Request) -> Response:
        return json_response(await api.edits.run(point, alias, await take(api, request, (JSON,))))

    @routes.post(
        f"{_ALIAS}:back",
        operation_id="setAliasBack",
        summary="Let an alias name what it named before",
        description="Once more leads forth again.",
        response_class=Response,
        responses=openapi.answers(AliasModel, examples.ALIAS, failing=(404, 422, 503)),
    )
    async def set_alias_back(alias: AliasName) -> Response:
        return json_response(await api.edits.run(back, alias))

    return routes
