"""A few items that show what there is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nitari.search.items import ItemTable

# Items looked at for each one that a sample wants.
_LOOKED_AT = 16


def sample(items: ItemTable, count: int) -> tuple[str, ...]:
    """Ids of a few items: spread evenly over the catalog, each of another group.

    Args:
        items: Of these.
        count: How many at most.
    """
    alive = np.flatnonzero(items.alive)
    # More than are wanted are looked at, as a style's colors and sizes often stand side by side in a feed.
    looked_at = alive[_evenly(alive.size, _LOOKED_AT * count)].astype(np.int32)
    _, firsts = np.unique(items.columns.groups(looked_at), return_index=True)
    others = looked_at[np.sort(firsts)]
    return tuple(items.item_id(int(ordinal)) for ordinal in others[_evenly(others.size, count)])


def _evenly(size: int, count: int) -> NDArray[np.int64]:
    """Up to ``count`` places among ``size``, at even distances: int64, ascending."""
    return np.arange(min(size, count), dtype=np.int64) * size // max(1, min(size, count))
