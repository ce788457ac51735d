"""Measures over rankings, computed by ``ir_measures`` (the only file that knows it), with bootstrap intervals.

An item counts as relevant from grade 1 on. Only nDCG looks at the grade itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nitari.errors import UsageError
from nitari.evaluate.qrels import Judgments, Rankings, strictly_falling

PerQuery: TypeAlias = Mapping[str, Mapping[str, float]]
"""For each query id, the value of each measure by name."""

RESAMPLES = 2000
LEVEL = 0.95
SEED = 20190725


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over queries, with the ends of its interval (all three in the measure's unit, 0-1)."""

    value: float
    low: float
    high: float


def success(k: int) -> Any:
    """Success@k: share of queries with at least one relevant item in the first k.

    Papers on image retrieval call this very number "Recall@k" (Song et al., "Deep Metric Learning via Lifted Structured
    Feature Embedding", CVPR 2016; so do DeepFashion and LookBench). It is not recall as information retrieval has it,
    the share of the relevant items found, nor an index's ANN recall, its agreement with exact search.
    """
    from ir_measures import Success

    return Success @ k


def precision(k: int) -> Any:
    """P@k: share of relevant items among the first k (van Rijsbergen, "Information Retrieval", 1979).

    Divided by k also where fewer than k items were ranked or are relevant, as trec_eval does: where a group has three
    colors, P@10 cannot exceed .3. With k = 1 it equals Success@1.
    """
    from ir_measures import P

    return P @ k


def average_precision() -> Any:
    """mAP: mean over queries of average precision (Buckley and Voorhees, SIGIR 2000).

    Precision at the rank of each relevant item, averaged over ALL relevant items, those never ranked counting 0. Over
    rankings cut at the run's depth (1,000 by TREC's custom), and neither the interpolated 11 points of Pascal VOC nor
    the mAP of object detection.
    """
    from ir_measures import AP

    return AP


def ndcg(k: int) -> Any:
    """nDCG@k: discounted cumulative gain of the first k over the best possible (Järvelin and Kekäläinen, TOIS 2002).

    trec_eval's form: gain is the grade itself, not 2^grade - 1 (Burges et al. 2005), discount log2(rank + 1).
    """
    from ir_measures import nDCG

    return nDCG @ k


_CUT: Mapping[str, Callable[[int], Any]] = {"Success": success, "P": precision, "nDCG": ndcg}
_WHOLE: Mapping[str, Callable[[], Any]] = {"mAP": average_precision}
MEASURES = ("Success@1", "Success@5", "Success@10", "P@1", "P@10", "mAP", "nDCG@10")
"""Names of the standard measures, in the order of reports."""


def measure(name: str) -> Any:
    """The measure of a name: ``Success@k``, ``P@k``, ``nDCG@k`` or ``mAP``.

    Raises:
        UsageError: another name.
    """
    kind, _, cut = name.partition("@")
    if kind in _CUT and cut.isdecimal() and int(cut) > 0:
        return _CUT[kind](int(cut))
    if name in _WHOLE:
        return _WHOLE[name]()
    raise UsageError(f"there is no measure {name!r}", remedy="give Success@k, P@k, nDCG@k (k from 1 on) or mAP")


def per_query(
    judgments: Judgments, rankings: Rankings, measures: Sequence[str] = MEASURES
) -> dict[str, dict[str, float]]:
    """The value of every measure for every query that has a relevant item; 0 where its ranking is empty or absent.

    Queries without a relevant item are left out: nothing could be right for them, so no number speaks of them.
    """
    import ir_measures

    judged = [query_id for query_id, items in judgments.items() if any(grade > 0 for grade in items.values())]
    names = {measure(name): name for name in measures}
    values = {query_id: dict.fromkeys(measures, 0.0) for query_id in judged}
    run = {query_id: dict(strictly_falling(rankings[query_id])) for query_id in judged if rankings.get(query_id)}
    if not run:
        return values
    qrels = {query_id: dict(judgments[query_id]) for query_id in judged}
    for metric in ir_measures.iter_calc(list(names), qrels, run):
        values[metric.query_id][names[metric.measure]] = float(metric.value)
    return values


def estimates(values: PerQuery, queries: Iterable[str] | None = None) -> dict[str, Estimate]:
    """Mean and interval of every measure over these queries (all of ``values`` if ``None``); empty without queries.

    A measure that some of them do not have is about the others.
    """
    chosen = list(values if queries is None else queries)
    about: dict[str, list[str]] = {}
    for query_id in chosen:
        for name in values[query_id]:
            about.setdefault(name, []).append(query_id)
    found = {}
    for ids in dict.fromkeys(map(tuple, about.values())):
        names = [name for name, those in about.items() if tuple(those) == ids]
        table = np.array([[values[query_id][name] for name in names] for query_id in ids], dtype=np.float64)
        low, high = bootstrap(table)
        for name, mean, lo, hi in zip(names, table.mean(axis=0), low, high, strict=True):
            found[name] = Estimate(float(mean), float(lo), float(hi))
    return {name: found[name] for name in about}


def bootstrap(
    table: NDArray[np.float64], *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = SEED
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Percentile bootstrap intervals of the column means (Efron and Tibshirani, 1993, chapter 13).

    Queries are drawn with replacement, the same ones for every measure; the same seed gives the same interval. It says
    how much another sample of such queries would differ, not how much another catalog would, and with a handful of
    queries (or one) it is too narrow.

    Args:
        table: float64 ``[queries, measures]``, at least one row.
        resamples: How often to draw.
        level: Share of the resampled means between the two ends.
        seed: Of the generator.

    Returns:
        Lower and upper ends, float64 ``[measures]`` each.
    """
    generator = np.random.default_rng(seed)
    count = table.shape[0]
    means = np.empty((resamples, table.shape[1]), dtype=np.float64)
    for row in means:
        row[:] = table[generator.integers(0, count, count)].mean(axis=0)
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(means, (tail, 1.0 - tail), axis=0)
    return low, high


def by_category(values: PerQuery, categories: Mapping[str, str]) -> dict[str, Sequence[str]]:
    """Query ids by category, largest category first, then by name; queries without a category are left out."""
    groups: dict[str, list[str]] = {}
    for query_id in values:
        if categories.get(query_id):
            groups.setdefault(categories[query_id], []).append(query_id)
    return {name: groups[name] for name in sorted(groups, key=lambda name: (-len(groups[name]), name))}
