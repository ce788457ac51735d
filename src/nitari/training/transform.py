"""Learns a query transform from unpaired photos: some worn, some laid flat (``nitari.embeddings.transforms``).

Everything is closed form or convex, in float64 and in a fixed order, so that the same photos make the same transform.
Nothing else is needed than the vectors that the gallery has anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nitari.embeddings.transforms import LinearTransform
from nitari.errors import DataError
from nitari.folds import fold_of
from nitari.types import BoolArray, FloatArray

FOLDS = 5
BASE = 0.5
"""The strength that ``auto`` takes for what is worn for certain: twice as much can be asked for."""
FEWEST = 10
"""Photos of each sort without which nothing is learned."""
FEWEST_OF_A_KIND = 8
# How strongly directions that hardly vary within a kind are mistrusted, in mean variances; measured between .01 and 1.
_RIDGE = 0.1
# Of the logistic regression, beside the mean loss over unit vectors.
_PENALTY = 1e-5
# Not-worn photos of the worn catalog (bags on the same white) are few, and must count: so much of what is not worn.
_STUDIO_SHARE = 0.2
_TEMPERATURES = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0)

Floats = NDArray[np.float64]
Texts = NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Photos to learn from, one a row.

    Args:
        vectors: float32 ``[n, dim]``, unit rows: as the gallery has them.
        worn: bool ``[n]``: whether somebody wears the garment.
        studio: bool ``[n]``: whether the photo is of the catalog of worn ones, worn or not.
        kinds: text ``[n]``: what it shows, in the same words for both catalogs; empty where that is not to be learned.
        keys: text ``[n]``: seller or style, what must not stand on both sides (``nitari.folds.fold_key``).
        groups: text ``[n]``: the style, unique over both catalogs.
        main: bool ``[n]``: whether it is its item's main photo.
    """

    vectors: FloatArray
    worn: BoolArray
    studio: BoolArray
    kinds: Texts
    keys: Texts
    groups: Texts
    main: BoolArray

    def __len__(self) -> int:
        return len(self.vectors)

    def at(self, rows: BoolArray) -> Samples:
        """Some of them."""
        return Samples(
            self.vectors[rows],
            self.worn[rows],
            self.studio[rows],
            self.kinds[rows],
            self.keys[rows],
            self.groups[rows],
            self.main[rows],
        )

    def folds(self, folds: int) -> NDArray[np.int64]:
        """The fold of each, int64 ``[n]``."""
        known = {key: fold_of(key, folds) for key in set(self.keys.tolist())}
        return np.array([known[key] for key in self.keys.tolist()], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a transform moves at strength 1, in cosines.

    Args:
        away: What the mean flat photo of a kind gains on the mean worn one.
        towards: What the mean flat photo of a kind gains on the mean flat photo.
    """

    away: float
    towards: float


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What is learned before it is known how far to move.

    Args:
        transform: With directions that gain 1 each (see ``Reach``).
        counts: Photos by kind: worn, flat.
    """

    transform: LinearTransform
    counts: Mapping[str, tuple[int, int]]

    def reaching(self, reach: Reach, *, told: Mapping[str, Any] | None = None) -> LinearTransform:
        """The transform that moves so far."""
        made = self.transform
        return LinearTransform(
            embedder=made.embedder,
            kinds=made.kinds,
            cue_weights=made.cue_weights,
            cue_offset=made.cue_offset,
            kind_weights=made.kind_weights,
            kind_offsets=made.kind_offsets,
            away=made.away * np.float32(reach.away),
            towards=made.towards * np.float32(reach.towards),
            base=made.base,
            told=dict(told or {}),
        )


def learn(samples: Samples, *, embedder: str, base: float = BASE, watched: tuple[int, int] | None = None) -> Learned:
    """Learn cue, kinds and directions from all samples.

    Args:
        samples: Of both sorts.
        embedder: Fingerprint of the embedder that made their vectors.
        base: See ``LinearTransform``.
        watched: Numbers of a vector that are left as they are, and are not asked, because a gate goes by them.

    Raises:
        DataError: too few photos of one sort.
    """
    if watched is not None:
        vectors = samples.vectors.copy()
        vectors[:, slice(*watched)] = 0
        samples = replace(samples, vectors=vectors)
    worn, flat = int(samples.worn.sum()), int((~samples.worn).sum())
    if min(worn, flat) < FEWEST:
        raise DataError(
            f"there are {worn} worn photos and {flat} others; at least {FEWEST} of each are needed",
            remedy="give feeds with more photos of both sorts",
            code="transform-photos",
        )
    cue_weights, cue_offset = _cue(samples)
    kinds, counts = _kinds(samples)
    means = _Means.of(samples, kinds)
    weights, offsets = _classifier(means)
    cold = _temperature(samples, kinds)
    return Learned(
        LinearTransform(
            embedder=embedder,
            kinds=kinds,
            cue_weights=cue_weights.astype(np.float32),
            cue_offset=cue_offset,
            kind_weights=(weights / cold).astype(np.float32),
            kind_offsets=(offsets / cold).astype(np.float32),
            away=_away(means).astype(np.float32),
            towards=_towards(means).astype(np.float32),
            base=base,
        ),
        counts,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Means:
    """Means of kinds, and how photos of one kind differ.

    Args:
        worn: float64 ``[kinds, dim]``; of kinds without worn photos what they would be: the flat mean, moved.
        flat: float64 ``[kinds, dim]``; of kinds without flat photos what they would be.
        both: bool ``[kinds]``: those of which both are known.
        has_flat: bool ``[kinds]``.
        overall: float64 ``[dim]``: of all flat photos.
        inverse: float64 ``[dim, dim]``: of the covariance within kinds, with a ridge.
    """

    worn: Floats
    flat: Floats
    both: BoolArray
    has_flat: BoolArray
    overall: Floats
    inverse: Floats

    @classmethod
    def of(cls, samples: Samples, kinds: tuple[str, ...]) -> _Means:
        vectors = samples.vectors.astype(np.float64)
        flat_rows = ~samples.worn & ~samples.studio
        dim = vectors.shape[1]
        sides: list[Floats] = []
        known: list[BoolArray] = []
        scatter = np.zeros((dim, dim))
        for rows in (samples.worn, flat_rows):
            means, there = np.zeros((len(kinds), dim)), np.zeros(len(kinds), dtype=bool)
            deviations = []
            for number, kind in enumerate(kinds):
                mine = vectors[rows & (samples.kinds == kind)]
                there[number] = len(mine) > 0
                if len(mine):
                    means[number] = mine.mean(axis=0)
                    deviations.append(mine - means[number])
            if not deviations:  # no kinds: all photos of a sort are one
                deviations.append(vectors[rows] - vectors[rows].mean(axis=0))
            spread = np.concatenate(deviations)
            scatter += spread.T @ spread / len(spread)
            sides.append(means)
            known.append(there)
        both = known[0] & known[1]
        if both.any():
            gap = (sides[0] - sides[1])[both].mean(axis=0)
        else:
            gap = vectors[samples.worn].mean(axis=0) - vectors[flat_rows].mean(axis=0)
        sides[0][~known[0]] = sides[1][~known[0]] + gap
        sides[1][~known[1]] = sides[0][~known[1]] - gap
        if not kinds:
            sides = [gap[None], np.zeros((1, dim))]  # only their difference counts
            both = np.array([True])
        mean_variance = max(float(np.trace(scatter)) / dim, 1e-12)
        inverse = np.linalg.inv(scatter / mean_variance + _RIDGE * np.eye(dim))
        return cls(sides[0], sides[1], both, known[1], vectors[flat_rows].mean(axis=0), inverse)

    @property
    def gaps(self) -> Floats:
        """Worn less flat, of the kinds that have both (of all where none has): float64 ``[n, dim]``."""
        chosen = self.both if self.both.any() else np.ones(len(self.both), dtype=bool)
        return self.worn[chosen] - self.flat[chosen]


def _kinds(samples: Samples) -> tuple[tuple[str, ...], dict[str, tuple[int, int]]]:
    """The kinds with enough photos of one sort, sorted, and how many of each."""
    counts = {}
    for kind in sorted(set(samples.kinds.tolist()) - {""}):
        mine = samples.kinds == kind
        pair = int((mine & samples.worn).sum()), int((mine & ~samples.worn & ~samples.studio).sum())
        if max(pair) >= FEWEST_OF_A_KIND:
            counts[kind] = pair
    return tuple(counts), counts


def _cue(samples: Samples) -> tuple[Floats, float]:
    """A logistic regression, both answers equally likely before anything is seen: Newton's method, to convergence."""
    x = np.concatenate([samples.vectors.astype(np.float64), np.ones((len(samples), 1))], axis=1)
    y = samples.worn.astype(np.float64)
    shares = np.zeros(len(samples))
    plain, flat = ~samples.worn & samples.studio, ~samples.worn & ~samples.studio
    studio_share = 0.0 if not plain.any() else 1.0 if not flat.any() else _STUDIO_SHARE
    for rows, share in ((samples.worn, 0.5), (plain, 0.5 * studio_share), (flat, 0.5 * (1 - studio_share))):
        if rows.any():
            shares[rows] = share / rows.sum()
    penalty = np.full(x.shape[1], _PENALTY)
    penalty[-1] = 1e-9  # the offset is free
    w = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ w, -500, 500)))
        slope = x.T @ (shares * (p - y)) + penalty * w
        curve = (x * (shares * np.maximum(p * (1 - p), 1e-9))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(curve, slope)
        # Newton overshoots where all is told apart already: a step no longer than a few units is always safe.
        w -= step * min(1.0, 20.0 / max(float(np.linalg.norm(step)), 1e-12))
        if float(np.abs(slope).max()) < 1e-9:
            break
    return w[:-1], float(w[-1])


def _classifier(means: _Means) -> tuple[Floats, Floats]:
    """A linear discriminant for worn photos, each kind equally likely: weights ``[kinds, dim]``, offsets ``[kinds]``.

    Kinds of which no worn photo is known are told by their flat ones, moved as those of the others are.
    """
    if not len(means.has_flat):
        return np.zeros((0, means.worn.shape[1])), np.zeros(0)
    gap = means.gaps.mean(axis=0)
    centers = np.where(means.both[:, None], (means.worn + means.flat + gap) / 2, means.worn)
    weights = centers @ means.inverse
    return weights, -0.5 * (weights * centers).sum(axis=1)


def _temperature(samples: Samples, kinds: tuple[str, ...]) -> float:
    """What divides the odds of kinds so that they are probabilities, judged by photos that were not learned from."""
    if len(kinds) < 2:
        return 1.0
    folds = samples.folds(3)
    odds, right = [], []
    for fold in range(3):
        asking = (folds == fold) & samples.worn & np.isin(samples.kinds, kinds)
        if not asking.any():
            continue
        weights, offsets = _classifier(_Means.of(samples.at(folds != fold), kinds))
        odds.append(samples.vectors[asking] @ weights.T + offsets)
        right.append(np.searchsorted(np.array(kinds), samples.kinds[asking]))
    if not odds:
        return 1.0
    scores, labels = np.concatenate(odds), np.concatenate(right)
    scores -= scores.max(axis=1, keepdims=True)
    # In units of their own spread, which a ridge makes arbitrary.
    unit = float(scores.std()) or 1.0

    def loss(cold: float) -> float:
        logits = scores / cold
        chosen = logits[np.arange(len(labels)), labels]
        return float((np.log(np.exp(logits).sum(axis=1)) - chosen).mean())

    return min((unit * step / 8 for step in _TEMPERATURES), key=loss)


def _away(means: _Means) -> Floats:
    """Fisher's discriminant of worn and flat within kinds; the mean flat photo gains 1 on the mean worn one."""
    gap = means.gaps.mean(axis=0)
    direction = means.inverse @ gap
    away: Floats = -direction / max(float(direction @ gap), 1e-12)
    return away


def _towards(means: _Means) -> Floats:
    """For each kind the direction that tells its flat photos from flat photos, which gains them 1; else zeros."""
    if not len(means.has_flat):
        return np.zeros((0, means.worn.shape[1]))
    deviations = np.where(means.has_flat[:, None], means.flat - means.overall, 0.0)
    directions = deviations @ means.inverse
    gains = (directions * deviations).sum(axis=1, keepdims=True)
    return np.where(gains > 1e-12, directions / np.maximum(gains, 1e-12), 0.0)
