"""Two runs beside each other: which is better, by how much and how surely, where, and what moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nitari.errors import UsageError
from nitari.evaluate.compare_marks import merged
from nitari.evaluate.compare_run import SavedMeasure, SavedQuery, SavedRun, standard
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
from nitari.evaluate.measures import LEVEL, RESAMPLES, SEED, by_category, per_query
from nitari.evaluate.qrels import Judgments

PRIMARY: Mapping[str, tuple[str, ...]] = {
    "luma": ("Success@1", "Success@5"),
    "flat": ("P@1", "P@10"),
    "worn": ("P@10", "worn share@10"),
    "color": ("P@10",),
    "unrelated": ("photos answered", "styles kept"),
    "general": ("Success@1", "mAP"),
    "qrels": ("nDCG@10",),
    "queries": ("P@10",),
}
"""What decides in a protocol whether a run is better, where nobody names measures; elsewhere its first measure."""
DIGITS = 4
P_DIGITS = 7
RBO_DEPTH = 100
"""Ranks that rank-biased overlap looks at: those below weigh less than a ten-thousandth."""


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
        rbo: Rank-biased overlap of the first hundred, 0-1.
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
    """A measure by which B is significantly worse than A; ``p`` is corrected for the measures that were looked at."""

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
    measures = _measures(a, b, pairs)
    judged = {pair.query_id: pair for pair in pairs if pair.values}
    groups = by_category({pair.query_id: {} for pair in pairs}, {pair.query_id: pair.category for pair in pairs})
    by_id = {pair.query_id: pair for pair in pairs}
    return Comparison(
        a=a,
        b=b,
        pairs=pairs,
        left_out=len(a.queries) + len(b.queries) - 2 * len(pairs),
        measures=_paired(list(judged.values()), measures),
        primary=_primary(b.protocol, [one.name for one in measures], primary),
        categories=_by_category(judged, measures, groups),
        agreement=_agreement(pairs),
        agreements={name: _agreement([by_id[query_id] for query_id in ids]) for name, ids in groups.items()},
        recut=recut,
    )


def drops(comparison: Comparison, *, alpha: float) -> list[Drop]:
    """The primary measures by which B is significantly worse: p, corrected by Holm among them, is below ``alpha``.

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
        if one.gain < 0 and p < alpha
    ]


def as_dict(comparison: Comparison, *, details: bool = False) -> dict[str, Any]:
    """A comparison as plain data, numbers rounded to 4 digits (p-values to 7).

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
            name: {
                measure: {**_told(one.paired), "p_holm": round(one.p_holm, P_DIGITS)} for measure, one in found.items()
            }
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
                "entered": entered(pair),
                "left": left(pair),
                "moved": _moved(pair),
            }
            for pair in comparison.pairs
        }
    return told


def _pairs(
    a: SavedRun, b: SavedRun, common: Sequence[tuple[SavedQuery, SavedQuery]], marks: Judgments
) -> tuple[tuple[QueryPair, ...], int]:
    """The pairs, and at which rank rankings were cut for measures that were computed anew (0 for nowhere)."""
    kept = min(a.kept, b.kept)
    deep = min(kept, RBO_DEPTH)
    anew = [q.query_id for p, q in common if q.query_id in marks or dict(p.grades) != dict(q.grades)]
    grades = {q.query_id: merged({q.query_id: q.grades}, {q.query_id: marks.get(q.query_id, {})}) for _, q in common}
    judgments = {query_id: grades[query_id][query_id] for query_id in anew}
    measures = [one for one in b.measures or standard() if not one.is_own]
    again = [_anew(judgments, side, measures, kept) for side in zip(*common, strict=True)]
    pairs = []
    for first, second in common:
        query_id = second.query_id
        values = _values(first.measures, second.measures)
        if query_id in judgments:
            fixed = {one.name for one in b.measures if one.is_own}
            values = {name: value for name, value in values.items() if name in fixed}
            values |= _values(again[0].get(query_id, {}), again[1].get(query_id, {}))
        pairs.append(
            QueryPair(
                query_id=query_id,
                category=second.category or first.category,
                a=first,
                b=second,
                grades=grades[query_id][query_id],
                values=values,
                overlap=overlap(first.ranking, second.ranking),
                rbo=rank_biased_overlap(first.ranking[:deep], second.ranking[:deep]),
            )
        )
    return tuple(pairs), kept if judgments else 0


def _values(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    return {name: (a[name], b[name]) for name in a if name in b}


def _anew(
    judgments: Judgments, side: Sequence[SavedQuery], measures: Sequence[SavedMeasure], kept: int
) -> dict[str, dict[str, float]]:
    """Measures of the judged queries, from the first ranks of their rankings."""
    rankings = {query.query_id: [(item, 0.0) for item in query.ranking[:kept]] for query in side}
    found = per_query(judgments, rankings, list(dict.fromkeys(one.measure for one in measures)))
    return {query_id: {one.name: values[one.measure] for one in measures} for query_id, values in found.items()}


def _measures(a: SavedRun, b: SavedRun, pairs: Sequence[QueryPair]) -> list[SavedMeasure]:
    """What some pair is measured by, in B's order."""
    found = {name for pair in pairs for name in pair.values}
    known = {one.name: one for one in (*b.measures, *a.measures, *standard())}
    return [one for name, one in known.items() if name in found]


