"""Statistics of two runs over the same queries: paired tests, intervals of differences, agreement of rankings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nitari.evaluate.measures import SEED, bootstrap

PERMUTATIONS = 10_000
RBO_P = 0.9
"""Persistence of rank-biased overlap: the first ten ranks have 86 % of the weight (Webber et al., table 1)."""
OVERLAP_DEPTH = 10
# Sums of the same numbers in another order differ by as much.
_EPSILON = 1e-9
# Rows of signs made at a time: 1,500 queries then take a few megabytes.
_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Paired:
    """Mean of A, mean of B, and how sure it is that they differ.

    Args:
        queries: How many queries were asked of both.
        a: Mean of A.
        b: Mean of B.
        difference: ``b - a``.
        low: Lower end of the difference's bootstrap interval (95 %).
        high: Upper end.
        p: Two-sided, of ``randomization_test``.
        won: Queries for which B has more (less, where less is better).
        lost: Queries for which it is the other way round.
        tied: The others.
    """

    queries: int
    a: float
    b: float
    difference: float
    low: float
    high: float
    p: float
    won: int
    lost: int
    tied: int
    less_is_better: bool = False

    @property
    def gain(self) -> float:
        """The difference, positive where B is better."""
        return -self.difference if self.less_is_better else self.difference


def paired(
    a: NDArray[np.float64], b: NDArray[np.float64], *, less_is_better: Sequence[bool] | None = None
) -> list[Paired]:
    """Compare two tables column by column; the same queries stand in the same rows.

    Args:
        a: float64 ``[queries, measures]``, at least one row.
        b: As ``a``.
        less_is_better: For each measure, whether a small number is the good one; for none if not given.
    """
    if a.shape != b.shape or a.ndim != 2 or not a.shape[0]:
        raise ValueError(f"tables of {a.shape} and {b.shape} cannot be paired")
    differences = b - a
    low, high = bootstrap(differences)
    found = randomization_test(differences)
    less = list(less_is_better or [False] * a.shape[1])
    gains = np.where(less, -differences, differences)
    won, lost = np.sum(gains > _EPSILON, axis=0), np.sum(gains < -_EPSILON, axis=0)
    means = (a.mean(axis=0), b.mean(axis=0), differences.mean(axis=0))
    return [
        Paired(
            queries=len(a),
            a=float(means[0][i]),
            b=float(means[1][i]),
            difference=float(means[2][i]),
            low=float(low[i]),
            high=float(high[i]),
            p=float(found[i]),
            won=int(won[i]),
            lost=int(lost[i]),
            tied=len(a) - int(won[i]) - int(lost[i]),
            less_is_better=less[i],
        )
        for i in range(a.shape[1])
    ]


def randomization_test(
    differences: NDArray[np.float64], *, permutations: int = PERMUTATIONS, seed: int = SEED
) -> NDArray[np.float64]:
    """Two-sided p-values of the paired randomization test, Fisher's, on the mean difference.

    The test that Smucker, Allan and Carterette ("A comparison of statistical significance tests for information
    retrieval evaluation", CIKM 2007) recommend over Wilcoxon's and the sign test: were A and B alike, each query's two
    values might as well have been swapped. Swaps are drawn; where all of them are no more than ``permutations``, every
    one is looked at instead and p is exact. A drawn p is never 0, for the swap that was found counts as one of them
    (Phipson and Smyth, 2010), and the same seed gives the same p.

    Queries are taken to be drawn at random. It says nothing of another catalog, nor whether the difference matters.

    Args:
        differences: float64 ``[queries, measures]``, B less A.
        permutations: How many swaps to draw.
        seed: Of the generator.

    Returns:
        float64 ``[measures]``, each in 0-1; 1 where no query differs.
    """
    table = np.asarray(differences, dtype=np.float64)
    table = table[np.any(np.abs(table) > _EPSILON, axis=1)]  # a query that is the same in all says nothing
    count = len(table)
    observed = np.abs(table.sum(axis=0)) - _EPSILON
    is_exact = count < 62 and 2**count <= permutations
    total = 2**count if is_exact else permutations
    generator = np.random.default_rng(seed)
    as_extreme = np.zeros(table.shape[1], dtype=np.int64)
    for start in range(0, total, _CHUNK):
        rows = min(_CHUNK, total - start)
        if is_exact:
            which = np.arange(start, start + rows, dtype=np.int64)
            swapped = (which[:, None] >> np.arange(count, dtype=np.int64)) & 1
        else:
            swapped = generator.integers(0, 2, (rows, count), dtype=np.int8)
        sums = (1.0 - 2.0 * swapped) @ table
        as_extreme += np.sum(np.abs(sums) >= observed, axis=0)
    p: NDArray[np.float64] = as_extreme / total if is_exact else (as_extreme + 1) / (total + 1)
    return p


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for how many there are.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics, 1979.
    The chance that any of them is below a level though nothing differs is then at most that level.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for place, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[i]))
        corrected[i] = highest
    return corrected


def overlap(a: Sequence[str], b: Sequence[str], *, depth: int = OVERLAP_DEPTH) -> float:
    """Share of items that both have among their first ``depth``, in whatever order; 1 where both are empty."""
    first, second = set(a[:depth]), set(b[:depth])
    longest = max(len(first), len(second))
    return len(first & second) / longest if longest else 1.0


def rank_biased_overlap(a: Sequence[str], b: Sequence[str], *, p: float = RBO_P) -> float:
    """How alike two rankings are, the top counting most: 1 the same, 0 nothing in common.

    RBO_EXT of Webber, Moffat and Zobel ("A similarity measure for indefinite rankings", TOIS 2010, equation 32), which
    goes on as if below the shorter ranking the agreement stayed as it was seen. An empty ranking agrees with an empty
    one only.

    Args:
        a: Item ids, best first, each once.
        b: As ``a``; may be of another length.
        p: Persistence, above 0 and below 1: the chance that a reader goes on to the next rank.
    """
    if not a or not b:
        return 1.0 if not a and not b else 0.0
    short, long = (a, b) if len(a) <= len(b) else (b, a)
    s, length = len(short), len(long)
    seen_short: set[str] = set()
    seen_long: set[str] = set()
    common = [0] * (length + 1)
    for depth in range(1, length + 1):
        item = long[depth - 1]
        gained = int(item in seen_short)
        seen_long.add(item)
        if depth <= s:
            gained += int(short[depth - 1] in seen_long)
            seen_short.add(short[depth - 1])
        common[depth] = common[depth - 1] + gained
    agreed = sum(common[depth] / depth * p**depth for depth in range(1, length + 1))
    assumed = sum(common[s] * (depth - s) / (s * depth) * p**depth for depth in range(s + 1, length + 1))
    rest = ((common[length] - common[s]) / length + common[s] / s) * p**length
    return min(1.0, (1.0 - p) / p * (agreed + assumed) + rest)
