"""What an evaluation says, as plain data: numbers first, everything needed to repeat them beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from nitari.evaluate.measures import LEVEL, RESAMPLES, SEED, Estimate, by_category, estimates, per_query
from nitari.evaluate.protocols import Lens
from nitari.evaluate.runner import Run
from nitari.evaluate.thresholds import Threshold, Tradeoff, tradeoff

DIGITS = 4


def report(run: Run, *, settings: Mapping[str, Any] | None = None, details: bool = False) -> dict[str, Any]:
    """The report of a run: JSON-ready dictionaries, lists, texts and numbers, rounded to 4 digits.

    ``measures`` and ``categories`` are empty where the protocol has no judgments.

    Args:
        run: What ``run_protocol`` gave.
        settings: What the caller configured (model, views, ...), to be kept beside the numbers.
        details: Whether to add ``per_query``, every measure of every query, for paired comparisons of two runs.

    Returns:
        ``{"protocol", "queries", "judged", "failed", "gallery", "measures": {name: {"value", "low", "high"}},
        "categories": {name: {"queries", "measures"}}, "failures": {query_id: reason}, "timing_ms", "seconds",
        "settings"}``. ``judged`` counts queries with a relevant item, which alone the measures are about; a failed one
        among them counts 0. Where they apply, ``"less_is_better"`` (names of measures) and ``"thresholds"``:
        ``"steps"``, the lowest ``"quiet"`` and the highest ``"open"`` one (see ``Tradeoff``).
    """
    protocol = run.protocol
    values = values_of(run)
    categories = by_category(values, {query.subject: query.category for query in protocol.queries})
    told = {
        "protocol": protocol.name,
        "queries": len(protocol.queries),
        "judged": len(values),
        "failed": len(run.failures),
        "gallery": {
            "items": run.gallery.indexed + run.gallery.updated + run.gallery.unchanged,
            "rejected": run.gallery.rejected,
        },
        "measures": _numbers(estimates(values)),
        "categories": {
            name: {"queries": len(ids), "measures": _numbers(estimates(values, ids))}
            for name, ids in categories.items()
        },
        "failures": dict(run.failures),
        "timing_ms": {stage: round(spent, 2) for stage, spent in run.timing_ms.items()},
        "seconds": round(run.seconds, 2),
        "settings": {
            "depth": run.depth,
            "intervals": {"method": "percentile bootstrap", "level": LEVEL, "resamples": RESAMPLES, "seed": SEED},
            **(settings or {}),
        },
    }
    less = [lens.name for lens in protocol.measured if lens.less_is_better]
    if less:
        told["less_is_better"] = less
    if protocol.sweep is not None:
        told["thresholds"] = _thresholds(tradeoff(protocol.sweep, run.rankings))
    if details:
        told["per_query"] = {query_id: dict(measures) for query_id, measures in values.items()}
    return told


def _thresholds(found: Tradeoff) -> dict[str, Any]:
    def numbers(threshold: Threshold) -> dict[str, float]:
        return {name: round(value, DIGITS) for name, value in asdict(threshold).items()}

    return {
        "steps": [numbers(step) for step in found.steps],
        "quiet": numbers(found.quiet),
        "open": numbers(found.open),
    }


def values_of(run: Run) -> dict[str, dict[str, float]]:
    """What each lens of the protocol says of each subject that it is about, by the subject and the lens' name.

    Subjects are queries, but where one photo asks in several ways, all of them are about one.
    """
    subjects = {query.query_id: query.subject for query in run.protocol.queries}
    by_judgments: dict[int, list[Lens]] = {}
    for lens in run.protocol.measured:
        by_judgments.setdefault(id(lens.judgments), []).append(lens)
    found: dict[str, dict[str, float]] = {}
    for lenses in by_judgments.values():
        measures = list(dict.fromkeys(lens.measure for lens in lenses))
        for query_id, values in per_query(lenses[0].judgments or {}, run.rankings, measures).items():
            said = found.setdefault(subjects.get(query_id, query_id), {})
            said.update({lens.name: values[lens.measure] for lens in lenses})
    order = {lens.name: place for place, lens in enumerate(run.protocol.measured)}
    return {subject: dict(sorted(said.items(), key=lambda pair: order[pair[0]])) for subject, said in found.items()}


def _numbers(measured: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    return {
        name: {
            "value": round(estimate.value, DIGITS),
            "low": round(estimate.low, DIGITS),
            "high": round(estimate.high, DIGITS),
        }
        for name, estimate in measured.items()
    }
