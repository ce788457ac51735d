"""Nitari under test, through the same wiring that the command line uses."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import harness
from nitari.search.query import Query
from nitari.search.searcher import Searcher
from nitari.settings import Settings, load_settings
from nitari.wiring import open_feed, open_ingester, open_searcher

OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "fast": {"preset": "fast"},
    "mobilenet-v2": {
        "models": {"embedder": "mobilenet-v2"},
        "extract": {"regions": "whole", "views": "whole", "lowlevel": False},
    },
    "mobilenet-v2+descriptor": {
        "models": {"embedder": "mobilenet-v2"},
        "extract": {"regions": "whole", "views": "whole", "lowlevel": True},
    },
}


class Nitari:
    """One of ``OPTIONS``."""

    def __init__(self) -> None:
        self._searcher: Searcher | None = None
        self._stages: dict[str, list[float]] = {}

    def ingest(self, task: harness.Task) -> int:
        """A folder feed into a fresh home."""
        settings = _settings(task)
        with open_ingester(settings) as ingester:
            return ingester.run(open_feed(settings, str(task.photos))).photos

    def open(self, task: harness.Task) -> harness.Ask:
        """A searcher over that home."""
        _count_cpu_by_stage()
        searcher = self._searcher = open_searcher(_settings(task))

        def ask(path: Path) -> str:
            answer = searcher.search(Query(photo=path.read_bytes()))
            for stage, milliseconds in answer.timing_ms.items():
                self._stages.setdefault(stage, []).append(milliseconds)
            return answer.hits[0].item_id

        return ask

    def extras(self, task: harness.Task) -> dict[str, Any]:
        """CPU by stage, and queries by item id."""
        assert self._searcher is not None
        searcher = self._searcher
        stages = {stage: statistics.median(values[1 + harness.WARM_UP :]) for stage, values in self._stages.items()}
        wall_ms, cpu_ms = [], []
        for path in sorted(task.photos.glob("*.jpg"))[:200]:
            query = Query(item_id=path.name)
            _, wall, cpu = harness.timed(lambda query=query: searcher.search(query))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            wall_ms.append(wall)
            cpu_ms.append(cpu)
        described = _describe_ms(task)
        searcher.close()
        if described is not None:
            stages["describe"] = described
        return {"stages_cpu_ms": stages, "item_wall_ms": wall_ms, "item_cpu_ms": cpu_ms}


def _describe_ms(task: harness.Task) -> float | None:
    """CPU of the stage that only ingest has."""
    from nitari.wiring import open_extractor

    extractor = open_extractor(_settings(task))
    timings = [extractor.extract(path.read_bytes()).timing_ms for path in sorted(task.queries.glob("*.jpg"))[:20]]
    values = [timing["describe"] for timing in timings if "describe" in timing]
    return statistics.median(values) if values else None


def _count_cpu_by_stage() -> None:
    """Let Nitari's own stage clocks count this process's CPU: on a busy machine wall-clock time measures neighbors."""
    import nitari.extract
    import nitari.search.searcher

    for module in (nitari.extract, nitari.search.searcher):
        module.perf_counter = time.process_time  # type: ignore[attr-defined]  # what it imported


def _settings(task: harness.Task) -> Settings:
    return load_settings(home=task.state, ingest={"workers": task.threads}, **OPTIONS[task.option])


if __name__ == "__main__":
    harness.main(Nitari())
