"""What liked and disliked items make of a question (relevance feedback)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nitari.errors import UsageError
from nitari.extract import unit
from nitari.types import FloatArray

# Measured on the Luma catalog as new items among the first ten that share the query's type, or its color, once two that
# do are liked and two that do not are disliked: .63 without, .72 with these weights (type); .37 and .47 (color).
# Anything from (.5, .5) to (1, .75) is as good within noise.
LIKED_WEIGHT = 0.75
"""How much liked items pull a question that has a photo, item or vector of its own, which weighs 1 (Rocchio's beta)."""
DISLIKED_WEIGHT = 0.5
"""How much disliked items push a question away, beside what it asks for, which weighs 1 (Rocchio's gamma): with 0,
dislikes do nothing; with 1, the large part that all vectors of a catalog share cancels out, and noise decides (two
dislikes alone then spoil the type: .57, where .25 to .5 give .76)."""


def bent(asked: FloatArray | None, liked: Sequence[FloatArray] = (), disliked: Sequence[FloatArray] = ()) -> FloatArray:
    """Query vectors, moved towards liked items and away from disliked ones.

    Rocchio's relevance feedback ("Relevance feedback in information retrieval", in Salton, The SMART Retrieval System,
    1971): each vector becomes ``unit(q + LIKED_WEIGHT * mean(liked) - DISLIKED_WEIGHT * mean(disliked))``; without an
    original question the liked items are it: ``unit(mean(liked) - DISLIKED_WEIGHT * mean(disliked))``. An item weighs
    the same however many photos it has.

    Args:
        asked: float32 ``[q, dim]``, unit rows; ``None`` where ``liked`` items are what is asked for.
        liked: For each liked item its vectors, float32 ``[n, dim]``, unit rows; at least one item without ``asked``.
        disliked: As ``liked``.

    Returns:
        float32 ``[q, dim]``, unit rows; one row where ``asked`` is ``None``.

    Raises:
        UsageError: where the terms cancel each other out.
    """
    if asked is None:
        wanted = _mean(liked)[None]
    elif liked:
        wanted = asked + LIKED_WEIGHT * _mean(liked)
    else:
        wanted = asked
    if disliked:
        wanted = wanted - DISLIKED_WEIGHT * _mean(disliked)
    if wanted is asked:
        return asked
    if not (np.linalg.norm(wanted, axis=1) > 1e-6).all():
        raise UsageError("liked and disliked items cancel each other out", remedy="name other items, or fewer")
    return unit(wanted.astype(np.float32))


def _mean(items: Sequence[FloatArray]) -> FloatArray:
    """The mean of the items' means: float32 ``[dim]``."""
    mean: FloatArray = np.mean([vectors.mean(axis=0) for vectors in items], axis=0)
    return mean
