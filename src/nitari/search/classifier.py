"""What kind of product a vector shows: a classifier that a gallery teaches by itself, from what its items say they are.

Linear discriminant analysis (Fisher, "The use of multiple measurements in taxonomic problems", 1936) with a shrunken
covariance (Friedman, "Regularized discriminant analysis", JASA 1989): as quick to fit and to ask as the mean vectors of
categories, which it compares by what varies within a category, and far better (docs/accuracy.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nitari.types import FloatArray

Probabilities: TypeAlias = NDArray[np.float64]
CodeArray: TypeAlias = NDArray[np.int64]

SHRINKAGE = 0.2
"""How far the covariance is drawn towards a ball. Anything from .2 to .6 is as good within noise."""
FOLDS = 4
# Fewer examples than these teach nothing that would hold for the next one.
_IN_CATEGORY = 5
_IN_ALL = 50
_MOST_CATEGORIES = 1024
# The loss on examples held out must be this share of what the categories' frequencies alone lose, or less.
_WORTH = 0.85
# The logarithm of the probability of a category that has no examples.
_NEVER = -1e4
_TEMPERATURES = np.geomspace(0.002, 4.0, 48)


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """What a classifier was made from.

    Args:
        factor: On the logits.
        center: float32 ``[dim]``: what vectors are taken from.
        counts: int64 ``[categories]``: examples.
        means: float32 ``[categories, dim]``, from the center.
        precision: float32 ``[dim, dim]``: the inverse of the shrunk covariance.
    """

    factor: float
    center: FloatArray
    counts: CodeArray
    means: FloatArray
    precision: FloatArray

    def discriminants(self) -> tuple[FloatArray, FloatArray]:
        """Weights float32 ``[dim, categories]`` and biases float32 ``[categories]``."""
        return self._finished(self.counts, self.means, self.precision @ self.means.T)

    def without(self, vectors: FloatArray, codes: CodeArray) -> tuple[FloatArray, FloatArray]:
        """The discriminants without these examples: the covariance's inverse is corrected, not computed again.

        Taking ``m`` examples out of a category's ``n`` takes their outer products about its mean out of its scatter,
        and ``m**2 / (n - m)`` times that of their own mean; the inverse follows by Woodbury's formula.
        """
        counts, means, parts = self.counts.copy(), self.means.copy(), []
        for code in np.unique(codes).tolist():
            apart = vectors[codes == code] - self.center - self.means[code]
            left = int(counts[code]) - len(apart)
            parts.append(apart)
            if left > 0:
                shift = apart.sum(axis=0) / np.float32(left)
                parts.append(np.sqrt(np.float32(left)) * shift[None])
                means[code] -= shift
            counts[code] = max(0, left)
        taken = np.concatenate(parts).T.astype(np.float32)
        share = np.float32((1 - SHRINKAGE) / max(1, int(self.counts.sum())))
        spread = self.precision @ taken
        inner = np.eye(taken.shape[1], dtype=np.float32) / share - taken.T @ spread
        weights = self.precision @ means.T
        weights += spread @ np.linalg.solve(inner, taken.T @ weights)
        # The covariance is of fewer examples now.
        return self._finished(counts, means, weights * np.float32(counts.sum() / max(1, int(self.counts.sum()))))

    def _finished(self, counts: CodeArray, means: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Weights and biases for vectors that are not taken from the center, times the factor."""
        with np.errstate(divide="ignore"):
            priors = np.maximum(np.log(counts / max(1, int(counts.sum()))), _NEVER)
        bias = priors - 0.5 * (means.T * weights).sum(axis=0) - self.center @ weights
        return (self.factor * weights).astype(np.float32), (self.factor * bias).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """Vectors to probabilities of categories.

    Args:
        values: The categories, at least two.
        weights: float32 ``[dim, categories]``.
        bias: float32 ``[categories]``.
        accuracy: Share of examples held out that it told right, 0-1.
        of_value: Where each category stands in ``values``.
        taught: What it was made from, as far as ``without`` needs it.
    """

    values: tuple[str, ...]
    weights: FloatArray
    bias: FloatArray
    accuracy: float
    of_value: Mapping[str, int]
    taught: Taught | None = None

    def without(self, vectors: FloatArray, codes: CodeArray) -> Classifier:
        """What would have been learned without some of the examples, at the cost of ``n * dim**2`` multiplications.

        Args:
            vectors: float32 ``[n, dim]``: examples that it was fitted to.
            codes: int64 ``[n]``: the category of each.
        """
        if self.taught is None or not len(vectors):
            return self
        weights, bias = self.taught.without(vectors, codes)
        return replace(self, weights=weights, bias=bias, taught=None)

    def probabilities(self, vectors: FloatArray) -> Probabilities:
        """How probable each category is: float64 ``[categories]``, sums to 1.

        Args:
            vectors: float32 ``[q, dim]``, unit rows: several vectors of one photo or item, which count alike.
        """
        told: Probabilities = softmax((vectors @ self.weights + self.bias).astype(np.float64)).mean(axis=0)
        return told


def softmax(logits: Probabilities) -> Probabilities:
    """Rows ``[..., n]`` as probabilities."""
    raised: Probabilities = np.exp(logits - logits.max(axis=-1, keepdims=True))
    raised /= raised.sum(axis=-1, keepdims=True)
    return raised


