"""Two runs beside each other: which is better, by how much and how surely, where, and what moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nitari.errors import UsageError
from nitari.evaluate.compare_marks import merged
from nitari.evaluate.compare_run import SavedQuery, SavedRun
from nitari.evaluate.compare_stats import (
    OVERLAP_DEPTH,
    PERMUTATIONS,
    RBO_P,
    Paired,
    holm,
    overlap,
    paired,
    rank_biased_overlap,
)
from nitari.evaluate.measures import LEVEL, MEASURES, RESAMPLES, SEED, by_category, per_query
from nitari.evaluate.qrels import Judgments

PRIMARY: Mapping[str, tuple[str, ...]] = {
    "luma": ("Success@1", "Success@5"),
    "flat": ("P@1", "P@10"),
    "qrels": ("nDCG@10",),
}
"""What decides in a protocol whether a run is better, where nobody names measures."""
FALLBACK = "P@10"
DIGITS = 4


@dataclass(frozen=True, slots=True)
class QueryPair:
    """A query that both runs were asked.

    Args:
        query_id: Its id.
        category: Empty for none.
        a: As A answered it.
        b: As B answered it.
        grades: Judgments that count for both.
        values: For each measure A's value and B's; empty where no relevant item is known.
        overlap: Share of common items in the first ten, 0-1.
        rbo: Rank-biased overlap of what both rankings keep, 0-1.
    """

    query_id: str
    category: str
    a: SavedQuery
    b: SavedQuery
    grades: Mapping[str, int]
    values: Mapping[str, tuple[float, float]]
    overlap: float
    rbo: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike the answers are, right or wrong: means over queries.

    Args:
        queries: How many.
        overlap: Mean share of common items in the first ten.
        rbo: Mean rank-biased overlap.
        same_first: Share of queries whose first hit is the same.
        same_ten: Share of queries whose first ten are the same in the same order.
    """

    queries: int
    overlap: float
    rbo: float
    same_first: float
    same_ten: float


