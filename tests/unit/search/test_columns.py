"""Columns: filters against a naive reading of them, attributes read back as they were, counts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.search import columns as columns_module
from nitari.search.columns import AttributeSummary, Columns, Row
from nitari.search.filters import parse_filter
from nitari.types import Attributes, Facet, FacetValue
from support.filters import filters, passes, rows


def _row(item_id: str, attributes: Attributes, *, group_id: str = "g", title: str = "") -> Row:
    return Row(item_id, group_id, title, attributes)


def _columns(*batches: list[Row]) -> Columns:
    columns = Columns()
    for batch in batches:
        columns.append(batch)
    return columns


def _all(columns: Columns) -> np.ndarray[Any, np.dtype[np.int32]]:
    return np.arange(len(columns), dtype=np.int32)


@given(st.lists(st.lists(rows(), max_size=5), max_size=4), st.lists(filters(), min_size=1, max_size=3))
def test_masks_follow_naive_evaluation(batches: list[list[Row]], documents: list[dict[str, Any]]) -> None:
    """A filter passes the rows that a naive reading of it passes, also where its mask was cached before rows came."""
    columns = Columns()
    there: list[Row] = []
    for batch in batches:
        columns.append(batch)
        there += batch
        for document in documents:
            mask = columns.mask(parse_filter(document))
            assert mask.tolist() == [passes(document, row) for row in there]


@given(st.lists(rows(), max_size=8), st.data())
def test_reads_back_what_was_appended(items: list[Row], data: st.DataObject) -> None:
    """Rows come back as they were, lists in order and with repeats, in whatever order they are asked for."""
    columns = _columns(items[:3], items[3:])
    chosen = data.draw(st.lists(st.integers(0, len(items) - 1), max_size=10) if items else st.just([]))
    back = columns.rows(np.asarray(chosen, np.int32))
    assert back == [items[at] for at in chosen]
    for row, at in zip(back, chosen, strict=True):
        assert {name: type(value) for name, value in row.attributes.items()} == {
            name: type(value) for name, value in items[at].attributes.items()
        }


@given(st.lists(st.tuples(rows(), st.booleans()), max_size=10), filters())
def test_kept_rows_are_the_same(items: list[tuple[Row, bool]], document: dict[str, Any]) -> None:
    """Without its dead rows a store holds the living ones under new numbers, and filters as before."""
    columns = _columns([row for row, _ in items])
    alive = np.asarray([live for _, live in items], np.bool_)
    kept = columns.kept(alive, (np.cumsum(alive) - 1).astype(np.int32))
    living = [row for row, live in items if live]
    assert kept.rows(_all(kept)) == living
    assert kept.mask(parse_filter(document)).tolist() == [passes(document, row) for row in living]
    kept.append([row for row, _ in items])
    assert kept.rows(_all(kept)) == [*living, *(row for row, _ in items)]


@given(st.lists(rows(), max_size=12), st.lists(st.booleans(), min_size=12, max_size=12))
def test_facets_count_items(items: list[Row], chosen: list[bool]) -> None:
    """A facet counts each item once for each of its different values."""
    columns = _columns(items)
    mask = np.asarray(chosen[: len(items)], np.bool_)
    counts: Counter[tuple[type, Any]] = Counter()
    for row, live in zip(items, mask.tolist(), strict=True):
        value = row.attributes.get("color", ())
        counts.update({(type(v), v) for v in (value if isinstance(value, tuple) else (value,))} if live else ())
    facet = columns.facet("color", mask, limit=100)
    assert {(type(f.value), f.value): f.count for f in facet.values} == dict(counts)
    assert [f.count for f in facet.values] == sorted((f.count for f in facet.values), reverse=True)
    numbers = [value for kind, value in counts if kind is float]
    assert (facet.low, facet.high) == ((min(numbers), max(numbers)) if numbers else (None, None))
    for limit in range(1, len(counts) + 1):
        assert columns.facet("color", mask, limit).values == facet.values[:limit]


def test_facets_are_limited_and_ordered() -> None:
    """The most frequent values come first, ties by value; an unknown name has none."""
    columns = _columns([_row(str(n), {"size": ("m", "l", "s", "s")[n % 4]}) for n in range(9)])
    everything = np.ones(9, np.bool_)
    assert columns.facet("size", everything, 2) == Facet("size", (FacetValue("s", 4), FacetValue("m", 3)))
    assert columns.facet("colour", everything, 2) == Facet("colour", ())


def test_facets_of_numbers() -> None:
    """Equally frequent values come in their order, texts before numbers; bounds are those of all."""
    columns = _columns([_row(str(n), {"price": price}) for n, price in enumerate([9.0, 10.0, 100.0, -2.5, "9", True])])
    mask = np.asarray([True, True, True, True, True, True])
    facet = columns.facet("price", mask, 3)
    assert facet == Facet("price", (FacetValue("9", 1), FacetValue(-2.5, 1), FacetValue(9.0, 1)), -2.5, 100.0)
    mask[3] = False
    assert columns.facet("price", mask, 1).low == 9.0


def test_reserved_names_win_but_nothing_is_lost() -> None:
    """An attribute named ``title`` is shown, while filters ask about the item's title."""
    columns = _columns([_row("a", {"title": "attribute"}, title="own")])
    assert columns.mask(parse_filter({"title": "own"})).all()
    assert not columns.mask(parse_filter({"title": "attribute"})).any()
    assert columns.rows(_all(columns))[0].attributes == {"title": "attribute"}


def test_summaries() -> None:
    """Attributes of living rows are summed up; those only dead rows had are gone."""
    columns = _columns([_row("a", {"x": "1", "old": True}), _row("b", {"x": ("1", "2")}), _row("c", {"y": 3.0})])
    assert columns.summaries(np.asarray([False, True, True])) == {
        "x": AttributeSummary(("list",), 1, 2),
        "y": AttributeSummary(("number",), 1, 1),
    }


def test_groups() -> None:
    """Rows of one group share a number."""
    columns = _columns([_row("a", {}, group_id="g"), _row("b", {}, group_id="h")], [_row("c", {}, group_id="g")])
    first, second, third = columns.groups(_all(columns)).tolist()
    assert first == third != second
    assert columns.group_count(np.asarray([True, True, False])) == 2


def test_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Masks of filters long not asked for are forgotten, and worked out again when asked for."""
    monkeypatch.setattr(columns_module, "_CACHED_BYTES", 2 * 3)
    columns = _columns([_row(name, {}) for name in "abc"])
    for name in "abcab":
        assert columns.mask(parse_filter({"item_id": name})).tolist() == [one == name for one in "abc"]
    assert len(columns._masks) == 2
