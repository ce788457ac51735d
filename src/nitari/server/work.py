"""Bounded work: a few threads for what takes time, a short queue before them, and a refusal beyond it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from queue import SimpleQueue
from threading import Lock, Thread
from time import monotonic
from typing import Any, ParamSpec, TypeVar

from starlette.requests import ClientDisconnect

from nitari.errors import BusyError

CLOSE_S = 10.0
"""Longest wait for what is under way when the queue is closed."""

_P = ParamSpec("_P")
_T = TypeVar("_T")

caller_gone: ContextVar[Callable[[], Awaitable[None]] | None] = ContextVar("caller_gone", default=None)
"""What returns once the caller of this request has hung up; set for each request by the outermost middleware."""


class WorkQueue:
    """Runs functions on threads of its own, so that the event loop stays free.

    Not a ``ThreadPoolExecutor``: that one has no bound on what waits, keeps what nobody waits for any more, and costs
    two to three times as much a call (13-52 us of CPU where this takes 9-30, a core of 2026).

    Args:
        threads: Functions that run at a time.
        waiting: Callers that may wait while all threads are busy.
    """

    def __init__(self, *, threads: int, waiting: int) -> None:
        self._most = threads + waiting
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = Lock()
        self._threads = [Thread(target=self._work, name=f"nitari-work-{n}", daemon=True) for n in range(threads)]
        self._outstanding = 0
        self._running = 0
        self._closed = False
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Callers that wait for a thread."""
        with self._lock:
            return self._outstanding - self._running

    @property
    def running(self) -> int:
        """Functions that run now."""
        return self._running

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call ``function`` on a thread. One whose caller is canceled, or hangs up, before its turn is never called.

        Raises:
            BusyError: all threads are busy and as many callers wait as may.
            ClientDisconnect: the caller hung up while it waited.
            Exception: whatever ``function`` raises.
        """
        loop = asyncio.get_running_loop()
        job = _Job(function, args, kwargs, loop)
        with self._lock:
            if self._closed or self._outstanding >= self._most:
                raise BusyError(
                    "the server is shutting down"
                    if self._closed
                    else f"{self._outstanding} requests are at work or waiting, which is as many as this server takes",
                    remedy="send the same request again in a second",
                )
            self._outstanding += 1
            must_wait = self._outstanding > len(self._threads)
        self._jobs.put(job)
        try:
            gone = caller_gone.get() if must_wait else None
            if gone is not None:
                await self._until_done_or_gone(job, gone)
            result: _T = await job.future
        except asyncio.CancelledError:
            self._drop(job)
            raise
        return result

    def close(self) -> None:
        """Refuse what waits and what comes, and wait a while for what runs. May be called twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        for _ in self._threads:
            self._jobs.put(None)
        deadline = monotonic() + CLOSE_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))

    async def _until_done_or_gone(self, job: _Job, gone: Callable[[], Awaitable[None]]) -> None:
        """Give the place in the queue back as soon as nobody wants it any more."""
        watch = asyncio.ensure_future(gone())
        try:
            await asyncio.wait((job.future, watch), return_when=asyncio.FIRST_COMPLETED)
        finally:
            watch.cancel()
        if not job.future.done() and self._drop(job):
            raise ClientDisconnect

    def _drop(self, job: _Job) -> bool:
        """Take back a job whose turn has not come; whether that was so."""
        with self._lock:
            if job.taken:
                return False
            job.taken = True
            self._outstanding -= 1
        job.release()  # its photo need not wait for the thread that would find the job dropped
        return True

    def _take(self, job: _Job) -> bool:
        """Begin a job, unless it was dropped."""
        with self._lock:
            if job.taken:
                return False
            job.taken = True
            self._running += 1
        return True

    def _work(self) -> None:
        """What each thread does."""
        while (job := self._jobs.get()) is not None:
            if not self._take(job):
                continue
            if self._closed:
                job.refuse(BusyError("the server is shutting down", remedy="send the same request again in a second"))
            else:
                job.carry_out()
            with self._lock:
                self._running -= 1
                self._outstanding -= 1
            del job  # or a photo stays in memory until the next one comes


class _Job:
    """A call, and the future that its caller awaits."""

    __slots__ = ("_args", "_function", "_kwargs", "_loop", "future", "taken")

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._function = function
        self._args = args
        self._kwargs = kwargs
        self._loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self.taken = False

    def carry_out(self) -> None:
        """Call, on this thread, and tell the event loop what came of it."""
        try:
            result = self._function(*self._args, **self._kwargs)
        except BaseException as exc:  # noqa: BLE001  # the caller, in the event loop, is told all of them
            self.refuse(exc)
        else:
            self._tell(result, None)

    def refuse(self, error: BaseException) -> None:
        """Tell the event loop of an error."""
        if isinstance(error, StopIteration):  # no future can carry it
            error = RuntimeError(f"a worker's function raised {error!r}")
        self._tell(None, error)

    def release(self) -> None:
        """Let go of what was to be worked on."""
        self._function, self._args, self._kwargs = _nothing, (), {}

    def _tell(self, result: Any, error: BaseException | None) -> None:
        self.release()
        try:
            self._loop.call_soon_threadsafe(self._settle, result, error)
        except RuntimeError:  # the event loop is closed: nobody is left to be told
            return

    def _settle(self, result: Any, error: BaseException | None) -> None:
        if self.future.done():  # the caller was canceled meanwhile
            return
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)


def _nothing() -> None:
    """What is left to do of a job that is over."""
