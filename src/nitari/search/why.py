"""Why a hit is a hit: what each kind of block, its category and its other photos add to its score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nitari.errors import NotFoundError
from nitari.search.calibration import Calibration, scored
from nitari.search.emphasis import Weighed, contributions
from nitari.search.gallery import Holding
from nitari.search.ranking import Ranked
from nitari.types import Block, Why

UNKNOWN = "vector"
"""What a contribution is called where it is not known what the parts of a vector speak of."""


def reasons(
    holding: Holding,
    found: Ranked,
    page: slice,
    asking: Weighed,
    blocks: Sequence[Block],
    calibration: Calibration | None,
) -> list[Why | None]:
    """For each place of ``page``, why it is there; ``None`` where the vectors are not at hand (an index being filled).

    The contributions sum up to the likeness of the view that is shown and the query's vector nearest to it; what
    category and second pass add is told in scores, so that the three together explain the number that is shown.

    Args:
        holding: What was searched.
        found: The ranked items.
        page: Which of them.
        asking: What the index was asked for.
        blocks: What the vectors' parts speak of; ``()`` where that is not known.
        calibration: Of the scores.
    """
    views = found.views[page]
    if not views.size:
        return []
    try:
        vectors = holding.index.vectors(holding.items.keys_at(views))
    except NotFoundError:
        return [None] * views.size
    likeness = vectors @ asking.vectors.T
    if asking.scales is not None:
        likeness = likeness * asking.scales
    nearest = likeness.argmax(axis=1)
    shown, seen, first = (scored(1.0 - d[page], calibration) for d in (found.distances, found.seen, found.found))
    told: list[Why | None] = []
    for place, (row, vector) in enumerate(zip(nearest.tolist(), vectors, strict=True)):
        asked = asking.vectors[row] if asking.scales is None else asking.vectors[row] * asking.scales[row]
        parts = contributions(asked, vector, blocks) if blocks else {UNKNOWN: float(np.dot(asked, vector))}
        told.append(
            Why(
                similarity=sum(parts.values()),
                contributions=parts,
                category=float(shown[place] - seen[place]),
                rerank=float(seen[place] - first[place]),
            )
        )
    return told
