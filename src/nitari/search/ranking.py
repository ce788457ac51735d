"""From the nearest items to what is shown: category, second pass, the same photos once.

An index answers with the nearest keys. What follows here looks at the first ``WINDOW`` of the items again, and orders
them by more than one distance; what lies behind them stays in the index's order. The window does not depend on the page
that is asked for, so pages go on where the one before ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nitari.errors import NotFoundError
from nitari.search.belief import VOTERS, Belief, believed, known
from nitari.search.classifier import Classifier
from nitari.search.collapse import twins
from nitari.search.emphasis import Weighed
from nitari.search.filters import Filter, narrowed
from nitari.search.gallery import Holding
from nitari.search.nearest import Nearest
from nitari.search.query import CategoryChoice
from nitari.types import FloatArray, Guess, KeyArray

WINDOW = 100
"""How many items are looked at again."""
BOOST = 0.15
"""The share of its distance that an item of the very category that is asked for comes nearer.

A share, and not an amount, so that it means as much for every model, and the very same photo stays the very same.
Measured on both catalogs (docs/accuracy.md): flat's precision grows up to .5, luma's Success@5 falls from .2 on.
"""
SURE = 0.8
"""From this probability on, ``restrict`` leaves out what is of another category than the guess."""

Distances: TypeAlias = NDArray[np.float64]
Find: TypeAlias = Callable[[int, "Filter | None"], Nearest]
"""Asks for so many of the nearest items that pass a filter: a larger answer begins with the smaller one."""


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    """How the answer to a query is to be ranked.

    Args:
        asking: What the index is asked for.
        vectors: float32 ``[q, dim]``, unit rows: the same without an emphasis.
        wanted: The caller's filter.
        category: What to do about the category.
        attribute: Which attribute says what an item is.
        classifier: Tells the category of vectors; ``None`` to leave categories alone.
        own: The category, where it is known and nothing is to be guessed.
        familiarity: How much the query shows what the model was trained on, 0-1.
        collapse: Whether the same photos are shown once.
    """

    asking: Weighed
    vectors: FloatArray
    wanted: Filter | None = None
    category: CategoryChoice = "boost"
    attribute: str = ""
    classifier: Classifier | None = None
    own: str | None = None
    collapse: bool = True
    familiarity: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Distinct items (or groups) in the order in which they are shown.

    Args:
        views: int64 ``[n]``: for each, the view that matched best (a row of ``ItemTable``).
        distances: float64 ``[n]``, ascending: what scores are made of.
        found: float64 ``[n]``: the distances that the index found them at.
        seen: float64 ``[n]``: the distances after the second pass; what ``distances`` differ by is the category's.
        duplicates: For some, by place, the ordinals of the listings that show the same photo and are left out.
        guess: What the query was taken for; ``None`` where categories were left alone.
        familiarity: Of the query, as in ``Wish``.
    """

    views: NDArray[np.int64]
    distances: Distances
    found: Distances
    seen: Distances
    duplicates: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    guess: Guess | None = None
    familiarity: float = 1.0

    def __len__(self) -> int:
        return int(self.views.size)

    def first(self, count: int) -> Ranked:
        """The first ``count`` alone, with nothing of the others kept in memory."""
        if len(self) <= count:
            return self
        return Ranked(
            views=self.views[:count].copy(),
            distances=self.distances[:count].copy(),
            found=self.found[:count].copy(),
            seen=self.seen[:count].copy(),
            duplicates={at: ids for at, ids in self.duplicates.items() if at < count},
            guess=self.guess,
            familiarity=self.familiarity,
        )


def ranked(holding: Holding, find: Find, wish: Wish, count: int) -> Ranked:
    """The first ``count`` items to show; fewer where that is all.

    Args:
        holding: What is searched.
        find: Finds the nearest of it.
        wish: How to rank.
        count: At least 1.
    """
    passing = wish.wanted
    reach = max(count, WINDOW + 1) if _looks_again(holding, wish) else count
    nearest = find(reach, passing)
    belief = _belief(holding, nearest, wish)
    if belief is not None and wish.category == "restrict" and belief.guess.probability >= SURE:
        passing = narrowed(wish.wanted, wish.attribute, belief.guess.value)
        nearest = find(reach, passing)
        belief = replace(belief, guess=replace(belief.guess, restricted=True))
    answer = _ordered(holding, nearest, wish, belief)
    gone = sum(map(len, answer.duplicates.values()))
    if gone and len(answer) < count and len(nearest) > WINDOW:
        answer = _ordered(holding, find(count + gone, passing), wish, belief)
    return answer.first(count)


def _looks_again(holding: Holding, wish: Wish) -> bool:
    """Whether anything in the window may come in another order than the index has it."""
    by_category = wish.category != "off" and wish.classifier is not None
    return by_category or wish.collapse or len(holding.index) > len(holding.items)


