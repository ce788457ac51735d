"""Snapshots of the home, at the URL that the settings name."""

from __future__ import annotations

from threading import Lock

from fastapi import APIRouter, Response

from nitari.errors import StateError
from nitari.server import examples, openapi, present
from nitari.server.api.common import StrictRoute, json_response
from nitari.server.context import Api
from nitari.server.schemas import SavedModel, SnapshotsModel


def router(api: Api) -> APIRouter:
    """The routes of snapshots. Restoring is for the command line: it makes a new home."""
    routes = APIRouter(prefix="/v1/snapshots", tags=["snapshots"], route_class=StrictRoute)
    snapshots = api.services.snapshots
    saving = Lock()

    def listed() -> bytes:
        return present.encode(
            {"url": snapshots.url(), "snapshots": [present.snapshot(one) for one in snapshots.list()]}
        )

    def saved() -> bytes:
        if not saving.acquire(blocking=False):
            raise StateError(
                "this server is saving a snapshot already",
                remedy="wait until GET /v1/snapshots lists it; what it sends need not be sent again",
                code="snapshot-busy",
            )
        try:
            return present.encode(present.saved_snapshot(snapshots.save()))
        finally:
            saving.release()

    @routes.get(
        "",
        operation_id="listSnapshots",
        summary="All snapshots, oldest first",
        response_class=Response,
        responses=openapi.answers(
            SnapshotsModel, {"url": examples.SNAPSHOTS_URL, "snapshots": [examples.SNAPSHOT]}, failing=(400, 503)
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
            "While everything goes on; answers when it is published, which may take minutes: only what is new travels. "
            "One runs at a time: a second one is told `snapshot-busy`. Where another process published first, this one "
            "says `snapshot-race`, and nothing was published; save again."
        ),
        status_code=201,
        response_class=Response,
        responses=openapi.answers(
            SavedModel, examples.SAVED, failing=(400, 409, 503), status=201, description="Published."
        ),
    )
    async def save_snapshot() -> Response:
        return json_response(await api.slow.run(saved), status=201)

    return routes
