"""From query vectors to distinct items: merged over the vectors, grouped, and complete as far as they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nitari.index.base import Allowed, Step
from nitari.search.emphasis import Weighed
from nitari.search.gallery import Holding
from nitari.types import FloatArray, KeyArray, Matches

_ASKED_AT_LEAST = 32
# More than a radius as float32 could lose, less than anyone can tell.
_RADIUS_MARGIN = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """Distinct items (or groups), nearest first, ties by item id.

    Args:
        views: int64 ``[n]``: for each, the view that matched best (a row of ``ItemTable``).
        distances: float32 ``[n]``: cosine distances (what likeness lacks to 1, where the query has an emphasis),
            ascending.
    """

    views: NDArray[np.int64]
    distances: FloatArray

    def __len__(self) -> int:
        return int(self.views.size)


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """The answers to several query vectors as one: each key once, at its smallest distance.

    Args:
        keys: int64 ``[n]``, by distance, ties by smaller key.
        distances: float32 ``[n]``, ascending.
        frontier: Below this distance, nothing is missing; infinite where nothing is missing at all.
    """

    keys: KeyArray
    distances: FloatArray
    frontier: float


def merge(answers: Sequence[Matches], asked: int) -> Merged:
    """Merge the answers to several query vectors, for each of which the index was asked for ``asked`` keys.

    A key that an answer leaves out is at least as far from that vector as the answer's last key, if the answer is
    full. So the smallest of the full answers' last distances is a frontier: every key's smallest distance that lies
    below it is known, and is in one of the answers (the stopping rule of Fagin, Lotem and Naor's threshold algorithm,
    "Optimal aggregation algorithms for middleware", PODS 2001).
    """
    frontier = min((float(a.distances[-1]) for a in answers if len(a) >= asked), default=np.inf)
    if len(answers) == 1:
        return Merged(answers[0].keys, answers[0].distances, frontier)
    keys = np.concatenate([a.keys for a in answers])
    distances = np.concatenate([a.distances for a in answers])
    order = np.lexsort((keys, distances))
    keys, distances = keys[order], distances[order]
    first = _firsts(keys)
    return Merged(keys[first], distances[first], frontier)


def nearest_items(
    holding: Holding,
    vectors: FloatArray,
    *,
    count: int,
    scales: FloatArray | None = None,
    excluded: frozenset[int] = frozenset(),
    allowed: Allowed | None = None,
    group_by: Literal["item", "group"] = "item",
    max_distance: float | None = None,
    trace: list[Step] | None = None,
) -> Nearest:
    """The ``count`` items (or groups, each by its best item) nearest to any of ``vectors``; fewer where that is all.

    An index answers with keys, several of which may belong to one item, so it is asked for more and more of them
    until enough distinct items are certain. With an index that is exact, the answer to a larger ``count`` begins with
    the answer to a smaller one, so pages neither repeat nor skip.

    Args:
        holding: What is searched.
        vectors: float32 ``[q, dim]``, unit rows.
        count: At least 1.
        scales: float32 ``[q]``: of what likeness is in multiples of the cosine; see ``Weighed``.
        excluded: Ordinals of items to leave out.
        allowed: Filter.
        group_by: Whether each item, or each group, is shown once.
        max_distance: Radius, in the answer's distances; items a little beyond it may be among the answer.
        trace: Where the index is to note what it does; it is asked again where more is needed.
    """
    total = len(holding.index)
    if not total or not len(holding.items):
        return Nearest(np.empty(0, np.int64), np.empty(0, np.float32))
    asking = Weighed(vectors, scales)
    within = asking.radius(max_distance)
    radius = None if within is None else within + _RADIUS_MARGIN
    keys_per_item = total / len(holding.items)
    asked = _rounded(max(_ASKED_AT_LEAST, int((count + len(excluded)) * keys_per_item)))
    while True:
        asked = min(asked, total)
        answers = holding.index.query(vectors, asked, allowed=allowed, max_distance=radius, trace=trace)
        merged = merge(_likened(answers, asking), asked)
        complete = asked == total or merged.frontier == np.inf
        found = _distinct(holding, merged, np.inf if complete else merged.frontier, excluded, group_by)
        if complete or len(found) >= count:
            return Nearest(found.views[:count], found.distances[:count])
        asked *= 2


def _likened(answers: Sequence[Matches], asking: Weighed) -> Sequence[Matches]:
    """The answers by what their likeness lacks to 1, in the order that they have."""
    if asking.scales is None:
        return answers
    return [Matches(found.keys, asking.distances(row, found.distances)) for row, found in enumerate(answers)]


def _distinct(
    holding: Holding, merged: Merged, frontier: float, excluded: frozenset[int], group_by: Literal["item", "group"]
) -> Nearest:
    """The items that are certain, each at its best view; the groups, each at its best item."""
    views = holding.items.views(merged.keys)
    # Below the frontier, not at it: of items that tie there, some may not have been seen yet.
    certain = (views >= 0) & (merged.distances < frontier)
    views, distances = views[certain], merged.distances[certain]
    ordinals = holding.items.ordinals(views)
    first = _firsts(ordinals)
    if excluded:
        first = first[[ordinal not in excluded for ordinal in ordinals[first].tolist()]]
    first = _ties_by_item_id(holding, first, ordinals, distances)
    if group_by == "group":
        first = first[_firsts(holding.items.columns.groups(ordinals[first]))]
    return Nearest(views[first], distances[first])


def _ties_by_item_id(
    holding: Holding, chosen: NDArray[np.int64], ordinals: NDArray[np.int32], distances: FloatArray
) -> NDArray[np.int64]:
    """``chosen``, which is ordered by distance, with equal distances ordered by item id."""
    ordered = distances[chosen]
    if not (ordered[1:] == ordered[:-1]).any():
        return chosen
    ids = [holding.items.item_id(ordinal) for ordinal in ordinals[chosen].tolist()]
    by = list(zip(ordered.tolist(), ids, strict=True))
    return chosen[sorted(range(len(by)), key=by.__getitem__)]


def _firsts(values: NDArray[np.int32] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each distinct value stands first, ascending."""
    _, first = np.unique(values, return_index=True)
    return np.sort(first)


def _rounded(number: int) -> int:
    """A number that is not less, by at most a quarter more: the next eighth of a power of two.

    Few different numbers, as an index may have to find out how hard to look for each; and no larger steps, as each
    candidate costs.
    """
    step = max(1, (1 << (number - 1).bit_length()) // 8)
    return -(-number // step) * step
