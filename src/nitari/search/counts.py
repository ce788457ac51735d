"""How many items pass a filter, and what they have: counts that stay the same until an item changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nitari.search.filters import EVERYTHING, Filter, attribute_name
from nitari.search.gallery import Holding
from nitari.search.recent import Recent
from nitari.types import BoolArray, Facet

_TOTALS = 1024
_FACETS = 256  # of up to 1,000 values each


@dataclass(frozen=True, slots=True)
class Counted:
    """What the items that pass a filter are like.

    Args:
        facets: In the order asked for.
        total: How many items pass.
        seq: The catalog change that this is up to date with.
    """

    facets: tuple[Facet, ...]
    total: int
    seq: int


class Counts:
    """Counts items, and remembers what it counted last. Safe to use from any number of threads."""

    def __init__(self) -> None:
        self._totals: Recent[int] = Recent(_TOTALS)
        self._facets: Recent[Facet] = Recent(_FACETS)

    def total(self, holding: Holding, wanted: Filter | None) -> int:
        """How many items pass ``wanted``; all of them where that is ``None``."""
        if wanted is None or wanted.node == EVERYTHING:
            return len(holding.items)
        return self._totals.get(holding.version, wanted.token, lambda: int(np.count_nonzero(_passing(holding, wanted))))

    def facets(self, holding: Holding, wanted: Filter | None, names: Sequence[str], *, limit: int) -> tuple[Facet, ...]:
        """What the items that pass ``wanted`` have in the attributes ``names``, at most ``limit`` values of each.

        A value's count says what choosing it would leave: the filter's own conditions on that attribute are set aside
        for it (``Filter.without``), and so they are for ``low`` and ``high``. An attribute that no item has is empty.

        Args:
            holding: What is counted.
            wanted: Filter.
            names: As in a filter: one leading ``@`` is taken off. Facets are named as they were asked for.
            limit: At least 1.
        """
        return tuple(self._facet(holding, wanted, name, limit) for name in names)

    def _facet(self, holding: Holding, wanted: Filter | None, asked: str, limit: int) -> Facet:
        """What one attribute is like."""
        name = attribute_name(asked)
        others = None if wanted is None else wanted.without(name)

        def count() -> Facet:
            return replace(holding.items.columns.facet(name, _passing(holding, others), limit), name=asked)

        return self._facets.get(holding.version, (None if others is None else others.token, asked, limit), count)


def _passing(holding: Holding, wanted: Filter | None) -> BoolArray:
    """The items that pass: bool ``[ordinals]``."""
    alive = holding.items.alive
    return alive if wanted is None else alive & holding.items.columns.mask(wanted)
