"""A process beside the server runs while it is wanted, comes back when it dies, and ends with it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from threading import Event

import pytest

from nitari.server import child as child_module
from nitari.server.child import Child

READS = [sys.executable, "-c", "import sys; sys.stdin.read()"]
STAYS = [sys.executable, "-c", "import time; time.sleep(600)"]


def _wait(for_what: Callable[[], object]) -> None:
    for _ in range(2000):
        if for_what():
            return
        Event().wait(0.01)
    raise AssertionError("did not happen")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "_BACK_OFF_S", (0.05, 0.1))
    monkeypatch.setattr(child_module, "_LOOK_S", 0.05)
    monkeypatch.setattr(child_module, "_PATIENCE_S", 0.3)


def test_comes_back_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed, it is begun again; closing its standard input ends it."""
    monkeypatch.setattr(child_module, "_PATIENCE_S", 30.0)
    with Child(READS) as child:
        _wait(lambda: child.pid)
        first = child.pid
        assert first is not None
        os.kill(first, signal.SIGTERM)
        _wait(lambda: child.pid not in (None, first))
        process = child._process
    assert process is not None
    assert process.returncode == 0
    assert child.pid is None


def test_one_that_does_not_listen_is_killed() -> None:
    """A process that does not end by itself is ended."""
    with Child(STAYS) as child:
        _wait(lambda: child.pid)
        process = child._process
    assert process is not None
    assert process.returncode not in (None, 0)


def test_begins_when_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing runs before it is wanted, nor while that cannot be said."""
    monkeypatch.setattr(child_module, "_PATIENCE_S", 30.0)
    answers = iter([False, ZeroDivisionError(), True])

    def is_wanted() -> bool:
        answer = next(answers, True)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with Child(READS, is_wanted=is_wanted) as child:
        _wait(lambda: child.pid)
        assert next(answers, None) is None


def test_one_that_cannot_be_begun_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """A command that is not there is said so, and the server goes on."""
    with Child(["./there-is-no-such-command"]):
        _wait(lambda: sum("cannot be begun" in record.message for record in caplog.records) > 1)
