"""Snapshots of the home, at the URL that the settings name."""

from __future__ import annotations

from fastapi import APIRouter, Response

from nitari.server import examples, openapi, present
from nitari.server.api.common import json_response
from nitari.server.context import Api
from nitari.server.schemas import SavedModel, SnapshotsModel


def router(api: Api) -> APIRouter:
    """The routes of snapshots. Restoring is for the command line: it makes a new home."""
    routes = APIRouter(prefix="/v1/snapshots", tags=["snapshots"])
    snapshots = api.services.snapshots

    def listed() -> bytes:
        return present.encode(
            {"url": snapshots.url(), "snapshots": [present.snapshot(one) for one in snapshots.list()]}
        )

    def saved() -> bytes:
        return present.encode(present.saved_snapshot(snapshots.save()))

    @routes.get(
        "",
        operation_id="listSnapshots",
        summary="All snapshots, oldest first",
        response_class=Response,
        responses=openapi.answers(
            SnapshotsModel, {"url": examples.SNAPSHOTS_URL, "snapshots": [examples.SNAPSHOT]}, failing=(409, 422, 503)
        ),
    )
    async def list_snapshots() -> Response:
        """At the URL that the server's settings name."""
        return json_response(await api.slow.run(listed))

    @routes.post(
        "",
        operation_id="saveSnapshot",
        summary="Save a snapshot now",
        description=(
            "While everything goes on; answers when it is published. Only what is new travels. One runs at a time, "
            "another publisher elsewhere is told by `snapshot-race`."
        ),
        status_code=201,
        response_class=Response,
        responses=openapi.answers(
            SavedModel, examples.SAVED, failing=(409, 422, 503), status=201, description="Published."
        ),
    )
    async def save_snapshot() -> Response:
        return json_response(await api.slow.run(saved), status=201)

    return routes
