"""How good heads are on photos that they were not trained on, and which weights the parts of the composite should have.

The measures are those of ``nitari eval``, over the photos that were trained on, dealt to folds, by exact search in
memory: a quick answer within the training command. ``nitari eval --folds`` gives the real one, through
the whole product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nitari.folds import fold_of
from nitari.training.head_examples import Example
from nitari.training.head_features import PLAIN, Sights
from nitari.training.head_fit import Heads
from nitari.training.head_losses import unit_rows
from nitari.types import BoolArray, FloatArray

_SHARED_K, _FEW_K = 10, 5
_COLORS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_SMALL = (0.0, 0.1, 0.2, 0.3)
# Below this, what a further part adds cannot be told from noise, and it costs time and width.
_WORTH = 0.002

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each part counts in the composite; a part of weight 0 is left out of it."""

    shape: float = 1.0
    frozen: float = 0.3
    color: float = 0.8
    texture: float = 0.0
    aspect: float = 0.0


@dataclass(frozen=True, slots=True)
class Scores:
    """What was measured, each a mean over queries, ``None`` where the feeds have no such queries.

    Args:
        style_1: Further photos whose style's main photo is first among all main photos of the feed (Success@1).
        style_5: The same among the first five.
        category_1: Main photos whose first hit of another seller or style, in their feed, has their category (P@1).
        category_10: The share of the first ten.
        across_5: The share of the first five in ANOTHER feed that has the category at all.
    """

    style_1: float | None
    style_5: float | None
    category_1: float | None
    category_10: float | None
    across_5: float | None

    @property
    def overall(self) -> float:
        """The mean of what there is: what weights and heads are chosen by."""
        return float(np.mean([value for value in asdict(self).values() if value is not None] or [0.0]))


