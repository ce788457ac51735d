"""How many of a gallery's photos show no wearer: what taking the wearer out of a query can gain."""

from __future__ import annotations

from threading import Lock

import numpy as np

from nitari.embeddings.base import QueryTransform
from nitari.errors import NotFoundError
from nitari.search.gallery import Holding

SAMPLE = 256
LITTLE, ENOUGH = 0.15, 0.5
"""Up to the first share of photos without a wearer nothing is taken out of a query (bags and watches are on photos of
their own in every shop), from the second on as much as its photo asks for."""
# After changes to more than this share of its items a gallery is looked at again.
_CHANGED = 0.1


class FlatShare:
    """Looks at a sample of a gallery now and then, and says how far wearers are to be taken out of queries.

    Photos of one shop may all be worn. To go away from worn photos there only disturbs: of Luma's own back views it
    cost 1.4 points (``docs/how-to/worn-photos.md``). Safe to use from any number of threads.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._seq = -1
        self._ease = 1.0

    def ease(self, holding: Holding, transform: QueryTransform) -> float:
        """By what the strength of the transform is multiplied, 0-1: see ``LITTLE``.

        Args:
            holding: The gallery at rest.
            transform: Tells worn photos by their vectors.
        """
        with self._lock:
            if self._seq < 0 or holding.seq - self._seq > _CHANGED * len(holding.items):
                share = _share(holding, transform)
                if share is None:
                    return 1.0
                self._ease = min(1.0, max(0.0, share - LITTLE) / (ENOUGH - LITTLE))
                self._seq = holding.seq
            return self._ease


def _share(holding: Holding, transform: QueryTransform) -> float | None:
    """The share of items whose main photo shows no wearer, by a sample that lies evenly.

    ``None`` where there is no photo, or where the index is being filled and does not have them all yet.
    """
    alive = np.flatnonzero(holding.items.alive).astype(np.int32)
    shown = alive[holding.items.view_counts(alive) > 0]
    if not shown.size:
        return None
    chosen = shown[np.unique(np.linspace(0, shown.size - 1, SAMPLE).astype(np.intp))]
    try:
        rows = holding.index.vectors(holding.items.main_keys(chosen))
    except NotFoundError:
        return None
    return float(np.mean([transform.cue(row[np.newaxis]) < 0.5 for row in rows]))
