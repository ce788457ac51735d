"""From matches to distinct items, against brute force over every item."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.catalog.base import IndexedItem
from nitari.extract import unit
from nitari.index.exact import ExactIndex
from nitari.search import nearest as nearest_module
from nitari.search.filters import parse_filter
from nitari.search.gallery import Holding
from nitari.search.items import ItemTable
from nitari.search.nearest import merge, nearest_items
from nitari.types import WHOLE, FloatArray, Matches

DIM = 3


def _matches(*pairs: tuple[int, float]) -> Matches:
    return Matches(np.asarray([k for k, _ in pairs], np.int64), np.asarray([d for _, d in pairs], np.float32))


def test_merge_takes_each_key_once_at_its_smallest_distance() -> None:
    """Several answers become one, in order of distance, ties by key."""
    merged = merge([_matches((1, 0.5), (2, 0.75)), _matches((2, 0.25), (3, 0.5), (1, 0.625))], asked=4)
    assert merged.keys.tolist() == [2, 1, 3]
    assert merged.distances.tolist() == [0.25, 0.5, 0.5]
    assert merged.frontier == math.inf


def test_merge_knows_how_far_it_sees() -> None:
    """The frontier is the smallest last distance among answers that were cut off."""
    assert merge([_matches((1, 0.5), (2, 0.75)), _matches((3, 0.25))], asked=2).frontier == 0.75
    assert merge([_matches((1, 0.5), (2, 0.75)), _matches((3, 0.25), (4, 0.625))], asked=2).frontier == 0.625
    assert merge([_matches()], asked=2).frontier == math.inf


# Few directions, so that many distances are equal.
_VECTOR = st.tuples(*[st.sampled_from((-1.0, 0.0, 1.0))] * DIM).filter(any)
_ITEM = st.tuples(st.lists(_VECTOR, min_size=1, max_size=4), st.sampled_from("ghi"), st.sampled_from(["red", "blue"]))


def _holding(items: list[tuple[list[tuple[float, ...]], str, str]]) -> tuple[Holding, list[FloatArray]]:
    index, table, key = ExactIndex(DIM), ItemTable(), 0
    vectors = []
    for number, (views, group, color) in enumerate(items):
        keys = np.arange(key, key + len(views))[::-1].copy()
        key += len(views)
        vectors.append(unit(np.asarray(views, np.float32)))
        index.add(keys, vectors[-1])
        images, boxes = tuple(str(k) for k in keys), (WHOLE,) * len(views)
        # Ids in an order that is neither the items' nor the keys'.
        name = f"{number * 7 % 11}-{number}"
        table.replace({name: IndexedItem(name, group, "", {"color": color}, keys, images, boxes)})
    return Holding(index, table, 0, 0), vectors


@settings(max_examples=150, deadline=None)
@given(
    st.lists(_ITEM, max_size=12),
    st.lists(_VECTOR, min_size=1, max_size=3),
    st.integers(1, 8),
    st.sets(st.integers(0, 11), max_size=3),
    st.sampled_from(["item", "group"]),
    st.booleans(),
    st.sampled_from([None, 0.5, 1.0]),
)
def test_equals_brute_force(
    items: list[tuple[list[tuple[float, ...]], str, str]],
    queries: list[tuple[float, ...]],
    count: int,
    excluded: set[int],
    group_by: Literal["item", "group"],
    filtered: bool,
    radius: float | None,
) -> None:
    """However little is asked of the index at first, the answer is that of looking at every item."""
    holding, vectors = _holding(items)
    query = unit(np.asarray(queries, np.float32))
    best = []
    for ordinal, ((_, group, color), rows) in enumerate(zip(items, vectors, strict=True)):
        distance = float((1 - query.astype(np.float64) @ rows.T.astype(np.float64)).min())
        rounded = round(distance, 6) + 0.0
        if ordinal not in excluded and (color == "red" or not filtered) and (radius is None or rounded <= radius):
            best.append((rounded, holding.items.item_id(ordinal), group))
    best.sort()
    if group_by == "group":
        best = [entry for at, entry in enumerate(best) if entry[2] not in {before[2] for before in best[:at]}]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest_module, "_ASKED_AT_LEAST", 1)
        found = nearest_items(
            holding,
            query,
            count=count,
            excluded=frozenset(excluded),
            allowed=holding.allowed(parse_filter({"color": "red"})) if filtered else None,
            group_by=group_by,
            max_distance=radius,
        )
    ids = [holding.items.item_id(ordinal) for ordinal in holding.items.ordinals(found.views).tolist()]
    assert ids == [item_id for _, item_id, _ in best[:count]]
    assert found.distances == pytest.approx([distance for distance, _, _ in best[:count]], abs=1e-5)


def test_a_crowd_of_views_does_not_hide_other_items() -> None:
    """One item with very many near views takes one place, and the next items are found behind them."""
    crowd = ([(1.0, 0.0, 0.0)] * 500, "g", "red")
    holding, _ = _holding([crowd, ([(1.0, 1.0, 0.0)], "h", "red"), ([(0.0, 1.0, 0.0)], "i", "red")])
    found = nearest_items(holding, np.asarray([[1, 0, 0]], np.float32), count=3)
    assert holding.items.ordinals(found.views).tolist() == [0, 1, 2]


def test_keys_without_an_item_are_passed_over() -> None:
    """A key that the index has and the table does not is never answered."""
    holding, _ = _holding([([(1.0, 0.0, 0.0)], "g", "red")])
    holding.index.add(np.asarray([99]), np.asarray([[1, 0, 0]], np.float32))
    found = nearest_items(holding, np.asarray([[1, 0, 0]], np.float32), count=2)
    assert holding.items.hits(found.views, [1.0])[0].image == "0"
    assert len(found) == 1
    allowed = holding.allowed(parse_filter({"color": "red"}))
    assert allowed.mask(np.asarray([0, 99])).tolist() == [True, False]


@given(st.integers(1, 10_000_000))
def test_rounds_up_a_little(number: int) -> None:
    """An index is asked for at most a quarter more than is needed, in few different numbers."""
    rounded = nearest_module._rounded(number)
    assert number <= rounded <= 1.25 * number
    assert nearest_module._rounded(rounded) == rounded