class Judge:
    """Measures heads on folds.

    Args:
        examples: All photos.
        sights: What was seen of them; where each fold has a network of its own, by each.
        folds: How many folds there are.
    """

    def __init__(self, examples: Sequence[Example], sights: Sights | Sequence[Sights], folds: int) -> None:
        self._sights = [sights] * folds if isinstance(sights, Sights) else list(sights)
        self.fold = np.array([fold_of(example.key, folds) for example in examples])
        self._feed = np.array([example.feed for example in examples])
        self._main = np.array([example.main for example in examples])
        self._group = _codes([example.group for example in examples])
        self._key = _codes([f"{example.feed}:{example.key}" for example in examples])
        names = sorted({example.category for example in examples} - {""})
        code = {name: number for number, name in enumerate(names)}
        self._category = np.array([code.get(example.category, -1) for example in examples])

    def measure(self, heads: Sequence[Heads | None], weights: Weights) -> Scores:
        """Each fold's photos asked with that fold's heads; ``None`` stands for no head, the frozen features."""
        return self._measure(self._all_parts(heads), weights)

    def weigh(self, heads: Sequence[Heads | None]) -> tuple[Weights, Scores]:
        """The weights that measure best, one part after the other: color, then what texture and aspect add to it."""
        parts = self._all_parts(heads)
        best, scores = Weights(), self._measure(parts, Weights())
        for name, values in (("color", _COLORS), ("texture", _SMALL), ("aspect", _SMALL)):
            for value in values:
                tried = replace(best, **{name: value})
                measured = self._measure(parts, tried)
                if measured.overall > scores.overall + (_WORTH if name != "color" else 0.0):
                    best, scores = tried, measured
        return best, scores

    def _measure(self, parts: Sequence[Mapping[str, FloatArray]], weights: Weights) -> Scores:
        found: dict[str, list[FloatArray]] = {name: [] for name in Scores.__dataclass_fields__}
        for fold, own in enumerate(parts):
            vectors = _joined(own, weights)
            for feed in np.unique(self._feed):
                self._styles(vectors, fold, feed, found)
                self._categories(vectors, fold, feed, found)
        return Scores(**{name: float(np.concatenate(rows).mean()) if rows else None for name, rows in found.items()})

    def _all_parts(self, heads: Sequence[Heads | None]) -> list[Mapping[str, FloatArray]]:
        """Each fold's vectors, as its network and its heads make them."""
        return [self._parts(seen, own) for seen, own in zip(self._sights, heads, strict=True)]

    def _parts(self, seen: Sights, heads: Heads | None) -> Mapping[str, FloatArray]:
        """The parts of all photos' vectors by name, float32 ``[n, any]``: what production has as means of views."""
        plain, color = seen.shape[:PLAIN], seen.color
        parts = {"shape": plain, "color": color, "texture": seen.texture, "aspect": seen.aspect}
        if heads is not None:
            parts["shape"] = np.stack([heads.shape(rows) for rows in plain])
            parts["color"] = np.stack([heads.color(rows) for rows in color])
        means = {name: views.sum(axis=0) for name, views in parts.items()}
        if heads is None or heads.frozen is None:
            return means
        # With a gate before it, each part keeps its share; the frozen one has no say in what the feed shows.
        return {name: unit_rows(mean)[0] for name, mean in means.items()}

    def _styles(self, vectors: FloatArray, fold: int, feed: int, found: Mapping[str, list[FloatArray]]) -> None:
        here = self._feed == feed
        gallery = np.flatnonzero(here & self._main)
        asking = np.flatnonzero(here & ~self._main & (self.fold == fold))
        asking = asking[np.isin(self._group[asking], self._group[gallery])]
        if asking.size and gallery.size > _FEW_K:
            first = gallery[_best(vectors[asking] @ vectors[gallery].T, _FEW_K)]
            right = self._group[first] == self._group[asking][:, None]
            found["style_1"].append(right[:, 0].astype(np.float32))
            found["style_5"].append(right.any(axis=1).astype(np.float32))

    def _categories(self, vectors: FloatArray, fold: int, feed: int, found: Mapping[str, list[FloatArray]]) -> None:
        known = self._main & (self._category >= 0)
        asking = np.flatnonzero(known & (self._feed == feed) & (self.fold == fold))
        if not asking.size:
            return
        own = np.flatnonzero(known & (self._feed == feed))
        strangers = self._key[asking][:, None] != self._key[own]
        if own.size > _SHARED_K:
            right = self._hits(vectors, asking, own, strangers, _SHARED_K)
            found["category_1"].append(right[:, 0])
            found["category_10"].append(right.mean(axis=1))
        other = np.flatnonzero(known & (self._feed != feed))
        asking = asking[np.isin(self._category[asking], self._category[other])]
        if asking.size and other.size > _FEW_K:
            right = self._hits(vectors, asking, other, np.ones((asking.size, other.size), dtype=bool), _FEW_K)
            found["across_5"].append(right.mean(axis=1))

    def _hits(self, vectors: FloatArray, asking: Rows, gallery: Rows, may: BoolArray, k: int) -> FloatArray:
        """Whether each of the first ``k`` hits has the query's category: float32 ``[queries, k]``."""
        cosines = np.where(may, vectors[asking] @ vectors[gallery].T, np.float32(-2))
        first = gallery[_best(cosines, k)]
        right: FloatArray = (self._category[first] == self._category[asking][:, None]).astype(np.float32)
        return right


def _joined(parts: Mapping[str, FloatArray], weights: Weights) -> FloatArray:
    """What production would store of every photo, the mean of its views: float32 ``[n, dim]``, unit rows."""
    counted = {name: weight for name, weight in asdict(weights).items() if weight and name in parts}
    return unit_rows(np.concatenate([np.float32(weight) * parts[name] for name, weight in counted.items()], axis=1))[0]


def _best(cosines: FloatArray, k: int) -> Rows:
    """The ``k`` largest of each row, largest first: their places, ``[rows, k]``."""
    places = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(cosines, places, axis=1), axis=1, kind="stable")
    return np.take_along_axis(places, order, axis=1)


def _codes(names: Sequence[str]) -> Rows:
    return np.unique(np.array(names), return_inverse=True)[1].astype(np.intp)
