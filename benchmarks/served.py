"""A `nitari serve` to be measured: a process of its own, what it costs, and a home folder for it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

_SERVING = re.compile(r"serving \d+ items on (http://\S+)")
_STOP_S = 30


@dataclass(frozen=True)
class Served:
    """A running server.

    Args:
        root: Its address.
        process: Its process.
    """

    root: str
    process: psutil.Process

    def cpu_s(self) -> float:
        """CPU seconds of all its threads so far; in steps of 10 ms on most systems."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def rss_mb(self) -> float:
        """Memory that it holds now, MB."""
        return float(self.process.memory_info().rss) / 2**20

    def pin(self, cores: list[int]) -> None:
        """Keep it on these cores, where the system can do that."""
        if hasattr(self.process, "cpu_affinity"):
            for thread in self.process.threads():  # on Linux affinity is each thread's own
                psutil.Process(thread.id).cpu_affinity(cores)


@contextmanager
def serve(home: Path) -> Iterator[Served]:
    """Serve a home folder on a free loopback port for the time of the block."""
    command = [sys.executable, "-m", "nitari", "--home", str(home), "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := _SERVING.search(line):
                    yield Served(found[1], psutil.Process(process.pid))
                    return
            raise RuntimeError("the server ended before it served; its message stands above")
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def fill(home: Path, feed: Path) -> None:
    """Import a feed; quick where it was imported before."""
    command = [sys.executable, "-m", "nitari", "--home", str(home), "import", str(feed)]
    subprocess.run(command, check=True, stdout=sys.stderr)