@dataclass(frozen=True, slots=True)
class CategoryResult:
    """One measure in one category, with p also corrected for the number of categories (Holm)."""

    paired: Paired
    p_holm: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs beside each other.

    Args:
        a: The run that was there.
        b: The run that may take its place.
        pairs: Queries that both were asked, in B's order.
        left_out: Queries that only one of them was asked.
        measures: Paired results by measure; empty without judgments.
        primary: Those among them that decide.
        categories: Paired results by category, then measure, the largest category first.
        agreement: Over all pairs.
        agreements: By category.
        recut: Rank that rankings were cut at where measures had to be computed anew; 0 where that was not needed.
    """

    a: SavedRun
    b: SavedRun
    pairs: tuple[QueryPair, ...]
    left_out: int
    measures: Mapping[str, Paired]
    primary: tuple[str, ...]
    categories: Mapping[str, Mapping[str, CategoryResult]]
    agreement: Agreement
    agreements: Mapping[str, Agreement]
    recut: int = 0


@dataclass(frozen=True, slots=True)
class Drop:
    """A measure of which B has significantly less than A; ``p`` is corrected for the measures that were looked at."""

    measure: str
    paired: Paired
    p: float = field(default=1.0)


def compare(a: SavedRun, b: SavedRun, *, marks: Judgments | None = None, primary: Sequence[str] = ()) -> Comparison:
    """Lay two runs beside each other.

    Each query's measures are those that were saved, so that they are what ``nitari eval`` said. Where marks judge the
    query, or the two runs were judged differently (B's judgments count then), they are computed anew for both, from
    as many ranks as both runs keep.

    Args:
        a: The run that was there.
        b: The run that may take its place.
        marks: Further judgments, which count more than those of the runs.
        primary: Measures that decide; by default those of the protocol.

    Raises:
        UsageError: different protocols, no query in common, or a measure that is not there.
    """
    if a.protocol != b.protocol:
        raise UsageError(
            f"{a.name} was asked protocol {a.protocol}, {b.name} protocol {b.protocol}",
            remedy="compare runs of one protocol",
            code="compare",
        )
    before = a.by_id()
    common = [(before[query.query_id], query) for query in b.queries if query.query_id in before]
    if not common:
        raise UsageError(
            f"{a.name} and {b.name} have no query in common",
            remedy="compare runs over one catalog: query ids must be the same",
            code="compare",
        )
    pairs, recut = _pairs(a, b, common, marks or {})
    names = [name for name in _names(pairs) if all(name in pair.values for pair in pairs if pair.values)]
    judged = {pair.query_id: pair for pair in pairs if pair.values}
    groups = by_category({pair.query_id: {} for pair in pairs}, {pair.query_id: pair.category for pair in pairs})
    by_id = {pair.query_id: pair for pair in pairs}
    return Comparison(
        a=a,
        b=b,
        pairs=pairs,
        left_out=len(a.queries) + len(b.queries) - 2 * len(pairs),
        measures=_paired(list(judged.values()), names),
        primary=_primary(b.protocol, names, primary),
        categories=_by_category(judged, names, groups),
        agreement=_agreement(pairs),
        agreements={name: _agreement([by_id[query_id] for query_id in ids]) for name, ids in groups.items()},
        recut=recut,
    )


def drops(comparison: Comparison, *, alpha: float) -> list[Drop]:
    """The primary measures that dropped significantly: B below A with p, corrected by Holm among them, below ``alpha``.

    Raises:
        UsageError: nothing was measured, so nothing can be said.
    """
    if not comparison.primary:
        raise UsageError(
            "there is no judgment, so nothing can be said to have dropped",
            remedy="compare runs of a protocol with judgments, or add some with --judgments FILE",
            code="compare",
        )
    found = [comparison.measures[name] for name in comparison.primary]
    corrected = holm([one.p for one in found])
    return [
        Drop(name, one, p)
        for name, one, p in zip(comparison.primary, found, corrected, strict=True)
        if one.difference < 0 and p < alpha
    ]


def as_dict(comparison: Comparison, *, details: bool = False) -> dict[str, Any]:
    """A comparison as plain data, numbers rounded to 4 digits (p-values to 5).

    Args:
        comparison: Of two runs.
        details: Whether to add ``per_query``.
    """
    told: dict[str, Any] = {
        "a": _run(comparison.a),
        "b": _run(comparison.b),
        "protocol": comparison.b.protocol,
        "queries": len(comparison.pairs),
        "judged": sum(1 for pair in comparison.pairs if pair.values),
        "left_out": comparison.left_out,
        "recut": comparison.recut,
        "primary": list(comparison.primary),
        "measures": {name: _told(one) for name, one in comparison.measures.items()},
        "categories": {
            name: {measure: {**_told(one.paired), "p_holm": round(one.p_holm, 5)} for measure, one in found.items()}
            for name, found in comparison.categories.items()
        },
        "agreement": _agreed(comparison.agreement),
        "agreement_by_category": {name: _agreed(one) for name, one in comparison.agreements.items()},
        "method": {
            "test": "paired randomization, two-sided",
            "permutations": PERMUTATIONS,
            "intervals": {"method": "percentile bootstrap", "level": LEVEL, "resamples": RESAMPLES},
            "categories": "Holm",
            "rbo_p": RBO_P,
            "overlap_depth": OVERLAP_DEPTH,
            "seed": SEED,
        },
    }
    if details:
        told["per_query"] = {
            pair.query_id: {
                "category": pair.category,
                "measures": {name: list(values) for name, values in pair.values.items()},
                "overlap": round(pair.overlap, DIGITS),
                "rbo": round(pair.rbo, DIGITS),
                "entered": _missing(pair.b, pair.a),
                "left": _missing(pair.a, pair.b),
            }
            for pair in comparison.pairs
        }
    return told


def _pairs(
    a: SavedRun, b: SavedRun, common: Sequence[tuple[SavedQuery, SavedQuery]], marks: Judgments
) -> tuple[tuple[QueryPair, ...], int]:
    """The pairs, and at which rank rankings were cut for measures that were computed anew (0 for nowhere)."""
    kept = min(a.kept, b.kept)
    anew = [q.query_id for p, q in common if q.query_id in marks or dict(p.grades) != dict(q.grades)]
    grades = {q.query_id: merged({q.query_id: q.grades}, {q.query_id: marks.get(q.query_id, {})}) for _, q in common}
    judgments = {query_id: grades[query_id][query_id] for query_id in anew}
    again = [
        per_query(judgments, {q.query_id: [(item, 0.0) for item in q.ranking[:kept]] for q in side})
        for side in zip(*common, strict=True)
    ]
    pairs = []
    for first, second in common:
        query_id = second.query_id
        if query_id in judgments:
            values = _values(again[0].get(query_id, {}), again[1].get(query_id, {}))
        else:
            values = _values(first.measures, second.measures)
        pairs.append(
            QueryPair(
                query_id=query_id,
                category=second.category or first.category,
                a=first,
                b=second,
                grades=grades[query_id][query_id],
                values=values,
                overlap=overlap(first.ranking, second.ranking),
                rbo=rank_biased_overlap(first.ranking[:kept], second.ranking[:kept]),
            )
        )
    return tuple(pairs), kept if judgments else 0


def _values(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    return {name: (a[name], b[name]) for name in a if name in b}


def _names(pairs: Sequence[QueryPair]) -> list[str]:
    """The measures, in the order of reports; those that reports do not know come last."""
    found = dict.fromkeys(name for pair in pairs for name in pair.values)
    return [name for name in MEASURES if name in found] + [name for name in found if name not in MEASURES]


def _paired(pairs: Sequence[QueryPair], names: Sequence[str]) -> dict[str, Paired]:
    """Paired results of these queries by measure. Sorted by id, so that the order of a file changes no draw."""
    if not pairs or not names:
        return {}
    rows = sorted(pairs, key=lambda pair: pair.query_id)
    table = np.array([[pair.values[name] for name in names] for pair in rows], dtype=np.float64)
    return dict(zip(names, paired(table[:, :, 0], table[:, :, 1]), strict=True))


def _primary(protocol: str, names: Sequence[str], asked: Sequence[str]) -> tuple[str, ...]:
    unknown = [name for name in asked if name not in names]
    if unknown:
        raise UsageError(
            f"measure {unknown[0]!r} is not in both runs",
            remedy=f"give one of {', '.join(names) or 'none: nothing was judged'}",
            code="compare",
        )
    wanted = asked or [name for name in PRIMARY.get(protocol, (FALLBACK,)) if name in names] or names[:1]
    return tuple(dict.fromkeys(wanted))


def _by_category(
    judged: Mapping[str, QueryPair], names: Sequence[str], groups: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, CategoryResult]]:
    found = {
        name: _paired(chosen, names)
        for name, ids in groups.items()
        if (chosen := [judged[query_id] for query_id in ids if query_id in judged])
    }
    if not names:
        return {}
    corrected = {
        measure: dict(zip(found, holm([found[name][measure].p for name in found]), strict=True)) for measure in names
    }
    return {
        name: {measure: CategoryResult(one, corrected[measure][name]) for measure, one in results.items()}
        for name, results in found.items()
    }


def _agreement(pairs: Sequence[QueryPair]) -> Agreement:
    count = len(pairs)
    first = sum(pair.a.ranking[:1] == pair.b.ranking[:1] for pair in pairs)
    ten = sum(pair.a.ranking[:OVERLAP_DEPTH] == pair.b.ranking[:OVERLAP_DEPTH] for pair in pairs)
    return Agreement(
        queries=count,
        overlap=sum(pair.overlap for pair in pairs) / count,
        rbo=sum(pair.rbo for pair in pairs) / count,
        same_first=first / count,
        same_ten=ten / count,
    )


def _missing(of: SavedQuery, other: SavedQuery) -> list[str]:
    """Items in the first ten of one ranking and not of the other."""
    there = set(other.ranking[:OVERLAP_DEPTH])
    return [item_id for item_id in of.ranking[:OVERLAP_DEPTH] if item_id not in there]


def _run(run: SavedRun) -> dict[str, Any]:
    return {
        "name": run.name,
        "made": run.made,
        "nitari": run.version,
        "settings": dict(run.settings),
        "queries": len(run.queries),
        "failed": sum(1 for query in run.queries if query.failure),
        "depth": run.depth,
        "kept": run.kept,
    }


def _told(one: Paired) -> dict[str, Any]:
    return {
        "queries": one.queries,
        "a": round(one.a, DIGITS),
        "b": round(one.b, DIGITS),
        "difference": round(one.difference, DIGITS),
        "low": round(one.low, DIGITS),
        "high": round(one.high, DIGITS),
        "p": round(one.p, 5),
        "won": one.won,
        "lost": one.lost,
        "tied": one.tied,
    }


def _agreed(one: Agreement) -> dict[str, Any]:
    return {
        "queries": one.queries,
        "overlap": round(one.overlap, DIGITS),
        "rbo": round(one.rbo, DIGITS),
        "same_first": round(one.same_first, DIGITS),
        "same_ten": round(one.same_ten, DIGITS),
    }
