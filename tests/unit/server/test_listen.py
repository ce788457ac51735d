"""Sockets: heads are bounded in length and time, connections in number, and the end is clean."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

PATIENCE_S = 30
# A process of its own, because uvicorn wants the main thread for its signals.
PROGRAM = """
import asyncio, os, signal, sys
from threading import Event
from types import SimpleNamespace
from fastapi import FastAPI
from nitari.server import listen
from nitari.server.security import middleware
from nitari.server.security.access import Access
from nitari.server.work import WorkQueue
from nitari.telemetry import Metrics
listen.HEAD_S = float(sys.argv[1])
listen.MAX_CONNECTIONS = int(sys.argv[2])
app = FastAPI()
@app.get("/")
async def root() -> str:
    return "hello"
@app.get("/slow")
async def slow() -> str:
    print("begun", flush=True)
    await asyncio.sleep(0.3)
    return "done"
queue, opened = WorkQueue(threads=1, waiting=5), Event()
@app.get("/blocked")
async def blocked() -> bool:
    return await queue.run(opened.wait)
@app.get("/waiting")
async def waiting() -> int:
    return queue.waiting
@app.get("/open")
async def open_it() -> None:
    opened.set()
config = SimpleNamespace(allowed_hosts=("x",), max_body_bytes=10**6)
api = SimpleNamespace(access=Access(token=None, open_search=False), metrics=Metrics(version="1"), config=config)
middleware.install(app, api)
listen.serve(app, host="127.0.0.1", port=0, announce=lambda root: print(root, flush=True))
os.kill(os.getpid(), signal.SIGTERM)  # said once more, while all is being closed
print("ended", flush=True)
"""


@contextmanager
def listening(*, head_s: float = PATIENCE_S, connections: int = 100) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server's process and port; it must end with 0 when told to."""
    command = [sys.executable, "-c", PROGRAM, str(head_s), str(connections)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline().rpartition(":")[2])
            process.send_signal(signal.SIGTERM)
            assert process.stdout.read().endswith("ended\n")
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a server with the usual bounds."""
    with listening() as (_, found):
        yield found


def connect(port: int) -> socket.socket:
    """A connection."""
    return socket.create_connection(("127.0.0.1", port), PATIENCE_S)


def answer(connection: socket.socket) -> bytes:
    """All that comes until the server hangs up."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:  # what we had still to say was not read
        pass
    return b"".join(parts)


def problem(response: bytes) -> tuple[int, str]:
    """Status and code of a problem document."""
    head, _, body = response.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    document = json.loads(body)
    assert int(head.split()[1]) == document["status"]
    return document["status"], document["code"]


def test_answers_and_ends_cleanly() -> None:
    """It says where it is, answers, names no software, and finishes what is under way when told to stop."""
    with listening() as (process, port), connect(port) as connection, connect(port) as slow:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        response = answer(connection)
        assert response.startswith(b"HTTP/1.1 200")
        assert response.endswith(b'"hello"')
        assert b"server:" not in response.lower()
        slow.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGTERM)
        assert answer(slow).endswith(b'"done"')


def test_who_hangs_up_waits_no_longer() -> None:
    """A closed connection gives its place in the queue back, though it was never read from again."""
    request = b"GET /%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    def ask(path: bytes) -> bytes:
        with connect(port) as connection:
            connection.sendall(request % path)
            return answer(connection).rpartition(b"\r\n")[2]

    def until(waiting: bytes) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while ask(b"waiting") != waiting:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    with listening() as (_, port), connect(port) as first:
        first.sendall(request % b"blocked")
        with connect(port) as second, connect(port) as third:
            second.sendall(request % b"blocked")
            third.sendall(request % b"blocked")
            until(b"2")
        until(b"0")
        ask(b"open")
        assert answer(first).endswith(b"true")


def test_endless_head(port: int) -> None:
    """A header line without end is refused while it still comes."""
    with connect(port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
        with pytest.raises(OSError):  # noqa: PT011 - a reset or a broken pipe, as the system likes
            for _ in range(1000):
                connection.sendall(b"x" * 65_536)
                time.sleep(0.001)


def test_long_head_is_told_why(port: int) -> None:
    """Who has sent too much, and stops, is told."""
    with connect(port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        time.sleep(0.05)  # so that the rest comes as a piece of its own
        connection.sendall(b"X: " + b"x" * 70_000)
        assert problem(answer(connection)) == (431, "head-too-large")


def test_usual_heads_pass_beside_large_bodies(port: int) -> None:
    """A body is not counted as head, and a head of a few pieces passes."""
    with connect(port) as connection:
        for part in (b"GET / HT", b"TP/1.1\r\nHost: x\r\nX: ", b"y" * 30_000, b"\r\nContent-Length: 300000\r\n"):
            connection.sendall(part)
            time.sleep(0.01)
        connection.sendall(b"Connection: close\r\n\r\n" + b"z" * 300_000)
        assert answer(connection).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_slow_head(begun: bytes) -> None:
    """A connection on which no request comes is closed; one that broke off in the middle is told why."""
    with listening(head_s=0.2) as (_, port), connect(port) as connection:
        connection.sendall(begun)
        response = answer(connection)
        assert (response == b"") if not begun else (problem(response) == (408, "head-too-slow"))


def test_too_many_connections() -> None:
    """One more than there may be is answered at once, and there is room again afterwards."""
    with listening(connections=2) as (_, port):
        with connect(port) as first, connect(port), connect(port) as third:
            assert problem(answer(third)) == (503, "busy")
            first.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert answer(first).startswith(b"HTTP/1.1 200")
        with connect(port) as later:
            later.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert answer(later).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("nonsense", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET / HTTP/9\r\n\r\n"])
def test_what_is_no_http(port: int, nonsense: bytes) -> None:
    """Nonsense is refused, and the server goes on."""
    with connect(port) as connection:
        connection.sendall(nonsense)
        assert answer(connection).startswith(b"HTTP/1.1 400")


def test_what_is_there_is_not_looked_through_again() -> None:
    """Once a server is ready, garbage is looked for only among what came since. In a process of its own."""
    code = (
        "import gc, sys; from nitari.server.listen import SWITCH_S, calm_interpreter; calm_interpreter(); "
        "assert sys.getswitchinterval() == SWITCH_S; assert gc.get_freeze_count() > 10_000; "
        "assert len(gc.get_objects()) < 1_000; assert gc.isenabled()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
