"""What a query transform does to answers, measured on photos that it was not learned from; and how far it should move.

A share of worn photos is easily lowered by answering anything flat, so it is only ever told beside the precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from nitari.training.transform import BASE, FOLDS, Learned, Reach, Samples, learn
from nitari.types import BoolArray, FloatArray

_NOWHERE = -9.0
"""What is no cosine: of photos that may not answer."""
STRENGTHS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
DEPTH = 10
# At the strength that ``auto`` takes: in what the first flat answers lack to the first worn ones, and in standard
# deviations of likeness.
_AWAY = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.4)
_TOWARDS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0, 1.3)
# What a point of the share of worn photos that is too much or too little, and of styles found at once, is worth in
# points of precision.
_POINTS_OF_SHARE = 0.1
_POINTS_OF_STYLE = 1.0
# Styles are asked for by so many photos at most: they only have to tell whether something was lost.
_STYLE_QUERIES = 600


@dataclass(frozen=True, slots=True)
class Point:
    """Answers to worn photos at one strength.

    Args:
        strength: 0-1.
        precision: Share of the first ten that are of the query's kind, worn or flat.
        worn: Share of the first ten that are worn.
        flat: Share of the first ten that are flat and of the query's kind.
        flat_only: The precision where only flat photos may answer.
        style: Share of further photos of worn garments whose style comes first among worn main photos; 0 where there
            are none.
    """

    strength: float
    precision: float
    worn: float
    flat: float
    flat_only: float
    style: float

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return {name: round(float(getattr(self, name)), 4) for name in Point.__slots__}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What held-out photos say of a transform.

    Args:
        auc: How well the cue tells worn photos from others: 1 is always, .5 is by chance.
        auc_studio: The same against what is not worn on photos of the same catalog; ``None`` where there is none.
        wrong_worn: Share of worn photos with a cue below one half.
        wrong_flat: Share of the others with a cue of one half or more.
        error: How far the cue is from the share that is worn, over ten bins of it (expected calibration error).
        kinds: Share of worn main photos whose kind is guessed.
        points: Over ``STRENGTHS``.
        base: Where nobody says how much (``auto``).
        queries: How many asked.
        fair: Share of worn photos among all that are of the query's kind: what an unbiased answer would have.
    """

    auc: float
    auc_studio: float | None
    wrong_worn: float
    wrong_flat: float
    error: float
    kinds: float
    points: tuple[Point, ...]
    base: Point
    queries: int
    fair: float


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """One fold's questions, in parts, so that any reach and strength is a sum.

    Args:
        likeness: float32 ``[q, n]``: cosine of each query and each photo of the gallery; ``_NOWHERE`` where it may not
            answer.
        away: float32 ``[n]``: what each photo gains at a reach of 1.
        towards: float32 ``[q, n]``: the same.
        cue: float32 ``[q]``.
        right: bool ``[q, n]``: of the query's kind, or style.
        worn: bool ``[n]``.
    """

    likeness: FloatArray
    away: FloatArray
    towards: FloatArray
    cue: FloatArray
    right: BoolArray
    worn: BoolArray

    def scores(self, reach: Reach, strength: float | None, base: float) -> FloatArray:
        much = (base * self.cue if strength is None else np.full(len(self.cue), strength))[:, None].astype(np.float32)
        moved: FloatArray = self.likeness + much * (
            np.float32(reach.away) * self.away + np.float32(reach.towards) * self.towards
        )
        return moved


def judge(
    samples: Samples,
    *,
    reach: Reach | None = None,
    embedder: str = "",
    folds: int = FOLDS,
    watched: tuple[int, int] | None = None,
) -> tuple[Judgement, Reach]:
    """Judge by cross-validation: each photo asks what was learned from other sellers and styles.

    Args:
        samples: All photos.
        reach: How far to move; where not given, it is chosen for each fold from the others, as for the final one.
        embedder: See ``learn``.
        folds: How many.
        watched: See ``learn``.

    Returns:
        What was found, and how far the final transform should move: as chosen from all folds.
    """
    numbers = samples.folds(folds)
    cues = np.zeros(len(samples), dtype=np.float32)
    kinds_right, kinds_asked = 0, 0
    asked: list[tuple[_Asked, _Asked]] = []
    for fold in range(folds):
        learned = learn(samples.at(numbers != fold), embedder=embedder, watched=watched)
        held = numbers == fold
        made = learned.transform
        odds = samples.vectors @ made.cue_weights + made.cue_offset
        probable = (0.5 * (1 + np.tanh(odds / 2))).astype(np.float32)
        cues[held] = probable[held]
        asking = held & samples.worn & samples.main & np.isin(samples.kinds, made.kinds)
        if made.kinds and asking.any():
            guessed = np.array(made.kinds)[
                (samples.vectors[asking] @ made.kind_weights.T + made.kind_offsets).argmax(axis=1)
            ]
            kinds_right += int((guessed == samples.kinds[asking]).sum())
            kinds_asked += int(asking.sum())
        asked.append(_questions(samples, learned, held, probable))
    if reach is None:
        best, chosen = choose(asked)
    else:
        best, chosen = reach, [reach] * folds
    points = tuple(_point(asked, chosen, strength) for strength in STRENGTHS)
    return (
        Judgement(
            auc=_auc(cues[samples.worn], cues[~samples.worn]),
            auc_studio=_auc_studio(samples, cues),
            wrong_worn=float((cues[samples.worn] < 0.5).mean()),
            wrong_flat=float((cues[~samples.worn] >= 0.5).mean()),
            error=_calibration_error(cues, samples.worn),
            kinds=kinds_right / max(kinds_asked, 1),
            points=points,
            base=_point(asked, chosen, None),
            queries=sum(len(kind.cue) for kind, _ in asked),
            fair=_fair([kind for kind, _ in asked]),
        ),
        best,
    )


