"""How hard an approximate index must look: measured on its own rows against exact search, not guessed.

A query for ``k`` of the share ``s`` of rows that a filter allows looks as deep into the collection as one for ``k / s``
of all rows. So for a few depths the cheapest effort is found that reaches the promised recall, and a query takes that
of the next depth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np

from nitari.types import FloatArray, KeyArray

DEPTHS = (10, 30, 100, 300, 1000)
# A little above what is promised, since queries are not rows of the collection.
TARGET_RECALL = 0.995

Search: TypeAlias = Callable[[FloatArray, int, int], KeyArray]
"""Queries ``[q, dim]``, number of candidates, lists to probe; answers slots ``[q, n]``, best first, -1 for none."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What it takes to find the ``depth`` nearest rows.

    Args:
        depth: How many nearest rows.
        probes: Inverted lists to look into.
        candidates: Rows to compare by their true distances.
        recall: Share of the true nearest rows found on the sample.
    """

    depth: int
    probes: int
    candidates: int
    recall: float

    def as_json(self) -> dict[str, Any]:
        """Plain values, for a file."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Effort:
        """What ``as_json`` gave."""
        return cls(int(values["depth"]), int(values["probes"]), int(values["candidates"]), float(values["recall"]))


def calibrate(
    queries: FloatArray,
    own: KeyArray,
    truth: KeyArray,
    search: Search,
    *,
    rows: int,
    lists: int,
    probe_cost: float,
    row_cost: float,
) -> tuple[Effort, ...]:
    """The cheapest effort for each depth.

    Args:
        queries: float32 ``[q, dim]``, rows and others.
        own: The slot of each query, left out of the truth (finding oneself proves nothing), -1 for none: int64 ``[q]``.
        truth: The true nearest slots, best first: int64 ``[q, t]``; depths beyond ``t`` are left out.
        search: The approximate search.
        rows: How many rows the collection has.
        lists: How many inverted lists there are.
        probe_cost: Cost of looking into one list, in any unit.
        row_cost: Cost of one true distance, in the same unit.
    """
    width = min(rows, max(1024, 8 * truth.shape[1]))
    depths = [depth for depth in DEPTHS if depth < truth.shape[1]] or [truth.shape[1] - 1]
    ranks: dict[int, KeyArray] = {}
    for probes in _ladder(lists):
        ranks[probes] = _ranks(search(queries, width, probes), own, truth)
        if np.mean(ranks[probes][:, : depths[-1]] < width) >= TARGET_RECALL:
            break  # the deepest is reached; more lists only cost more
    return tuple(_cheapest(depth, ranks, width, probe_cost, row_cost) for depth in depths)


def effort_for(efforts: Sequence[Effort], depth: float, *, lists: int) -> Effort:
    """The effort to look ``depth`` rows deep: the next measured depth's, beyond the last in proportion."""
    for effort in efforts:
        if depth <= effort.depth:
            return effort
    last = efforts[-1]
    factor = depth / last.depth
    return Effort(
        int(np.ceil(depth)), min(lists, int(last.probes * factor) + 1), int(last.candidates * factor) + 1, last.recall
    )


def _ladder(lists: int) -> list[int]:
    """Numbers of lists to try: powers of two, and all of them."""
    ladder = [1]
    while ladder[-1] * 2 < lists:
        ladder.append(ladder[-1] * 2)
    return [*ladder, lists] if lists > 1 else ladder


def _ranks(found: KeyArray, own: KeyArray, truth: KeyArray) -> KeyArray:
    """At which place of ``found`` each true neighbor stands: int64 ``[q, t - 1]``; a huge number where it does not."""
    missing = np.iinfo(np.int64).max
    ranks = np.full((len(truth), truth.shape[1] - 1), missing, np.int64)
    for number, (row, self_slot, wanted) in enumerate(zip(found, own, truth, strict=True)):
        others = wanted[wanted != self_slot][: ranks.shape[1]]
        order = np.argsort(row, kind="stable")
        at = np.minimum(np.searchsorted(row, others, sorter=order), row.size - 1)
        hit = row[order[at]] == others
        ranks[number][: others.size][hit] = order[at[hit]]
    return ranks


def _cheapest(depth: int, ranks: Mapping[int, KeyArray], width: int, probe_cost: float, row_cost: float) -> Effort:
    """Of all efforts that reach the target at ``depth`` the cheapest; the best there is where none does."""
    good: list[tuple[float, Effort]] = []
    fallback = Effort(depth, 1, width, 0.0)
    for probes, places in ranks.items():
        near = np.sort(places[:, :depth], axis=None)
        needed = max(int(np.ceil(TARGET_RECALL * near.size)), 1)
        reached = float(np.mean(near < width))
        if reached > fallback.recall:
            fallback = Effort(depth, probes, width, reached)
        last = int(near[needed - 1])
        if last < width:
            # Half as many again: the sample's tail is thin.
            take = min(width, max(int((last + 1) * 1.5), 2 * depth))
            good.append(
                (probes * probe_cost + take * row_cost, Effort(depth, probes, take, float(np.mean(near < take))))
            )
    return min(good, key=lambda pair: pair[0])[1] if good else fallback
