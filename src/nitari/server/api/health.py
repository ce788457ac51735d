"""Whether the process lives, whether it can answer, and its figures."""

from __future__ import annotations

from collections import Counter

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from nitari.errors import NitariError
from nitari.server import examples, openapi, problems
from nitari.server.context import Api
from nitari.server.schemas import HealthModel, ReadyModel
from nitari.telemetry import Reading


def router(api: Api) -> APIRouter:
    """``/livez``, ``/readyz`` and ``/metrics``."""
    routes = APIRouter(tags=["health"])
    searchers = api.services.searchers
    api.metrics.watch(lambda: _reading(api))

    @routes.get(
        "/livez",
        operation_id="livez",
        summary="Whether the process answers at all",
        responses=openapi.answers(HealthModel, {"status": "ok"}),
    )
    async def livez() -> HealthModel:
        """If not, restart it."""
        return HealthModel(status="ok")

    # A plain function: runs on a thread that is none of the work queue's, which may be full, and then is healthy.
    @routes.get(
        "/readyz",
        operation_id="readyz",
        summary="Whether searches can be answered",
        response_model=ReadyModel,
        responses=openapi.answers(ReadyModel, examples.READY, failing=(503,)),
    )
    def readyz() -> ReadyModel | Response:
        """And what is served. If not, send requests elsewhere."""
        try:
            searcher = searchers.current
            searcher.ping()
        except NitariError as error:
            described = problems.describe(error)
            return problems.problem(503, detail=described.detail, code=described.code, remedy=described.remedy)
        stats = searcher.stats()
        return ReadyModel(status="ok", collection=stats.collection, items=stats.items, seq=stats.seq)

    @routes.get(
        "/metrics",
        operation_id="metrics",
        summary="Counts and times, for Prometheus",
        response_class=PlainTextResponse,
        responses={
            200: {
                "description": "In Prometheus' text format.",
                "content": {"text/plain": {"schema": {"type": "string"}, "example": examples.METRICS}},
            },
            **openapi.problem_answers(),
        },
    )
    def metrics() -> Response:
        """Of this process."""
        body, kind = api.metrics.render()
        return Response(body, media_type=kind)

    return routes


def _reading(api: Api) -> Reading:
    """What the metrics look up."""
    stats = api.services.searchers.current.stats()
    return Reading(
        items=stats.items,
        keys=stats.keys,
        seq=stats.seq,
        waiting=api.work.waiting + api.edits.waiting,
        jobs=Counter(job.state for job in api.services.jobs.list()),
        recall=stats.recall,
        damaged=stats.damaged,
    )