def _paired(pairs: Sequence[QueryPair], measures: Sequence[SavedMeasure]) -> dict[str, Paired]:
    """Paired results by measure, of the queries that have it. Sorted by id: the order of a file changes no draw."""
    rows = sorted(pairs, key=lambda pair: pair.query_id)
    about: dict[tuple[str, ...], list[SavedMeasure]] = {}
    for measure in measures:
        about.setdefault(tuple(p.query_id for p in rows if measure.name in p.values), []).append(measure)
    found: dict[str, Paired] = {}
    for ids, those in about.items():
        if not ids:
            continue
        chosen = [pair for pair in rows if pair.query_id in set(ids)]
        table = np.array([[pair.values[one.name] for one in those] for pair in chosen], dtype=np.float64)
        less = [one.less_is_better for one in those]
        results = paired(table[:, :, 0], table[:, :, 1], less_is_better=less)
        found |= {one.name: result for one, result in zip(those, results, strict=True)}
    return {one.name: found[one.name] for one in measures if one.name in found}


def _primary(protocol: str, names: Sequence[str], asked: Sequence[str]) -> tuple[str, ...]:
    unknown = [name for name in asked if name not in names]
    if unknown:
        raise UsageError(
            f"measure {unknown[0]!r} is not in both runs",
            remedy=f"give one of {', '.join(names) or 'none: nothing was judged'}",
            code="compare",
        )
    wanted = asked or [name for name in PRIMARY.get(protocol, ()) if name in names] or names[:1]
    return tuple(dict.fromkeys(wanted))


def _by_category(
    judged: Mapping[str, QueryPair], measures: Sequence[SavedMeasure], groups: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, CategoryResult]]:
    """Paired results by category; p is corrected for the categories that have the measure."""
    found = {
        name: _paired(chosen, measures)
        for name, ids in groups.items()
        if (chosen := [judged[query_id] for query_id in ids if query_id in judged])
    }
    corrected: dict[str, dict[str, float]] = {}
    for measure in measures:
        there = [name for name, results in found.items() if measure.name in results]
        p_values = holm([found[name][measure.name].p for name in there])
        corrected[measure.name] = dict(zip(there, p_values, strict=True))
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


def entered(pair: QueryPair) -> list[str]:
    """Items among B's first ten that are not among A's."""
    return _missing(pair.b, pair.a)


def left(pair: QueryPair) -> list[str]:
    """Items among A's first ten that are not among B's."""
    return _missing(pair.a, pair.b)


def _moved(pair: QueryPair) -> dict[str, list[int]]:
    """Ranks in A and B of items that are among both first tens, at other places."""
    before = {item_id: rank for rank, item_id in enumerate(pair.a.ranking[:OVERLAP_DEPTH], start=1)}
    after = enumerate(pair.b.ranking[:OVERLAP_DEPTH], start=1)
    return {item: [before[item], rank] for rank, item in after if before.get(item, rank) != rank}


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
        "p": round(one.p, P_DIGITS),
        "won": one.won,
        "lost": one.lost,
        "tied": one.tied,
        "less_is_better": one.less_is_better,
    }


def _agreed(one: Agreement) -> dict[str, Any]:
    return {
        "queries": one.queries,
        "overlap": round(one.overlap, DIGITS),
        "rbo": round(one.rbo, DIGITS),
        "same_first": round(one.same_first, DIGITS),
        "same_ten": round(one.same_ten, DIGITS),
    }
