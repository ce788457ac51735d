"""Waiting for jobs: how they end."""

from __future__ import annotations

from typing import Any

import pytest

from nitari.client import JobError
from nitari.client.jobs import wait_for
from nitari.server.examples import JOB
from nitari.server.schemas import JobModel


def job(**more: Any) -> JobModel:
    """A job as a server tells of it."""
    return JobModel.model_validate({**JOB, "job_id": "j1", **more})


def test_it_ends_with_success() -> None:
    """Until the job has succeeded, and not a look more."""
    states = iter(["queued", "running", "succeeded"])
    assert wait_for(lambda: job(state=next(states)), timeout=None, poll=0).state == "succeeded"
    assert not list(states)


def test_what_does_not_succeed() -> None:
    """Failed, canceled, or too long: an error that has the job."""
    problem = {"title": "x", "status": 422, "detail": "the feed is empty", "code": "feed", "remedy": "fill it"}
    with pytest.raises(JobError, match="job j1 failed: the feed is empty") as failed:
        wait_for(lambda: job(state="failed", problem=problem), timeout=None, poll=0)
    assert (failed.value.code, failed.value.remedy) == ("feed", "fill it")
    with pytest.raises(JobError, match="was canceled"):
        wait_for(lambda: job(state="canceled"), timeout=None, poll=0)
    with pytest.raises(JobError, match="still running after 0 s") as late:
        wait_for(lambda: job(state="running"), timeout=0, poll=0)
    assert late.value.job.state == "running"
