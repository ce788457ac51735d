"""What a collection has, to be asked about: its attributes, and those that suit as filters of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from time import monotonic
from weakref import ref

from nitari.search.columns import AttributeSummary
from nitari.search.searcher import Searcher, SearcherStats

STALE_S = 5.0
"""A summary looks at every value, so it is made this often at most, however quickly the catalog changes."""
MAX_CHOSEN = 8
_FEWEST, _MOST = 2, 60
_SHARE = 0.3
_PRICE = "price"
# What shoppers narrow by, most telling first; names as feeds have them.
_TELLING = (
    "gender",
    "category",
    "product_type",
    "google_product_category",
    "color",
    "size",
    "brand",
    _PRICE,
    "material",
    "pattern",
    "age_group",
)
# Each item's own, however few values a small catalog has.
_NEVER = frozenset({"link", "mobile_link", "canonical_link", "description", "gtin", "mpn", "sku", "price_currency"})


def choose_facets(attributes: Mapping[str, AttributeSummary], items: int) -> tuple[str, ...]:
    """The attributes that suit as filters, most telling first.

    Those of few values that a good share of the items has; of numbers only the price, as a range. Two attributes with
    one beginning and the same counts are one thing told twice (``color``, ``color_family``); both stay, as names alone
    do not prove it.

    Args:
        attributes: All there are, by name.
        items: How many items there are.
    """
    chosen = [name for name, summary in attributes.items() if _suits(name, summary, items)]
    order = {name: place for place, name in enumerate(_TELLING)}
    chosen.sort(
        key=lambda name: (order.get(name, len(order)), -attributes[name].items, attributes[name].distinct, name)
    )
    return tuple(chosen[:MAX_CHOSEN])


def _suits(name: str, summary: AttributeSummary, items: int) -> bool:
    if name in _NEVER or summary.items < _SHARE * items or summary.distinct < _FEWEST:
        return False
    if name == _PRICE:
        return "number" in summary.kinds
    return summary.distinct <= _MOST and "number" not in summary.kinds


class Overview:
    """Summaries of a searcher's collection, made when they are asked for and remembered for a while.

    Safe to use from any number of threads.

    Args:
        searcher: Whose.
        facets: The attributes that the operator wants as filters; empty to choose.
    """

    def __init__(self, searcher: Searcher, *, facets: Sequence[str]) -> None:
        self._searcher = ref(searcher)  # overviews are kept by searcher, for as long as there is one
        self._facets = tuple(facets)
        self._lock = Lock()
        self._stats: SearcherStats | None = None
        self._attributes: Mapping[str, AttributeSummary] = {}
        self._at = 0.0

    def look(self) -> tuple[SearcherStats, Mapping[str, AttributeSummary], tuple[str, ...]]:
        """Counts as they are, attributes as they were at most ``STALE_S`` ago, and what to filter by."""
        searcher = self._searcher()
        assert searcher is not None, "whoever asks holds it"  # noqa: S101 - for mypy: a weak reference
        with self._lock:  # so that however many ask at once, one of them looks
            stats = searcher.stats()
            changed = self._stats is None or self._stats.seq != stats.seq
            if changed and (self._stats is None or monotonic() - self._at >= STALE_S):
                self._attributes = searcher.known_attributes()
                self._stats, self._at = stats, monotonic()
            attributes = self._attributes
        return stats, attributes, self._facets or choose_facets(attributes, stats.items)