def choose(asked: Sequence[tuple[_Asked, _Asked]]) -> tuple[Reach, list[Reach]]:
    """How far to move: what does best at the strength of ``auto``, on all folds; and for each fold on all others.

    Precision counts, and that a style is still found at once. So does, a tenth as much, that worn photos come neither
    more nor less often than they are among what is right: none at all is no better than nothing else.
    """
    kinds = [kind for kind, _ in asked]
    fair = np.array([_fair([kind]) for kind in kinds])
    away, towards = _scales(kinds)
    reaches = [Reach(a * away / BASE, t * towards / BASE) for a, t in product(_AWAY, _TOWARDS)]
    # How many asked in each fold, for their kind and for their style, and what they found, for each reach.
    counts = np.array([(len(kind.cue), len(style.cue)) for kind, style in asked], dtype=np.float64)
    found = np.array([[_point([pair], [reach], None) for pair in asked] for reach in reaches], dtype=object)
    measured = np.array([[(p.precision, p.worn, p.style) for p in row] for row in found])

    def best(folds: Sequence[int]) -> Reach:
        of_kind, of_style = counts[folds].sum(axis=0)
        share = counts[folds, 0] / max(of_kind, 1)
        precision, worn = (measured[:, folds, :2] * share[None, :, None]).sum(axis=1).T
        style = (measured[:, folds, 2] * counts[folds, 1]).sum(axis=1) / max(of_style, 1)
        bias = np.abs(worn - float(fair[folds] @ share))
        worth = precision + _POINTS_OF_STYLE * style - _POINTS_OF_SHARE * bias
        return reaches[int(worth.argmax())]  # the first, which is the shortest, where several are as good

    every = list(range(len(asked)))
    return best(every), [best([other for other in every if other != fold]) for fold in every]


def _scales(asked: Sequence[_Asked]) -> tuple[float, float]:
    """What a movement is measured by, in cosines: by how much flat answers come later, and how likeness spreads."""
    lacking, spread = [], []
    for one in asked:
        depth = min(DEPTH, int(one.worn.sum()), int((~one.worn).sum()))
        if not len(one.cue) or not depth:
            continue
        worn, flat = (np.sort(one.likeness[:, rows], axis=1)[:, -depth:] for rows in (one.worn, ~one.worn))
        lacking.append(float((worn.mean(axis=1) - flat.mean(axis=1)).mean()))
        spread.append(float(one.likeness[:, ~one.worn].std(axis=1).mean()))
    return max(float(np.mean(lacking or [0.0])), 1e-3), max(float(np.mean(spread or [0.0])), 1e-3)


