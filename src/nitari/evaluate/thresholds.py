"""Thresholds of the score: what each would keep out, and what it would let through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nitari.evaluate.protocols import Sweep
from nitari.evaluate.qrels import Rankings

MOST_UNWANTED = 0.05
LEAST_WANTED = 0.90
STEPS = tuple(round(step / 20, 2) for step in range(21))


@dataclass(frozen=True, slots=True)
class Threshold:
    """What one ``min_score`` does.

    Args:
        min_score: The threshold.
        answered: Share of unwanted queries that are answered all the same.
        kept: Share of wanted queries with a relevant item among the hits.
    """

    min_score: float
    answered: float
    kept: float


@dataclass(frozen=True, slots=True)
class Tradeoff:
    """What thresholds do.

    Args:
        steps: From 0 to 1, a twentieth apart.
        quiet: The lowest that answers at most ``MOST_UNWANTED`` of the unwanted.
        open: The highest that keeps at least ``LEAST_WANTED`` of the wanted. Where it is not below ``quiet``, every
            threshold between the two does both.
    """

    steps: tuple[Threshold, ...]
    quiet: Threshold
    open: Threshold


def tradeoff(sweep: Sweep, rankings: Rankings) -> Tradeoff:
    """Compare thresholds by rankings that were made without one."""
    unwanted = _descending([max((score for _, score in rankings.get(q, ())), default=-1.0) for q in sweep.unwanted])
    wanted = _descending(
        [
            max((score for item, score in rankings.get(query, ()) if style.get(item, 0) > 0), default=-1.0)
            for query, style in sweep.wanted.items()
        ]
    )

    def at(min_score: float) -> Threshold:
        return Threshold(min_score, float(np.mean(unwanted >= min_score)), float(np.mean(wanted >= min_score)))

    allowed = int(MOST_UNWANTED * unwanted.size)
    quiet = float(np.nextafter(unwanted[allowed], 2.0)) if allowed < unwanted.size else 0.0
    needed = int(np.ceil(LEAST_WANTED * wanted.size))
    return Tradeoff(tuple(map(at, STEPS)), at(max(0.0, quiet)), at(max(0.0, float(wanted[max(0, needed - 1)]))))


def _descending(scores: Sequence[float]) -> NDArray[np.float64]:
    return np.sort(np.asarray(scores, np.float64))[::-1]
