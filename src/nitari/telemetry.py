"""What the process tells of itself: counts and times in Prometheus' words, and nothing about who asked or for what."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

STAGES = ("fetch", "decode", "regions", "embed", "search", "total")
EDIT_RESULTS = ("created", "replaced", "unchanged", "rejected", "deleted", "absent")
JOB_STATES = ("queued", "running", "succeeded", "failed", "canceled")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})

# From a query by item, a fraction of a millisecond, to a download that hits its limit.
BUCKETS_S = (
    0.00025, 0.0005, 0.001, 0.0015, 0.0025, 0.004, 0.006, 0.01, 0.015, 0.025, 0.04,
    0.06, 0.1, 0.15, 0.25, 0.4, 0.6, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip


# A second series for each, that says when it was first counted: nobody asks.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's, which declares no types here


@dataclass(frozen=True, slots=True)
class Reading:
    """What is looked up when somebody asks for the metrics, rather than counted as it happens.

    Args:
        items: Items that can be found.
        keys: Vectors in the index.
        seq: The catalog change that answers are up to date with.
        waiting: Requests that wait for a thread.
        jobs: How many jobs there are in each state.
        recall: Share of the true nearest neighbors that the index finds; ``None`` where nobody looked yet.
        damaged: Parts of the index on disk that were found damaged and set aside in the last week.
    """

    items: int
    keys: int
    seq: int
    waiting: int
    jobs: Mapping[str, int] = field(default_factory=dict)
    recall: float | None = None
    damaged: int = 0


class Metrics:
    """Counters, histograms and gauges of one process, in a registry of their own. Safe to use from any thread.

    Args:
        version: Of Nitari.
    """

    def __init__(self, *, version: str) -> None:
        self._registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)  # what a platform does not tell, they leave out
        Info("nitari_build", "What runs here.", registry=self._registry).info(
            {"version": version, "python": platform.python_version()}
        )
        stage = Histogram(
            "nitari_stage_seconds",
            "Time of each stage of a query.",
            ["stage"],
            registry=self._registry,
            buckets=BUCKETS_S,
        )
        self._stages = {name: stage.labels(name) for name in STAGES}
        self._requests = Histogram(
            "nitari_http_request_seconds",
            "Time from a request's first line to its answer's last byte, by the route's template.",
            ["method", "route", "status"],
            registry=self._registry,
            buckets=BUCKETS_S,
        )
        self._request: dict[tuple[str, str, int], Histogram] = {}
        self._busy = Counter("nitari_busy", "Requests refused because too many were waiting.", registry=self._registry)
        edits = Counter("nitari_edits", "Edits through the API, by result.", ["result"], registry=self._registry)
        self._edits = {result: edits.labels(result) for result in EDIT_RESULTS}
        self._readings = _Readings()
        self._registry.register(self._readings)

    def stages(self, timing_ms: Mapping[str, float]) -> None:
        """Count an answer's stages, milliseconds by name. A name that is none of ``STAGES`` is a ``KeyError``."""
        for stage, milliseconds in timing_ms.items():
            self._stages[stage].observe(milliseconds / 1e3)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            method: Of HTTP.
            route: The route's template, never the path that was asked for: paths hold ids, and are without number.
            status: Of HTTP.
            seconds: How long it took.
        """
        key = (method, route, status)
        found = self._request.get(key)
        if found is None:
            known = method if method in METHODS else "other"
            found = self._requests.labels(known, route, str(status))
            if known == method:  # what strangers make up is not kept
                self._request[key] = found
        found.observe(seconds)

    def busy(self) -> None:
        """Count a request refused for lack of room."""
        self._busy.inc()

    def edit(self, result: str) -> None:
        """Count an edit; ``result`` is one of ``EDIT_RESULTS``."""
        self._edits[result].inc()

    def refreshed(self) -> None:
        """Note that the change log was read to its end just now."""
        self._readings.refreshed_at = monotonic()

    def watch(self, read: Callable[[], Reading]) -> None:
        """Ask ``read`` at every ``render`` for what is looked up."""
        self._readings.read = read

    def render(self) -> tuple[bytes, str]:
        """Everything in Prometheus' text format, and its content type. Calls what ``watch`` was given."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


class _Readings(Collector):
    """Gauges that are looked up when they are asked for."""

    def __init__(self) -> None:
        self.read: Callable[[], Reading] | None = None
        self.refreshed_at: float | None = None

    def describe(self) -> Iterable[Metric]:
        """Nothing: or registering would already call ``read``."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The gauges, as they are now."""
        if self.refreshed_at is not None:
            age = monotonic() - self.refreshed_at
            yield GaugeMetricFamily("nitari_refresh_age_seconds", "Since the change log was last read.", age)
        if self.read is None:
            return
        now = self.read()
        yield GaugeMetricFamily("nitari_items", "Items that can be found.", now.items)
        yield GaugeMetricFamily("nitari_keys", "Vectors in the index.", now.keys)
        yield GaugeMetricFamily("nitari_seq_served", "The catalog change that answers are up to date with.", now.seq)
        if now.recall is not None:
            yield GaugeMetricFamily(
                "nitari_index_recall", "Share of the true nearest neighbors found, of recent queries.", now.recall
            )
        yield GaugeMetricFamily(
            "nitari_index_damaged_parts", "Parts of the index on disk set aside as damaged, of a week.", now.damaged
        )
        yield GaugeMetricFamily("nitari_waiting_requests", "Requests that wait for a thread.", now.waiting)
        jobs = GaugeMetricFamily("nitari_jobs", "Jobs, by state.", labels=["state"])
        for state in JOB_STATES:
            jobs.add_metric([state], now.jobs.get(state, 0))
        yield jobs
