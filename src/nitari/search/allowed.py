"""A filter as an index sees it: which keys a query may return."""

from __future__ import annotations

from dataclasses import dataclass

from nitari.search.filters import Filter
from nitari.search.items import ItemTable
from nitari.types import BoolArray, KeyArray


@dataclass(frozen=True, slots=True, eq=False)
class AllowedKeys:
    """The keys of the items that pass a filter (``nitari.index.base.Allowed``)."""

    items: ItemTable
    wanted: Filter
    token: str

    def mask(self, keys: KeyArray) -> BoolArray:
        """For each of ``keys``, whether its item passes; keys that stand for nothing do not."""
        passing = self.items.columns.mask(self.wanted)
        views = self.items.views(keys)
        known = views >= 0
        known[known] = passing[self.items.ordinals(views[known])]
        return known
