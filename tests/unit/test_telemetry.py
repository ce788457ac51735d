"""What the metrics say, in Prometheus' words."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from nitari.telemetry import Metrics, Reading


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by its name and labels."""
    body, kind = metrics.render()
    assert kind.startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def test_what_is_counted() -> None:
    """Stages in seconds, requests by template, edits and refusals."""
    metrics = Metrics(version="1.2.3")
    metrics.stages({"decode": 4.0, "total": 20.0})
    metrics.stages({"total": 0.2})
    metrics.request("GET", "/v1/collections/{c}", 200, 0.002)
    metrics.request("GET", "/v1/collections/{c}", 200, 3.0)
    metrics.edit("created")
    metrics.busy()
    found = samples(metrics)
    assert found["nitari_stage_seconds_count", (("stage", "total"),)] == 2
    assert found["nitari_stage_seconds_bucket", (("le", "0.00025"), ("stage", "total"))] == 1
    assert found["nitari_stage_seconds_sum", (("stage", "decode"),)] == 0.004
    route = (("method", "GET"), ("route", "/v1/collections/{c}"), ("status", "200"))
    assert found["nitari_http_request_seconds_count", route] == 2
    assert found["nitari_edits_total", (("result", "created"),)] == 1
    assert found["nitari_edits_total", (("result", "deleted"),)] == 0
    assert found["nitari_busy_total", ()] == 1
    (build,) = [dict(labels) for name, labels in found if name == "nitari_build_info"]
    assert build["version"] == "1.2.3"


def test_what_is_looked_up() -> None:
    """Gauges come from a callback, at every look anew; jobs have every state."""
    metrics = Metrics(version="1")
    assert ("nitari_items", ()) not in samples(metrics)
    items = 5
    metrics.watch(lambda: Reading(items=items, keys=7, seq=9, waiting=1, jobs={"running": 2}, recall=0.5))
    assert samples(metrics)["nitari_items", ()] == 5
    items = 6
    metrics.refreshed()
    found = samples(metrics)
    assert found["nitari_items", ()] == 6
    assert found["nitari_keys", ()] == 7
    assert found["nitari_seq_served", ()] == 9
    assert found["nitari_waiting_requests", ()] == 1
    assert found["nitari_index_recall", ()] == 0.5
    assert found["nitari_jobs", (("state", "running"),)] == 2
    assert found["nitari_jobs", (("state", "failed"),)] == 0
    assert found["nitari_refresh_age_seconds", ()] >= 0


def test_made_up_methods_cost_no_memory() -> None:
    """However many methods strangers invent, they are one series."""
    metrics = Metrics(version="1")
    for number in range(50):
        metrics.request(f"M{number}", "none", 405, 0.001)
    found = samples(metrics)
    label = (("method", "other"), ("route", "none"), ("status", "405"))
    assert found["nitari_http_request_seconds_count", label] == 50
    assert len([1 for name, _labels in found if name == "nitari_http_request_seconds_count"]) == 1


def test_registries_are_apart() -> None:
    """Two in one process do not disturb each other."""
    first, second = Metrics(version="1"), Metrics(version="2")
    first.busy()
    assert samples(second)["nitari_busy_total", ()] == 0
