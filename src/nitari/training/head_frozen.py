"""What is not trained: a projection of the frozen features that keeps what heads forget, and the gate before it.

Heads that learn a feed give up what tells other things apart. So a vector also holds the frozen features, in fewer
numbers, and queries that show something else than the feed go by these (``nitari.embeddings.gate``). The projection's
first directions are those that the feed's photos lie in, by which the gate knows them; the others are those that the
network's own classifier tells its classes apart by, as nothing else is known of photos that are not in the feed. (The
feed's own further components keep less of them: ``docs/accuracy.md``.)
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nitari.embeddings.head import Head
from nitari.models.gate_spec import GateSpec
from nitari.types import FloatArray

INSIDE = 64
"""Directions that the feed's photos lie in. From 64 to 128 they tell photos of anything else apart equally well."""
EXPECTED = 0.98
"""The share of held-out photos of the feed that are to be more familiar than not."""
SLOPE = 60.0
"""Measured: .04 in the share, from .80 to .84, are the difference between photos of the feed and of anything else."""
UNFAMILIAR_COLOR = 0.2
"""How much color counts beside the frozen features where nothing is familiar."""


def frozen_head(features: FloatArray, directions: FloatArray | None, dim: int) -> Head:
    """The projection: orthonormal, the first ``INSIDE`` numbers inside what the features span.

    Args:
        features: float32 ``[n, width]``, unit rows: the feed's, as production averages them.
        directions: float32 ``[width, m]``: what the network's classifier tells apart, each as long as it counts;
            ``None`` where that is not known, for further directions of the features.
        dim: How many numbers; at most ``width``.
    """
    spanned = features.astype(np.float64)
    covariance = spanned.T @ spanned / len(spanned)
    width = len(covariance)
    inside = _first(covariance, inside_of(dim))
    outside = np.eye(width) - inside @ inside.T
    if directions is not None:
        far = directions.astype(np.float64)
        covariance = far @ far.T
    rest = _first(outside @ covariance @ outside, dim - inside.shape[1])
    matrix = np.concatenate((inside, rest), axis=1).astype(np.float32)
    return Head(matrix, np.zeros(dim, dtype=np.float32))


def inside_of(dim: int) -> int:
    """How many of a projection's numbers are inside what the feed's photos span."""
    return min(INSIDE, dim - 1)


def narrowed(head: Head, features: FloatArray, dim: int) -> Head:
    """The same head in fewer numbers: the principal components of what it gives for these features.

    Args:
        head: As it was trained.
        features: float32 ``[n, width]``, unit rows.
        dim: As it is, where it is not wider.
    """
    if head.dim <= dim:
        return head
    given = head(features).astype(np.float64)
    turned = _first(given.T @ given, dim)
    return Head((head.matrix @ turned).astype(np.float32), (head.bias @ turned).astype(np.float32))


def inside_share(head: Head, views: FloatArray) -> FloatArray:
    """How much of each photo lies in the first directions, as the gate sees it: float32 ``[n]``.

    Args:
        head: From ``frozen_head``.
        views: float32 ``[views, n, width]``, unit rows: what is averaged.
    """
    given = np.stack([head(rows) for rows in views]).sum(axis=0)
    whole = np.square(given, dtype=np.float64).sum(axis=1)
    inside = np.square(given[:, : inside_of(head.dim)], dtype=np.float64).sum(axis=1)
    share: FloatArray = (inside / np.maximum(whole, 1e-12)).astype(np.float32)
    return share


def gate_for(held_out: FloatArray, dim: int, weights: Mapping[str, float]) -> GateSpec:
    """The gate that knows most photos of the feed.

    Args:
        held_out: ``inside_share`` of photos by a head that was made without them.
        dim: How many numbers that head gives.
        weights: Of the card's parts by name, in order, ``frozen`` among them.
    """
    unfamiliar = {"frozen": 1.0, "color": UNFAMILIAR_COLOR}
    middle = float(np.quantile(held_out, 1 - EXPECTED))
    return GateSpec(
        part=list(weights).index("frozen"),
        directions=inside_of(dim),
        middle=round(min(max(middle, 0.01), 0.99), 4),
        slope=SLOPE,
        # The frozen features know the wearer, and find other worn photos where they have a say (docs/accuracy.md).
        familiar=tuple(0.0 if part == "frozen" else weight for part, weight in weights.items()),
        unfamiliar=tuple(unfamiliar.get(part, 0.0) for part in weights),
    )


def _first(covariance: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """The first eigenvectors, ``[width, count]``, each with its largest number above 0."""
    vectors = np.linalg.eigh(covariance)[1][:, ::-1][:, :count]
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])]
    signed: NDArray[np.float64] = vectors * np.sign(largest)
    return signed
