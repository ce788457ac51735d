"""A real `nitari serve` for tests: a process of its own on a free loopback port, stopped by its own pid."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

FAST: dict[str, str] = {
    "NITARI__MODELS__EMBEDDER": "mobilenet-v2",
    "NITARI__EXTRACT__REGIONS": "whole",
    "NITARI__EXTRACT__VIEWS": "whole",
}
"""The quickest set-up that searches photos: one small network, no region finder."""

PATIENCE_S = 30
_SERVING = re.compile(r"serving (\d+) items on (http://\S+)")


@dataclass(frozen=True)
class Server:
    """A running server.

    Args:
        url: Where it is, without a slash at the end.
        home: What it serves.
        items: How many items it served when it started.
        pid: Its process.
        env: What was set for it beside the test's own environment.
    """

    url: str
    home: Path
    items: int
    pid: int
    env: Mapping[str, str]


def run_cli(home: Path, *words: str, env: Mapping[str, str] = FAST, code: int = 0) -> str:
    """A command that must succeed (or end with ``code``), in a process of its own; returns what it printed."""
    done = subprocess.run(
        _command(home, *words), env=os.environ | dict(env), capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stdout


@contextmanager
def serving(home: Path, *words: str, env: Mapping[str, str] = FAST, module: str = "nitari") -> Iterator[Server]:
    """Serve ``home`` for the time of the block.

    Args:
        home: A home folder; `run_cli(home, "import", ...)` fills it.
        words: Further arguments of `nitari serve`, beside ``--port 0``.
        env: Variables to set for it; give the import the same ones.
        module: What is run with ``python -m`` in place of ``nitari``.

    Raises:
        AssertionError: it did not start, or did not stop when told to; with what it wrote to standard error.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(
            _command(home, "serve", "--port", "0", *words, module=module),
            env=os.environ | dict(env),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        with process:  # waits for the process and closes its pipe
            try:
                yield _started(process, home, env, errors.fileno())
                process.send_signal(signal.SIGTERM)
                assert process.wait(PATIENCE_S) == 0, _tail(errors.fileno())
            finally:
                if process.poll() is None:
                    process.kill()


def _command(home: Path, *words: str, module: str = "nitari") -> list[str]:
    return [sys.executable, "-m", module, "--home", str(home), *words]


def _started(process: subprocess.Popen[str], home: Path, env: Mapping[str, str], errors: int) -> Server:
    """Read on until the server says where it is."""
    assert process.stdout is not None
    said: list[str] = []
    for line in process.stdout:
        found = _SERVING.search(line)
        if found:
            return Server(found[2], home, int(found[1]), process.pid, env)
        said.append(line)
    raise AssertionError(f"the server ended before it served:\n{''.join(said)}{_tail(errors)}")


def _tail(errors: int) -> str:
    """The end of what the server wrote to standard error."""
    return os.pread(errors, 10_000, max(0, os.fstat(errors).st_size - 10_000)).decode(errors="replace")
