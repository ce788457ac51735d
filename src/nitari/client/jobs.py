"""Waiting for a job of the server."""

from __future__ import annotations

import time
from collections.abc import Callable

from nitari.client.errors import JobError
from nitari.server.schemas import JobModel

_ENDED = {"failed": "failed", "canceled": "was canceled"}


def wait_for(look: Callable[[], JobModel], *, timeout: float | None, poll: float) -> JobModel:
    """Look at a job until it has succeeded; see ``Client.wait``.

    Args:
        look: The job as it is now.
        timeout: Longest wait, seconds; for ever if ``None``.
        poll: Pause between two looks, seconds.

    Raises:
        JobError: it failed, was canceled, or has not finished in time.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        seen = look()
        if seen.state == "succeeded":
            return seen
        if seen.state in _ENDED:
            why = f": {seen.problem.detail}" if seen.problem else ""
            remedy = seen.problem.remedy if seen.problem else ""
            raise JobError(f"job {seen.job_id} {_ENDED[seen.state]}{why}", job=seen, remedy=remedy)
        if deadline is not None and time.monotonic() >= deadline:
            raise JobError(f"job {seen.job_id} is still {seen.state} after {timeout:g} s", job=seen)
        time.sleep(poll)
