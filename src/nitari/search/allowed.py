"""A filter as an index sees it: which keys a query may return."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nitari.index.base import PlaceArray
from nitari.search.filters import Filter
from nitari.search.items import ItemTable
from nitari.types import BoolArray, KeyArray

# How many more rows may pass by the counts of values than living ones do by all that is asked.
_DEAD_OR_OTHER = 2


@dataclass(frozen=True, slots=True, eq=False)
class AllowedKeys:
    """The keys of the items that pass a filter (``nitari.index.base.Allowed``), as long as the table does not change.

    Places are ordinals, and good until the table is compacted.
    """

    items: ItemTable
    wanted: Filter

    @property
    def token(self) -> str:
        """The filter, and the table that it is asked about; the same whatever happens to items."""
        return f"{self.wanted.token}@{self.items.source}"

    @property
    def version(self) -> int:
        """The table's version."""
        return self.items.version

    @property
    def layout(self) -> int:
        """The table's layout."""
        return self.items.layout

    def mask(self, keys: KeyArray) -> BoolArray:
        """For each of ``keys``, whether its item passes; keys that stand for nothing do not."""
        passing, places = self.passing(), self.places(keys)
        if not passing.size:
            return np.zeros(places.size, np.bool_)
        allowed = passing[places]  # -1 reads the last item's answer
        allowed &= places >= 0
        return allowed

    def places(self, keys: KeyArray) -> PlaceArray:
        """The ordinal of the item of each of ``keys``, -1 where a key stands for nothing: int32 ``[n]``."""
        views = self.items.views(keys)
        known = views >= 0
        places = np.full(keys.size, -1, np.int32)
        places[known] = self.items.ordinals(views[known])
        return places

    def passing(self) -> BoolArray:
        """For each ordinal, whether its item passes, or did as long as it lived: bool ``[ordinals]``."""
        return self.items.columns.mask(self.wanted)

    def few(self, limit: int) -> PlaceArray | None:
        """The ordinals of the items that pass, ascending, where these are found without a look at every item."""
        items = self.items
        if items.columns.estimate(self.wanted) > _DEAD_OR_OTHER * limit:
            return None
        passing = items.columns.matching(self.wanted)
        ordinals: PlaceArray = passing[items.alive[passing]]
        return None if ordinals.size > limit else ordinals

    def changed(self, since: int) -> KeyArray | None:
        """The keys of the items that changed since the version ``since``; ``None`` where that was too long ago."""
        return self.items.changed(since)
