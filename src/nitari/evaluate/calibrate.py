"""From answers that somebody judged to the probability that an item is relevant: fitted, and how far it is right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nitari.errors import DataError

SHOWN = 20
"""Hits of a query that are looked at: what a shopper sees first."""
RECOMMENDED = 0.5
"""The ``min_score`` to recommend: what is more probably relevant than not is shown."""
_BINS = 10
_STEPS = 100
_PAIRS = 100


@dataclass(frozen=True, slots=True)
class Pair:
    """A hit: how alike it is to the query, whether it is relevant, and how familiar the query is to the model, 0-1."""

    likeness: float
    is_relevant: bool
    familiarity: float = 1.0


@dataclass(frozen=True, slots=True)
class Fit:
    """What came out.

    Args:
        slope: See ``nitari.search.calibration.Calibration``.
        offset: As ``slope``.
        error: Expected calibration error: how far, on average over hits in ten bins of their scores, the share of
            relevant ones is from the mean score (Naeini et al., AAAI 2015), on halves that were not fitted to.
        pairs: Hits that were looked at.
        relevant: Share of relevant ones among them.
    """

    slope: float
    offset: float
    error: float
    pairs: int
    relevant: float


def fit_calibration(pairs: Iterable[Pair], *, unfamiliar: float = 0.0) -> Fit:
    """Fit ``sigmoid(slope * likeness + offset - lack)`` to pairs, by maximum likelihood with Platt's smoothed targets.

    The pairs should come in the order of queries: the error is measured on every other tenth of them, with a fit of
    the rest, so that hits of one query are on one side.

    Args:
        pairs: Hits.
        unfamiliar: What queries lack that are not familiar at all (``Calibration.unfamiliar``); others by their part.

    Raises:
        DataError: too few pairs, all relevant or none, or likeness that says nothing about relevance.
    """
    listed = list(pairs)
    x = np.asarray([pair.likeness for pair in listed], np.float64)
    y = np.asarray([pair.is_relevant for pair in listed], np.bool_)
    lack = unfamiliar * (1 - np.asarray([pair.familiarity for pair in listed], np.float64))
    right = int(np.count_nonzero(y))
    if x.size < _PAIRS or not 0 < right < x.size:
        raise DataError(
            f"{x.size} hits, {right} of them relevant, teach no calibration; expected {_PAIRS}, and both kinds",
            remedy="take a larger catalog, or one whose items have a group or a category",
            code="calibration",
        )
    slope, offset = _fitted(x, y, lack)
    if slope <= 0:
        raise DataError(
            "items that are more alike are not more often relevant here, so no calibration can be fitted",
            remedy="check the judgments, or the groups and categories of the items",
            code="calibration",
        )
    held = np.arange(x.size) * _BINS // x.size % 2 == 0
    errors = []
    for fitted, asked in ((~held, held), (held, ~held)):
        if 0 < np.count_nonzero(y[fitted]) < np.count_nonzero(fitted):
            found = _fitted(x[fitted], y[fitted], lack[fitted])
            errors.append(calibration_error(_told(found[0] * x[asked] + found[1] - lack[asked]), y[asked]))
    return Fit(slope, offset, float(np.mean(errors)) if errors else float("nan"), x.size, right / x.size)


def calibration_error(scores: NDArray[np.float64], relevant: NDArray[np.bool_]) -> float:
    """The expected calibration error of scores (0-1) in ten bins of equal width: 0 is right, 1 all wrong."""
    bins = np.minimum((scores * _BINS).astype(np.int64), _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    gaps = np.bincount(bins, scores - relevant, minlength=_BINS)
    return float(np.abs(gaps).sum() / max(1, counts.sum()))


def _fitted(x: NDArray[np.float64], y: NDArray[np.bool_], lack: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and offset by damped Newton steps (Lin, Lin and Weng, "A note on Platt's probabilistic outputs", 2007)."""
    right = int(np.count_nonzero(y))
    targets = np.where(y, (right + 1) / (right + 2), 1 / (x.size - right + 2))
    center = float(x.mean())
    design = np.stack([x - center, np.ones_like(x)], axis=1)
    weights = np.array([0.0, np.log((right + 1) / (x.size - right + 1))])
    loss = _loss(design @ weights - lack, targets)
    for _ in range(_STEPS):
        told = _told(design @ weights - lack)
        gradient = design.T @ (told - targets)
        curvature = (design * (told * (1 - told))[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        share = 1.0
        while (
            share > 1e-10
            and _loss(design @ (weights - share * step) - lack, targets) > loss - 1e-4 * share * gradient @ step
        ):
            share /= 2
        weights = weights - share * step
        now = _loss(design @ weights - lack, targets)
        if loss - now < 1e-10 * x.size:
            break
        loss = now
    return float(weights[0]), float(weights[1] - weights[0] * center)


def _loss(logits: NDArray[np.float64], targets: NDArray[np.float64]) -> float:
    """The negative log likelihood."""
    return float((np.logaddexp(0.0, logits) - targets * logits).sum())


def _told(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities."""
    told: NDArray[np.float64] = np.exp(-np.logaddexp(0.0, -logits))
    return told
