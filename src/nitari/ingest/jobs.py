"""Imports in the background of a server: accepted means kept, whoever is killed.

A folder holds the jobs (``job_files.py``). Any process may submit, look at, cancel and retry them; one at a time runs
them, the one that holds the runner's lock. What it was at when it died is begun again, which is cheap: an import passes
over what is done already.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import TypeAlias

from filelock import FileLock, Timeout

from nitari.errors import DependencyError, NitariError, NotFoundError, UsageError
from nitari.ingest.job_files import Failure, Job, JobFiles, State
from nitari.ingest.job_request import ImportRequest, shown_url
from nitari.ingest.worker import ImportReport

__all__ = ["Failure", "ImportRequest", "Job", "Jobs", "Run", "State"]

OnProgress: TypeAlias = Callable[[ImportReport], None]
Run: TypeAlias = Callable[[Job, str, OnProgress], ImportReport]
"""Imports what a job names from a path or URL; calls back after each commit, and stops where that raises."""

MAX_QUEUED = 100
"""Most jobs that wait."""
MAX_FINISHED = 1000
"""Most finished jobs that are remembered."""
MAX_FEED_BYTES = 2**30
"""Most bytes of uploaded feeds kept for retrying jobs that failed or were canceled."""
MAX_INTERRUPTIONS = 3
"""A job over which its process died so often in a row is not begun again unless it is retried."""
POLL_S = 0.5
PERSIST_S = 1.0
_PATIENCE_S = 30.0
_log = logging.getLogger(__name__)


class _Stop(Exception):  # noqa: N818 - not an error: leaves an import that is to end at this commit
    """Raised into a running import."""


class Jobs:
    """A queue of imports. Safe for several threads and processes; close it, or use it in a ``with`` statement.

    Args:
        folder: Where jobs are kept; on a local disk.
        run: Carries out one import.
    """

    def __init__(self, *, folder: Path, run: Run) -> None:
        self._files = JobFiles(folder)
        self._run = run
        self._mutex = threading.Lock()
        self._lock = FileLock(folder / "state.lock", timeout=_PATIENCE_S, poll_interval=0.01)
        self._runner = FileLock(folder / "runner.lock")
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Jobs:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, on_commit: Callable[[], None]) -> None:
        """Begin to run jobs, in a thread of its own, oldest first, unless another process over this folder does.

        Args:
            on_commit: Called in that thread after each commit of an import.
        """
        if self._thread is not None:
            raise RuntimeError("jobs were started already")
        self._thread = threading.Thread(target=self._work, args=(on_commit,), name="nitari-jobs", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop running jobs; one that runs ends at its next commit and is begun again at the next start."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    # What clients do

    def submit(self, request: ImportRequest) -> Job:
        """Queue an import; it is durable when this returns.

        Raises:
            UsageError: too many jobs wait already.
            DependencyError: the disk is full or the folder cannot be written.
        """
        with self._changing():
            jobs = self._files.all()
            if sum(job.state == "queued" for job in jobs.values()) >= MAX_QUEUED:
                raise UsageError(
                    f"{MAX_QUEUED} jobs wait already, no more are taken",
                    remedy="wait until some are done, or cancel some",
                    code="too-many-jobs",
                )
            at = _later(jobs)
            job_id = f"{int(at.timestamp() * 1e6):016x}{secrets.token_hex(8)}"
            uploaded = request.data is not None
            job = Job(
                job_id=job_id,
                feed=request.feed if uploaded else shown_url(request.feed),
                feed_id=request.feed_id or (f"upload:{request.feed}" if uploaded else None),
                sync=request.sync,
                allow_delete=request.allow_delete,
                state="queued",
                created_at=at,
                queued_at=at,
                url=None if uploaded else request.feed,
            )
            if request.data is not None:
                self._files.put_feed(job_id, request.feed, request.data)
            self._files.put(job)
        self._wake.set()
        return job

    def get(self, job_id: str) -> Job:
        """A job as it is now.

        Raises:
            NotFoundError: there is none of this id.
            DependencyError: the folder cannot be read.
        """
        with self._translating():
            job = self._files.get(job_id)
        if job is None:
            raise NotFoundError(f"job {job_id[:64]!r} is not here", remedy="list the jobs", code="job-not-found")
        return job

    def list(self) -> tuple[Job, ...]:
        """All jobs, newest first."""
        with self._changing():
            jobs = self._files.all()
        return tuple(sorted(jobs.values(), key=lambda job: job.job_id, reverse=True))

    def cancel(self, job_id: str) -> Job:
        """Cancel a job: one that waits at once, one that runs at its next commit. Committed work stays.

        Canceling twice is as good as once.

        Raises:
            NotFoundError: there is none of this id.
            UsageError: it has ended already.
        """
        with self._changing():
            job = self.get(job_id)
            if job.state == "queued":
                job = replace(job, state="canceled", finished_at=_now())
            elif job.state == "running":
                job = replace(job, cancel_asked=True)
            elif job.state != "canceled":
                raise UsageError(f"job {job_id} has {job.state} already", code="job-state")
            self._files.put(job)
            self._prune()
        return job

    def retry(self, job_id: str) -> Job:
        """Queue a job again that failed or was canceled.

        Raises:
            NotFoundError: there is none of this id.
            UsageError: it is not in such a state, or its uploaded feed is no longer kept.
        """
        with self._changing():
            job = self.get(job_id)
            if job.state not in ("failed", "canceled"):
                raise UsageError(
                    f"job {job_id} is {job.state}, only failed and canceled jobs can be retried",
                    remedy="submit a new job",
                    code="job-state",
                )
            if job.url is None and self._files.feed(job_id) is None:
                raise UsageError(
                    f"the feed {job.feed!r} of job {job_id} is no longer kept",
                    remedy="upload it again",
                    code="feed-gone",
                )
            job = replace(
                job,
                state="queued",
                queued_at=_now(),
                started_at=None,
                finished_at=None,
                progress=None,
                error=None,
                cancel_asked=False,
                interruptions=0,
            )
            self._files.put(job)
        self._wake.set()
        return job

    # What the worker does

    def _work(self, on_commit: Callable[[], None]) -> None:
        """Run jobs until closed; only while this process holds the runner's lock."""
        try:
            while not self._closing.is_set():
                try:
                    busy = self._hold() and self._next(on_commit)
                except Exception:  # noqa: BLE001 - the thread outlives whatever happens to one job
                    _log.exception("jobs cannot be run at present")
                    busy = False
                if not busy:
                    self._wake.wait(POLL_S)
                    self._wake.clear()
        finally:
            self._runner.release(force=True)

    def _hold(self) -> bool:
        """Whether this process is the one that runs jobs."""
        if self._runner.is_locked:
            return True
        with suppress(Timeout):
            self._runner.acquire(timeout=0)
            with self._changing():
                self._files.sweep()
            return True
        return False

    def _next(self, on_commit: Callable[[], None]) -> bool:
        """Run the job that waits longest. Returns whether there was one."""
        job = self._take()
        if job is None:
            return False
        self._finish(job.job_id, _Running(self, job, on_commit).run(self._run))
        return True

    def _take(self) -> Job | None:
        """The job that waits longest, marked as running."""
        with self._changing():
            jobs = self._files.all()
            for job in jobs.values():
                if job.state == "running":  # nobody runs it: this is the process that would
                    jobs[job.job_id] = _taken_up(job)
                    self._files.put(jobs[job.job_id])
            waiting = [job for job in jobs.values() if job.state == "queued"]
            if not waiting:
                return None
            first = min(waiting, key=lambda job: (job.queued_at, job.job_id))
            first = replace(first, state="running", started_at=_now(), attempts=first.attempts + 1, progress=None)
            self._files.put(first)
            return first

    def _finish(self, job_id: str, outcome: Job) -> None:
        """Write down how a job ended."""
        with self._changing():
            self._files.put(outcome)
            if outcome.state == "succeeded":
                self._files.drop_feed(job_id)
            self._prune()

    def _prune(self) -> None:
        """Forget the oldest finished jobs, and the uploaded feeds of those that are unlikely to be retried."""
        finished = [job for job in self._files.all().values() if job.finished]
        finished.sort(key=lambda job: (job.finished_at or job.created_at, job.job_id), reverse=True)
        for job in finished[MAX_FINISHED:]:
            self._files.drop(job.job_id)
        sizes, total = self._files.feed_bytes(), 0
        for job in finished[:MAX_FINISHED]:
            total += sizes.get(job.job_id, 0)
            if total > MAX_FEED_BYTES:
                self._files.drop_feed(job.job_id)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Alone among all threads and processes, for as long as it takes to read and write a few small files."""
        with self._mutex, self._translating(), self._lock:
            yield

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise DependencyError(
                f"the jobs in {Path(self._lock.lock_file).parent} cannot be read and written: {exc}",
                remedy="see that the home folder's disk has room and can be written",
                code="jobs-failed",
            ) from exc


class _Running:
    """One import at work: what it has done so far, and whether it is to stop."""

    def __init__(self, jobs: Jobs, job: Job, on_commit: Callable[[], None]) -> None:
        self._jobs = jobs
        self._job = job
        self._on_commit = on_commit
        self._report: ImportReport | None = None
        self._persisted_at = monotonic()
        self._stopped = self._asked = False

    def run(self, run: Run) -> Job:
        """Carry it out. Returns the job as it is afterwards."""
        job = self._job
        source = job.url or self._jobs._files.feed(job.job_id)
        if source is None:
            return self._ended("failed", Failure("feed-gone", f"the feed {job.feed!r} is gone", "upload it again"))
        try:
            self._report = run(job, str(source), self._progress)
        except _Stop:
            return self._ended("canceled") if self._asked else replace(job, state="queued", progress=self._report)
        except NitariError as error:
            return self._ended("failed", Failure(error.code, error.message, error.remedy))
        except Exception as error:  # noqa: BLE001 - the job is told of it
            _log.exception("an import broke off", extra={"job": job.job_id})
            found = f"the import broke off with an unexpected {type(error).__name__}: {error}"
            return self._ended("failed", Failure("internal", found, "see the server's log, and report it"))
        return self._ended("succeeded")

    def _ended(self, state: State, error: Failure | None = None) -> Job:
        progress = None if self._report is None else replace(self._report)
        return replace(
            self._job, state=state, finished_at=_now(), progress=progress, error=error, cancel_asked=False,
            interruptions=0,
        )  # fmt: skip

    def _progress(self, report: ImportReport) -> None:
        """Note what was committed.

        Raises:
            _Stop: once, where the job is to end.
        """
        self._report = replace(report)
        try:
            self._on_commit()
        except Exception:  # noqa: BLE001 - what is committed is committed
            _log.exception("a commit could not be told of", extra={"job": self._job.job_id})
        if self._stopped or report.complete:
            return
        try:
            self._note()
        except (NitariError, OSError) as error:  # the import itself is none the worse for it
            _log.warning("a job's progress could not be kept", extra={"job": self._job.job_id, "reason": str(error)})
        if self._asked or self._jobs._closing.is_set():
            self._stopped = True
            raise _Stop

    def _note(self) -> None:
        """Look whether a client asked to stop; keep the progress if that was not done just now."""
        job = self._jobs.get(self._job.job_id)
        self._asked = job.cancel_asked
        if monotonic() - self._persisted_at >= PERSIST_S:
            with self._jobs._changing():
                job = self._jobs.get(self._job.job_id)
                self._jobs._files.put(replace(job, progress=self._report))
            self._persisted_at = monotonic()


def _taken_up(job: Job) -> Job:
    """What becomes of a job that ran when its process died."""
    if job.cancel_asked:
        return replace(job, state="canceled", finished_at=_now(), cancel_asked=False)
    if job.interruptions + 1 < MAX_INTERRUPTIONS:
        return replace(job, state="queued", interruptions=job.interruptions + 1)
    error = Failure(
        "interrupted",
        f"the server died {MAX_INTERRUPTIONS} times in a row while this import ran",
        "see the server's log and its memory; retry the job when the cause is gone",
    )
    return replace(job, state="failed", finished_at=_now(), error=error, interruptions=0)


def _now() -> datetime:
    return datetime.now(UTC)


def _later(jobs: Mapping[str, Job]) -> datetime:
    """Now, but later than any job was created: clocks are set back at times."""
    newest = max((job.created_at for job in jobs.values()), default=None)
    now = _now()
    return now if newest is None or newest < now else newest + timedelta(microseconds=1)