def fit_classifier(vectors: FloatArray, labels: Sequence[str], groups: NDArray[Any]) -> Classifier | None:
    """Learn from examples; ``None`` where they teach nothing, being too few, or of labels that vectors do not show.

    How far to trust it (one factor on the logits, Guo et al., "On calibration of modern neural networks", ICML 2017) is
    what fits examples held out best. Those of one group are held out together, as its colors and sizes resemble each
    other more than the next query will resemble any. Costs about ``n * dim**2`` multiplications, and ``dim**3`` of them
    some times over.

    Args:
        vectors: float32 ``[n, dim]``, unit rows.
        labels: The category of each, ``n`` of them.
        groups: int ``[n]``: equal for examples of one group.
    """
    names, codes = _learnable(labels)
    used = codes >= 0
    if len(names) < 2 or np.count_nonzero(used) < _IN_ALL:
        return None
    kept, codes = vectors[used], codes[used]
    center = kept.mean(axis=0)
    # Sums of products lose less to rounding where they are taken from the middle.
    sums = _Sums.of(kept - center, codes, np.unique(groups[used], return_inverse=True)[1] % FOLDS, len(names))
    judged = sums.judged(kept - center, codes)
    if judged is None:
        return None
    factor, accuracy = judged
    moments = sums.without(None)
    means, within = _means_and_within(moments)
    taught = Taught(factor, center, moments.counts, means, np.linalg.inv(within).astype(np.float32))
    of_value = {name: at for at, name in enumerate(names)}
    return Classifier(tuple(names), *taught.discriminants(), accuracy, of_value, taught)


def _learnable(labels: Sequence[str]) -> tuple[list[str], CodeArray]:
    """The labels that are frequent enough, and the number of each example's label among them, -1 for others."""
    names, codes, counts = np.unique(np.asarray(labels, np.str_), return_inverse=True, return_counts=True)
    top = np.argsort(-counts, kind="stable")[:_MOST_CATEGORIES]
    chosen = np.sort(top[counts[top] >= _IN_CATEGORY])
    renumbered = np.full(names.size, -1, np.int64)
    renumbered[chosen] = np.arange(chosen.size)
    return [str(name) for name in names[chosen]], renumbered[codes]


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """What the discriminants are solved from.

    Args:
        counts: int64 ``[categories]``.
        totals: float32 ``[categories, dim]``: the sum of each category's vectors.
        products: float32 ``[dim, dim]``: the sum of all vectors' outer products.
    """

    counts: CodeArray
    totals: FloatArray
    products: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Moments by fold, so that all but one are known without another pass."""

    folds: CodeArray
    parts: tuple[_Moments, ...]

    @classmethod
    def of(cls, vectors: FloatArray, codes: CodeArray, folds: CodeArray, categories: int) -> _Sums:
        parts = []
        for fold in range(FOLDS):
            own, own_codes = vectors[folds == fold], codes[folds == fold]
            member = np.zeros((categories, len(own)), np.float32)
            member[own_codes, np.arange(len(own))] = 1
            counts = np.bincount(own_codes, minlength=categories).astype(np.int64)
            parts.append(_Moments(counts, member @ own, own.T @ own))
        return cls(folds, tuple(parts))

    def without(self, fold: int | None) -> _Moments:
        """The moments of all examples but those of a fold."""
        kept = [part for at, part in enumerate(self.parts) if at != fold]
        return _Moments(
            np.sum([part.counts for part in kept], axis=0),
            np.sum([part.totals for part in kept], axis=0),
            np.sum([part.products for part in kept], axis=0),
        )

    def judged(self, vectors: FloatArray, codes: CodeArray) -> tuple[float, float] | None:
        """The factor on the logits that fits best, and the accuracy, on examples held out; ``None`` for no use."""
        logits, right, priors = [], [], []
        for fold in range(FOLDS):
            rest = self.without(fold)
            asked = (self.folds == fold) & (rest.counts[codes] > 0)
            if not asked.any() or np.count_nonzero(rest.counts) < 2:
                continue
            weights, bias = _solved(rest)
            logits.append((vectors[asked] @ weights + bias).astype(np.float64))
            right.append(codes[asked])
            priors.append(rest.counts[codes[asked]] / rest.counts.sum())
        if not right or sum(map(len, right)) < _IN_ALL // 2:
            return None
        scored, told = np.concatenate(logits), np.concatenate(right)
        at = np.arange(told.size)
        losses = [-np.log(softmax(factor * scored)[at, told] + 1e-12).mean() for factor in _TEMPERATURES]
        best = int(np.argmin(losses))
        if losses[best] > _WORTH * -np.log(np.concatenate(priors)).mean():
            return None
        return float(_TEMPERATURES[best]), float((scored.argmax(axis=1) == told).mean())


def _solved(moments: _Moments) -> tuple[FloatArray, FloatArray]:
    """The discriminants: weights float32 ``[dim, categories]`` and biases float32 ``[categories]``."""
    means, within = _means_and_within(moments)
    weights = np.linalg.solve(within, means.T)
    with np.errstate(divide="ignore"):
        priors = np.maximum(np.log(moments.counts / max(1, int(moments.counts.sum()))), _NEVER)
    bias = priors - 0.5 * (means.T * weights).sum(axis=0)
    return weights.astype(np.float32), bias.astype(np.float32)


def _means_and_within(moments: _Moments) -> tuple[FloatArray, FloatArray]:
    """The mean of each category, float32 ``[categories, dim]``, and the shrunk covariance, float32 ``[dim, dim]``."""
    counts = np.maximum(moments.counts, 1)[:, None].astype(np.float32)
    means = moments.totals / counts
    size = max(1, int(moments.counts.sum()))
    within = (moments.products - (means * moments.counts[:, None]).T @ means) / size
    dim = len(within)
    ball = float(np.trace(within)) / dim
    within *= 1 - SHRINKAGE
    within[np.diag_indices(dim)] += SHRINKAGE * ball + 1e-9
    return means.astype(np.float32), within.astype(np.float32)
