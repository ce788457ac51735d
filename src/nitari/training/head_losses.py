"""Losses of heads with their gradients by hand, float32, each over the unit rows ``[n, dim]`` of one batch.

Every function returns the loss and its gradient with respect to the rows as they are; ``through_unit`` then leads it
back through the scaling to unit length. Tests compare all of them with finite differences.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nitari.types import BoolArray, FloatArray

LabelArray: TypeAlias = NDArray[np.intp]

_NEVER = np.float32(-1e9)


def unit_rows(rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rows scaled to unit length, and the lengths that they had, ``[n, 1]``."""
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-12))
    return (rows / lengths).astype(np.float32), lengths


def through_unit(gradient: FloatArray, unit: FloatArray, lengths: FloatArray) -> FloatArray:
    """The gradient with respect to rows, from that with respect to the same rows scaled to unit length."""
    back: FloatArray = (gradient - (gradient * unit).sum(axis=1, keepdims=True) * unit) / lengths
    return back


def contrast(
    unit: FloatArray, alike: BoolArray, temperature: float, *, among: BoolArray | None = None
) -> tuple[float, FloatArray]:
    """Supervised contrast (Khosla et al., NeurIPS 2020, the form with the sum outside the logarithm).

    For each row, the mean over the rows that it is like of ``-log softmax`` of their cosines. Rows that are like no
    other do not count; with one that is alike each, this is instance discrimination (InfoNCE).

    Args:
        unit: float32 ``[n, dim]``.
        alike: bool ``[n, n]``, its diagonal False.
        temperature: Divides cosines.
        among: bool ``[n, n]``: which rows each is compared with at all; all others if not given.
    """
    count = len(unit)
    allowed = ~np.eye(count, dtype=bool) if among is None else among
    alike = alike & allowed
    scores = np.where(allowed, unit @ unit.T / np.float32(temperature), _NEVER)
    scores -= scores.max(axis=1, keepdims=True)
    exps = np.exp(scores) * allowed
    sums = np.maximum(exps.sum(axis=1, keepdims=True), np.float32(1e-30))
    positives = alike.sum(axis=1, keepdims=True)
    wanted = alike / np.maximum(positives, 1)
    counted = (positives > 0).astype(np.float32)
    rows = max(float(counted.sum()), 1.0)
    losses = -(wanted * (scores - np.log(sums))).sum(axis=1, keepdims=True)
    slopes = ((exps / sums - wanted) * counted / (rows * temperature)).astype(np.float32)
    return float((losses * counted).sum() / rows), (slopes + slopes.T) @ unit


def proxies(
    unit: FloatArray, centers: FloatArray, labels: LabelArray, scale: float
) -> tuple[float, FloatArray, FloatArray]:
    """Classification by the nearest learned center (normalized softmax, Zhai and Wu, BMVC 2019).

    Args:
        unit: float32 ``[n, dim]``.
        centers: float32 ``[labels, dim]``, of any length.
        labels: ``[n]``; rows below 0 have none and do not count.
        scale: Multiplies cosines.

    Returns:
        The loss, and its gradients with respect to rows and to centers.
    """
    directions, lengths = unit_rows(centers)
    known = labels >= 0
    rows = max(int(known.sum()), 1)
    scores = np.float32(scale) * (unit @ directions.T)
    scores -= scores.max(axis=1, keepdims=True)
    exps = np.exp(scores)
    shares = exps / exps.sum(axis=1, keepdims=True)
    places = np.arange(len(unit)), np.maximum(labels, 0)
    loss = -float((np.log(np.maximum(shares[places], np.float32(1e-30))) * known).sum()) / rows
    shares[places] -= 1
    slopes = (shares * known[:, None] * (scale / rows)).astype(np.float32)
    return loss, slopes @ directions, through_unit(slopes.T @ unit, directions, lengths)


def agreement(unit: FloatArray, before: FloatArray) -> tuple[float, FloatArray]:
    """How far cosines moved from what they were: the mean squared difference, over pairs of different rows.

    Relational distillation (Park et al., CVPR 2019): it holds on to what frozen features know of all else.

    Args:
        unit: float32 ``[n, dim]``.
        before: float32 ``[n, any]``, unit rows: the same examples as the frozen features see them.
    """
    moved = unit @ unit.T - before @ before.T
    np.fill_diagonal(moved, 0)
    pairs = np.float32(len(unit) ** 2)
    return float((moved**2).sum() / pairs), 4 * (moved @ unit) / pairs
