"""What tests of the searcher ask: items of a little shop, whose photos are texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from nitari.catalog.base import Edit
from nitari.extract import Extractor
from nitari.search.query import Query
from nitari.search.searcher import Searcher
from support.catalogs import photo, put

OpenShop: TypeAlias = Callable[..., Searcher]
"""From edits, and a searcher's arguments, to the searcher."""


def no_model() -> Extractor:
    """In place of an extractor, where queries must do without one."""
    raise AssertionError("the extractor is not to be loaded")


def numbered(count: int) -> list[Edit]:
    """Items ``i000``, ``i001`` ... with the photos ``p0``, ``p1`` ...; of seven groups, by price and color."""
    return [
        put(
            f"i{number:03}",
            photo(f"{number}.jpg", f"p{number}"),
            group_id=f"g{number % 7}",
            attributes={"price": float(number), "color": ("red", "blue")[number % 2]},
        )
        for number in range(count)
    ]


def ids(searcher: Searcher, **query: Any) -> list[str]:
    """Of the hits."""
    return [hit.item_id for hit in searcher.search(Query(**query)).hits]
