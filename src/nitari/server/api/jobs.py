"""Imports in the background."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Request, Response
from starlette.convertors import Convertor, register_url_convertor

from nitari.ingest.jobs import ImportRequest, Job
from nitari.server import examples, openapi, present, requests
from nitari.server.api.common import StrictRoute, json_response, take
from nitari.server.body import FORM, JSON, Body
from nitari.server.context import Api
from nitari.server.schemas import ImportBody, ImportOptions, JobModel, JobsModel


class _PlainConvertor(Convertor[str]):
    """A segment without a colon: what follows a colon is what to do, as in ``/v1/jobs/{id}:cancel``."""

    regex = "[^/:]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("plain", _PlainConvertor())

JOB = "/{job_id:plain}"
JobId = Annotated[str, Path(min_length=1, max_length=64, examples=[examples.JOB["job_id"]])]


def router(api: Api) -> APIRouter:
    """The routes of jobs."""
    routes = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=StrictRoute)
    jobs = api.services.jobs

    def submit(body: Body) -> Response:
        job = jobs.submit(import_of(body))
        return _job(job, status=202, headers={"Location": f"/v1/jobs/{quote(job.job_id)}"})

    @routes.post(
        "",
        operation_id="createJob",
        summary="Import a feed",
        description=(
            "From an `http(s)` URL, or a feed file in a form. Accepted means kept: the job goes on after a restart. "
            "Items can be found as they are committed. Larger feeds than a body may be come by URL."
        ),
        status_code=202,
        response_class=Response,
        responses=openapi.answers(
            JobModel,
            {**examples.JOB, "state": "queued", "started_at": None, "progress": None},
            status=202,
            description="Accepted.",
            headers={"Location": "The job's path."},
            body=True,
        ),
        openapi_extra=openapi.bodies(
            openapi.as_json(ImportBody, {"a feed of a shop": {"feed": "https://shop.example/feed.xml", "sync": True}}),
            openapi.as_form(
                {
                    "feed": openapi.file_field("The feed; its file name tells the format."),
                    "options": openapi.json_field(ImportOptions, '{"feed_id": "spring", "sync": true}'),
                },
                required=["feed"],
            ),
        ),
    )
    async def create_job(request: Request) -> Response:
        return await api.work.run(submit, await take(api, request, (JSON, FORM)))

    @routes.get(
        "",
        operation_id="listJobs",
        summary="All jobs, newest first",
        response_class=Response,
        responses=openapi.answers(JobsModel, examples.JOBS, failing=(503,)),
    )
    async def list_jobs() -> Response:
        """Finished ones for as long as they are remembered."""
        found = await api.work.run(jobs.list)
        return json_response(present.encode({"jobs": [present.job(job) for job in found]}))

    @routes.get(
        JOB,
        operation_id="getJob",
        summary="A job as it is now",
        response_class=Response,
        responses=openapi.answers(JobModel, examples.JOB, failing=(404, 422, 503)),
    )
    async def get_job(job_id: JobId) -> Response:
        """With the progress that is committed."""
        return _job(await api.work.run(jobs.get, job_id))

    @routes.post(
        f"{JOB}:retry",
        operation_id="retryJob",
        summary="Run a job again that failed or was canceled",
        response_class=Response,
        responses=openapi.answers(JobModel, {**examples.JOB, "state": "queued"}, failing=(404, 409, 422, 503)),
    )
    async def retry_job(job_id: JobId) -> Response:
        """Work that is done is not done again."""
        return _job(await api.work.run(jobs.retry, job_id))

    @routes.post(
        f"{JOB}:cancel",
        operation_id="cancelJob",
        summary="Cancel a job",
        response_class=Response,
        responses=openapi.answers(JobModel, {**examples.JOB, "state": "canceled"}, failing=(404, 409, 422, 503)),
    )
    async def cancel_job(job_id: JobId) -> Response:
        """One that runs ends at its next commit; what is committed stays."""
        return _job(await api.work.run(jobs.cancel, job_id))

    return routes


def import_of(body: Body) -> ImportRequest:
    """The import that a request asks for."""
    if body.kind == JSON:
        asked = requests.parse_json(body.data, ImportBody)
        return ImportRequest(feed=asked.feed, feed_id=asked.feed_id, sync=asked.sync, allow_delete=asked.allow_delete)
    parts = requests.form_parts(body, ("feed", "options"))
    feed, options = parts.get("feed"), parts.get("options")
    if feed is None or not feed.file_name:
        requests.refuse("feed", "absent" if feed is None else "without a file name", "a file field with the feed")
    chosen = ImportOptions() if options is None else requests.parse_json(options.data, ImportOptions, name="options")
    return ImportRequest(
        feed=feed.file_name,
        data=feed.data,
        feed_id=chosen.feed_id,
        sync=chosen.sync,
        allow_delete=chosen.allow_delete,
    )


def _job(job: Job, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return json_response(present.encode(present.job(job)), status=status, headers=headers)
