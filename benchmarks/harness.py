"""What every system under test is run by, in a process of its own. Standard library only: peers' environments have it.

A system's script calls ``main(system)`` and is started as ``SCRIPT ingest|query --photos DIR --queries DIR --state DIR
--model FILE ...``; the last line that it prints is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

WARM_UP = 5
STARTED_AT = "NITARI_BENCHMARK_STARTED_AT"
"""Environment variable: when the parent started this process, seconds since the epoch."""


@dataclass(frozen=True)
class Task:
    """What to measure.

    Args:
        photos: Folder of the gallery's photos.
        queries: Folder of query photos; each is named as the gallery photo that it should find.
        state: Folder for whatever the system keeps.
        model: The network's ONNX file.
        weights: The same network's ``.pth`` file.
        threads: Cores that ingest may use.
        option: Which variant of the system.
    """

    photos: Path
    queries: Path
    state: Path
    model: Path
    weights: Path
    threads: int
    option: str


Ask = Callable[[Path], str]
"""From a query photo's path to the best hit's file name."""


class System(Protocol):
    """A search system."""

    def ingest(self, task: Task) -> int:
        """Index ``task.photos`` into ``task.state``, durably. Returns how many photos were indexed."""
        ...

    def open(self, task: Task) -> Ask:
        """Get ready to answer from ``task.state``."""
        ...

    def extras(self, task: Task) -> dict[str, Any]:
        """Anything else that was measured on the way; called last, in the query process."""
        ...


def main(system: System) -> None:
    """Run one phase and print its figures."""
    task, phase = _arguments()
    figures = _ingest(system, task) if phase == "ingest" else _query(system, task)
    figures["peak_mb"] = peak_mb()
    print(json.dumps(figures))


def peak_mb() -> float:
    """The most memory that this process ever held, MB; 0 where the platform does not say."""
    try:
        import resource
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def machine(*packages: str) -> dict[str, Any]:
    """What a reader must know to compare: the machine, the load beside the run, versions of ``packages``."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        named = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        name = named[0] if named else name
    load = os.getloadavg() if hasattr(os, "getloadavg") else (0.0,)
    return {
        "cpu": name,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_at_end": load[0],
        **{package: version(package) for package in packages},
    }


def timed(call: Callable[[], Any]) -> tuple[Any, float, float]:
    """The result of a call, and its wall-clock and CPU milliseconds (all threads of this process)."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    return result, (time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3


def _ingest(system: System, task: Task) -> dict[str, Any]:
    """Everything that a fresh import costs, loading of the network included."""
    count, wall, cpu = timed(lambda: system.ingest(task))
    return {"photos": count, "wall_s": wall / 1e3, "cpu_s": cpu / 1e3}


def _query(system: System, task: Task) -> dict[str, Any]:
    """Cold start, then one query at a time on one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    paths = sorted(task.queries.glob("*.jpg"))
    ask = system.open(task)
    ask(paths[0])
    cold_wall = time.time() - float(os.environ.get(STARTED_AT, "nan"))
    cold_cpu = time.process_time()
    for path in paths[:WARM_UP]:
        ask(path)
    wall_ms, cpu_ms, found = [], [], 0
    for path in paths:
        best, wall, cpu = timed(lambda path=path: ask(path))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        wall_ms.append(wall)
        cpu_ms.append(cpu)
        found += best == path.name
    return {
        "cold_wall_s": cold_wall,
        "cold_cpu_s": cold_cpu,
        "wall_ms": wall_ms,
        "cpu_ms": cpu_ms,
        "found": found / len(paths),
        **system.extras(task),
    }


def _arguments() -> tuple[Task, str]:
    parser = argparse.ArgumentParser()
    parser.add_argument("phase", choices=("ingest", "query"))
    for name in ("photos", "queries", "state", "model", "weights"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--option", default="")
    given = vars(parser.parse_args())
    phase = given.pop("phase")
    return Task(**given), phase
