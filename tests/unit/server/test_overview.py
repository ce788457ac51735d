"""What suits as a filter, and how often a collection is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import pytest

from nitari.search.columns import AttributeSummary
from nitari.search.searcher import Searcher, SearcherStats
from nitari.server import overview
from nitari.server.overview import Overview, choose_facets


def summary(*kinds: str, items: int = 100, distinct: int = 5) -> AttributeSummary:
    """An attribute."""
    return AttributeSummary(kinds, items, distinct)


def test_choice() -> None:
    """Few values, many items, the most telling first; of numbers the price alone."""
    attributes = {
        "aisle": summary("text"),
        "brand": summary("text", items=60),
        "color": summary("list"),
        "price": summary("number", distinct=80),
        "weight": summary("number"),
        "gender": summary("text", distinct=2),
        "on_sale": summary("boolean", distinct=2),
        "description": summary("text"),
        "link": summary("text"),
        "sku_of_maker": summary("text", distinct=61),
        "one": summary("text", distinct=1),
        "rare": summary("text", items=29),
    }
    assert choose_facets(attributes, 100) == ("gender", "color", "brand", "price", "on_sale", "aisle")
    assert choose_facets({}, 0) == ()


class Counting(Searcher):
    """A searcher that counts how often it is looked at."""

    def __init__(self) -> None:
        self.seq = 1
        self.looks = 0

    def stats(self) -> SearcherStats:
        """As of now."""
        return SearcherStats("c", 8, 100, 50, 200, self.seq)

    def known_attributes(self) -> Mapping[str, AttributeSummary]:
        """Costly."""
        self.looks += 1
        return {"gender": summary("text")}


def test_looks_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not again while nothing changes, nor within seconds where much does; counts are always as of now."""
    now = 100.0
    monkeypatch.setattr(overview, "monotonic", lambda: now)
    searcher = Counting()
    seen = Overview(cast(Searcher, searcher), facets=())
    assert seen.look()[2] == ("gender",)
    now += 100
    seen.look()
    assert searcher.looks == 1
    searcher.seq = 2
    seen.look()
    assert searcher.looks == 2
    searcher.seq = 3
    assert seen.look()[0].seq == 3
    assert searcher.looks == 2
    now += overview.STALE_S
    seen.look()
    assert searcher.looks == 3


def test_operators_know_best() -> None:
    """What is set is not second-guessed."""
    searcher = Counting()
    assert Overview(searcher, facets=["x"]).look()[2] == ("x",)