def _questions(samples: Samples, learned: Learned, held: BoolArray, cues: FloatArray) -> tuple[_Asked, _Asked]:
    """What the held-out worn photos ask: for their kind by main photos, and for their style by further ones.

    The gallery of both are the main photos of both catalogs, those that were learned from too: it is not learned by
    heart, and would be too small without them. For kinds, the query's own style may not answer.
    """
    made = learned.transform
    flat_kinds = set(samples.kinds[~samples.worn & ~samples.studio].tolist())
    gallery = np.flatnonzero(samples.main)
    vectors = samples.vectors[gallery]
    by_kind = np.flatnonzero(held & samples.worn & samples.main & np.isin(samples.kinds, list(flat_kinds - {""})))
    by_style = np.flatnonzero(held & samples.worn & ~samples.main)
    by_style = by_style[:: max(1, -(-len(by_style) * FOLDS // _STYLE_QUERIES))]
    found = []
    for rows, wanted in ((by_kind, samples.kinds), (by_style, samples.groups)):
        likeness = samples.vectors[rows] @ vectors.T
        same_style = samples.groups[rows][:, None] == samples.groups[gallery][None]
        # Who asks for a kind wants another style; who asks for a style gets it where styles are, as shops have them.
        elsewhere = same_style if wanted is samples.kinds else ~samples.studio[gallery][None]
        likeness = np.where(elsewhere, np.float32(_NOWHERE), likeness)
        shares = _shares(made.kind_weights, made.kind_offsets, samples.vectors[rows])
        found.append(
            _Asked(
                likeness=likeness.astype(np.float32),
                away=vectors @ made.away,
                towards=shares @ (made.towards @ vectors.T),
                cue=cues[rows],
                right=wanted[rows][:, None] == wanted[gallery][None],
                worn=samples.studio[gallery],
            )
        )
    return found[0], found[1]


def _shares(weights: FloatArray, offsets: FloatArray, vectors: FloatArray) -> FloatArray:
    """Probabilities of kinds, float32 ``[n, kinds]``: ``LinearTransform.guess`` for many photos."""
    odds = vectors @ weights.T + offsets
    if not odds.shape[1]:
        return odds.astype(np.float32)
    shares = np.exp(odds - odds.max(axis=1, keepdims=True))
    found: FloatArray = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return found


def _point(asked: Sequence[tuple[_Asked, _Asked]], reaches: Sequence[Reach], strength: float | None) -> Point:
    """Means over the queries of all folds."""
    kinds: list[NDArray[np.float64]] = []
    styles: list[BoolArray] = []
    for (kind, style), reach in zip(asked, reaches, strict=True):
        if len(kind.cue):
            scores = kind.scores(reach, strength, BASE)
            kinds.append(_first(scores, kind))
        if len(style.cue):
            best = style.scores(reach, strength, BASE).argmax(axis=1)
            styles.append(style.right[np.arange(len(best)), best])
    means = np.concatenate(kinds).mean(axis=0) if kinds else np.zeros(4)
    found = float(np.concatenate(styles).mean()) if styles else 0.0
    told = BASE if strength is None else strength
    return Point(told, float(means[0]), float(means[1]), float(means[2]), float(means[3]), found)


def _first(scores: FloatArray, asked: _Asked) -> NDArray[np.float64]:
    """Of each query: precision, share of worn, share of right flat ones, precision among flat: ``[q, 4]``."""
    depth = min(DEPTH, scores.shape[1] - 1)
    top = np.argpartition(-scores, depth, axis=1)[:, :depth]
    right, worn = np.take_along_axis(asked.right, top, axis=1), asked.worn[top]
    flat = np.flatnonzero(~asked.worn)
    among = np.argpartition(-scores[:, flat], min(depth, len(flat) - 1), axis=1)[:, : min(depth, len(flat))]
    flat_right = np.take_along_axis(asked.right[:, flat], among, axis=1)
    columns = (right.mean(axis=1), worn.mean(axis=1), (right & ~worn).mean(axis=1), flat_right.mean(axis=1))
    return np.stack(columns, axis=1)


def _fair(asked: Sequence[_Asked]) -> float:
    """The mean over queries of the share of worn photos among those that are of its kind and may answer."""
    shares = [np.zeros(0)]
    for one in asked:
        right = one.right & (one.likeness > _NOWHERE)
        shares.append((right & one.worn).sum(axis=1) / np.maximum(right.sum(axis=1), 1))
    every = np.concatenate(shares)
    return float(every.mean()) if every.size else 0.0


def _auc(above: FloatArray, below: FloatArray) -> float:
    """How often a number of ``above`` is larger than one of ``below`` (Mann-Whitney), ties counting half."""
    if not (len(above) and len(below)):
        return 0.5
    ordered = np.sort(below)
    wins = np.searchsorted(ordered, above, "left") + np.searchsorted(ordered, above, "right")
    return float(wins.mean() / 2 / len(below))


def _auc_studio(samples: Samples, cues: FloatArray) -> float | None:
    plain = samples.studio & ~samples.worn
    return _auc(cues[samples.worn], cues[plain]) if plain.any() else None


def _calibration_error(cues: FloatArray, worn: BoolArray) -> float:
    """Expected calibration error, both sorts weighed alike (Guo et al., ICML 2017, with 10 even bins)."""
    weights = np.where(worn, 0.5 / max(int(worn.sum()), 1), 0.5 / max(int((~worn).sum()), 1))
    bins = np.minimum((cues * 10).astype(np.intp), 9)
    mass = np.bincount(bins, weights, 10)
    told, true = np.bincount(bins, weights * cues, 10), np.bincount(bins, weights * worn, 10)
    return float(np.abs(told - true).sum() / max(float(mass.sum()), 1e-12))
