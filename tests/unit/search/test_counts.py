"""Totals and facets against a naive count through edits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from nitari.catalog.base import IndexedItem
from nitari.index.exact import ExactIndex
from nitari.search.columns import Row
from nitari.search.counts import Counts
from nitari.search.filters import parse_filter
from nitari.search.gallery import Holding
from nitari.search.items import ItemTable
from nitari.types import Facet, FacetValue
from support.catalogs import COLLECTION, DIM, photo, put
from support.filters import filters, passes, rows
from support.galleries import open_catalog, open_gallery

OTHERS = ("price", "tags", "@odd", "item_id", "title", "missing")


def _values(row: Row, name: str) -> set[tuple[type, Any]]:
    value = row.attributes.get(name, ())
    return {(type(one), one) for one in (value if isinstance(value, tuple) else (value,))}


def _item(row: Row) -> IndexedItem:
    return IndexedItem(row.item_id, row.group_id, row.title, row.attributes, np.empty(0, np.int64), (), ())


def _mixed(document: Mapping[str, Any]) -> bool:
    """Whether a condition asks about the color and something else."""
    return len(parse_filter(document).names) > 1


# An element whose equal text only a deleted item had, beside another text.
@example([Row(str(at), str(at), "", {"color": color}) for at, color in enumerate(("Red", "red", ("Red",)))], {}, {}, {})
@given(
    st.lists(rows(), max_size=8),
    # An empty filter inside of another is a condition that asks about nothing, and so not one about the color.
    filters(("color",)).filter(lambda document: document == {} or "{}" not in str(document)),
    filters(OTHERS),
    st.one_of(
        st.just({}),
        st.builds(lambda a, b: {"or": [a, b]}, filters(("color",)), filters(OTHERS)).filter(_mixed),
        st.builds(lambda a, b: {"not": {"and": [a, b]}}, filters(("color",)), filters(OTHERS)).filter(_mixed),
    ),
)
def test_counts_are_naive_counts(
    items: list[Row], own: dict[str, Any], others: dict[str, Any], mixed: dict[str, Any]
) -> None:
    """A value's count is how many items would be left, were it chosen in place of what was chosen of its attribute."""
    document = {"and": [own, others, mixed]}
    wanted = parse_filter(document)
    counts, table = Counts(), ItemTable()
    living = {str(at): Row(str(at), row.group_id, row.title, row.attributes) for at, row in enumerate(items)}
    table.replace({item_id: _item(row) for item_id, row in living.items()})
    for version in range(2):
        if version:
            table.replace({"0": None})
            living.pop("0", None)
        holding = Holding(ExactIndex(DIM), table, seq=version, version=version)
        left = [row for row in living.values() if passes({"and": [others, mixed]}, row)]
        expected = Counter(value for row in left for value in _values(row, "color"))
        numbers = [value for kind, value in expected if kind is float]
        for _ in range(2):
            (facet,) = counts.facets(holding, wanted, ["color"], limit=100)
            assert {(type(one.value), one.value): one.count for one in facet.values} == dict(expected)
            assert (facet.low, facet.high) == ((min(numbers), max(numbers)) if numbers else (None, None))
            assert counts.total(holding, wanted) == sum(passes(document, row) for row in living.values())


def test_without_a_filter(tmp_path: Path) -> None:
    """Everything is counted, in the order asked for, under the names asked for; unknown names are empty."""
    catalog = open_catalog(tmp_path)
    catalog.apply(
        [
            put("a", photo("a.jpg", "a"), attributes={"not": "x", "@id": 3.0}),
            put("b", photo("b.jpg", "b"), attributes={"not": "x", "@id": 5.0}),
        ],
        collection=COLLECTION.name,
    )
    gallery = open_gallery(catalog)
    counts = Counts()
    with gallery.reading() as holding:
        assert counts.total(holding, None) == counts.total(holding, parse_filter({})) == 2
        names = ["@@id", "nobody", "@not", "not", "item_group_id"]
        odd, none, escaped, bare, group = counts.facets(holding, None, names, limit=1)
    assert odd == Facet("@@id", (FacetValue(3.0, 1),), 3.0, 5.0)
    assert none == Facet("nobody", ())
    assert (escaped, bare) == (Facet("@not", (FacetValue("x", 2),)), Facet("not", (FacetValue("x", 2),)))
    assert group == Facet("item_group_id", (FacetValue("a", 1),))
    gallery.close()