def _belief(holding: Holding, nearest: Nearest, wish: Wish) -> Belief | None:
    """What the query is taken for."""
    if wish.category == "off" or wish.classifier is None:
        return None
    if wish.own is not None:
        return known(wish.own)
    ordinals = holding.items.ordinals(nearest.views[:VOTERS])
    voters = holding.items.columns.texts(wish.attribute, ordinals)
    return believed(wish.classifier, wish.vectors, voters, nearest.distances[:VOTERS])


def _ordered(holding: Holding, nearest: Nearest, wish: Wish, belief: Belief | None) -> Ranked:
    """The nearest items, the first ``WINDOW`` of them ranked anew."""
    views = nearest.views.copy()
    found = nearest.distances.astype(np.float64)
    seen = found.copy()
    _look_again(holding, views, seen, wish.asking)
    ordinals = holding.items.ordinals(views[:WINDOW])
    distances = seen.copy()
    if belief is not None:
        shares = belief.shares(holding.items.columns.texts(wish.attribute, ordinals))
        if shares.size and np.ptp(shares) > 1e-9:  # where all are of one kind, there is nothing to prefer
            distances[:WINDOW] *= 1 - BOOST * shares
    order = np.arange(views.size)
    order[:WINDOW] = _order(holding, ordinals, distances[:WINDOW])
    duplicates: Mapping[int, tuple[int, ...]] = {}
    if wish.collapse:
        order, duplicates = _collapsed(holding, ordinals, order)
    # Behind the window nothing may score more than in it.
    shown = np.maximum.accumulate(distances[order])
    guess = None if belief is None else belief.guess
    return Ranked(views[order], shown, found[order], seen[order], duplicates, guess, wish.familiarity)


def _look_again(holding: Holding, views: NDArray[np.int64], distances: Distances, asking: Weighed) -> None:
    """The second pass: compare every photo of the window's items, which an index of codes may have overlooked.

    An item is as near as its best photo. Blends with the mean of its photos, and neighbors that speak for each other
    (query expansion), were measured and gained nothing (docs/accuracy.md).

    Args:
        holding: What is searched.
        views: int64 ``[n]``: changed in place, where another view of an item is nearer.
        distances: float64 ``[n]``: as ``views``.
        asking: What is compared with.
    """
    items = holding.items
    ordinals = items.ordinals(views[:WINDOW])
    several = np.flatnonzero(items.view_counts(ordinals) > 1)
    if not several.size:
        return
    keys = items.keys_of_all(ordinals[several])
    vectors = _vectors(holding, keys)
    if vectors is None:
        return
    nearest = 1 - (vectors @ asking.vectors.T).astype(np.float64)
    if asking.scales is not None:
        nearest = 1 - asking.scales * (1 - nearest)
    best = np.maximum(nearest.min(axis=1), 0.0)
    owners = np.repeat(several, items.view_counts(ordinals[several]))
    order = np.lexsort((np.arange(keys.size), best, owners))
    firsts = order[np.unique(owners[order], return_index=True)[1]]
    # What the index found is not put aside for what rounding makes of it.
    nearer = firsts[best[firsts] < distances[owners[firsts]] - 1e-5]
    found = items.views(keys[nearer])
    views[owners[nearer]], distances[owners[nearer]] = found, best[nearer]


def _order(holding: Holding, ordinals: NDArray[np.int32], distances: Distances) -> NDArray[np.int64]:
    """Places by distance, ties by item id where they were not in that order already."""
    order = np.argsort(distances, kind="stable")
    ordered = distances[order]
    if not (ordered[1:] == ordered[:-1]).any() or (order[1:] > order[:-1]).all():
        return order
    ids = [holding.items.item_id(ordinal) for ordinal in ordinals.tolist()]
    return np.asarray(sorted(range(len(ids)), key=lambda at: (distances[at], ids[at])), np.int64)


def _collapsed(
    holding: Holding, ordinals: NDArray[np.int32], order: NDArray[np.int64]
) -> tuple[NDArray[np.int64], dict[int, tuple[int, ...]]]:
    """Leave out of the window what shows the same photo as something better.

    Returns:
        What is left of ``order``, and for some places in that the ordinals of what was left out for them.
    """
    if ordinals.size < 2:
        return order, {}
    shown = ordinals[order[:WINDOW]]
    vectors = _vectors(holding, holding.items.main_keys(shown))
    if vectors is None:
        return order, {}
    found = twins(vectors, holding.items.columns.groups(shown))
    if not found:
        return order, {}
    gone = {at for others in found.values() for at in others}
    kept = [at for at in range(order.size) if at not in gone]
    place = {at: number for number, at in enumerate(kept)}
    return order[kept], {place[at]: tuple(shown[list(others)].tolist()) for at, others in found.items()}


def _vectors(holding: Holding, keys: KeyArray) -> FloatArray | None:
    """The stored vectors of keys: float32 ``[n, dim]``, of unit length but for how they are stored.

    ``None`` where the index is being filled, and does not have them all yet.
    """
    try:
        return holding.index.vectors(keys)
    except NotFoundError:
        return None
