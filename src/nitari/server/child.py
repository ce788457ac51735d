"""A process that runs beside the server: begun when it is wanted, begun again when it dies, ended with the server."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable, Sequence
from threading import Event, Thread
from time import monotonic

_LOOK_S = 2.0
_BACK_OFF_S = (1.0, 60.0)
# One that ran this long did not die of how it was begun.
_WELL_S = 60.0
_PATIENCE_S = 5.0

log = logging.getLogger(__name__)


class Child:
    """Keeps a process running, which must end when its standard input is closed: so it does not outlive this one.

    Use it in a ``with`` statement, or ``start`` and ``close`` it. Its standard error is this process's.

    Args:
        command: The command line.
        is_wanted: Asked every two seconds until it says yes; the process is begun then.
    """

    def __init__(self, command: Sequence[str], *, is_wanted: Callable[[], bool] = lambda: True) -> None:
        self._command = list(command)
        self._is_wanted = is_wanted
        self._closing = Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = Thread(target=self._watch, name="nitari-child", daemon=True)

    def __enter__(self) -> Child:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The process as it runs now; ``None`` while none does."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def close(self) -> None:
        """End the process."""
        self._closing.set()
        self._thread.join()

    def _watch(self) -> None:
        back_off_s = _BACK_OFF_S[0]
        while not self._closing.is_set():
            if not self._asked():
                self._closing.wait(_LOOK_S)
                continue
            began = monotonic()
            self._run()
            if monotonic() - began > _WELL_S:
                back_off_s = _BACK_OFF_S[0]
            if not self._closing.is_set():
                log.warning("a process beside the server ended; it is begun again", extra={"in_s": back_off_s})
            self._closing.wait(back_off_s)
            back_off_s = min(2 * back_off_s, _BACK_OFF_S[1])

    def _asked(self) -> bool:
        try:
            return self._is_wanted()
        except Exception:
            log.exception("whether a process is wanted cannot be said at present")
            return False

    def _run(self) -> None:
        """Begin the process and wait for its end, or end it."""
        try:
            process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command line
        except OSError as exc:
            log.warning("a process beside the server cannot be begun", extra={"reason": str(exc)})
            return
        self._process = process
        while process.poll() is None and not self._closing.wait(0.2):
            pass
        assert process.stdin is not None  # noqa: S101 - it was asked for
        process.stdin.close()
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
