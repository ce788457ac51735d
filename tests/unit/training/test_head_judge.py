"""Judging heads: only strangers answer, folds ask their own heads, weights are measured."""

from __future__ import annotations

import numpy as np

from nitari.embeddings.head import Head
from nitari.training.head_examples import Example
from nitari.training.head_features import Sights
from nitari.training.head_fit import Heads
from nitari.training.head_judge import Judge, Scores, Weights
from nitari.training.head_losses import unit_rows
from nitari.types import FloatArray

ITEMS = 60


def shop(seed: int = 4) -> tuple[list[Example], Sights]:
    """Two feeds; shape tells the category, color the style, texture and aspect nothing. Sellers have two items each."""
    draws = np.random.default_rng(seed)
    examples, shape, color = [], [], []
    kinds, tints = draws.normal(size=(3, 8)), np.abs(draws.normal(size=(ITEMS, 6)))
    for number in range(ITEMS):
        for photo in range(2):
            kind = number % 3
            key = f"seller {number // 2}"
            examples.append(
                Example(number % 2, f"{number}-{photo}", f"{number}", f"{number}", key, f"kind {kind}", "", photo == 0)
            )
            shape.append(kinds[kind] + 0.2 * draws.normal(size=8))
            color.append(tints[number] + 0.05 * draws.random(6))
    views = [unit_rows(np.array(shape, dtype=np.float32))[0]] * 6
    colors = [unit_rows(np.array(color, dtype=np.float32))[0]] * 2
    noise = [unit_rows(draws.normal(size=(2 * ITEMS, 4)).astype(np.float32))[0]] * 2
    return examples, Sights(np.stack(views), np.stack(colors), np.stack(noise), np.stack(noise))


def heads(matrix: FloatArray) -> Heads:
    """This shape head, and colors as they are."""
    return Heads(
        Head(matrix, np.zeros(matrix.shape[1], np.float32)), Head(np.eye(6, dtype=np.float32), np.zeros(6, np.float32))
    )


def test_measures() -> None:
    """Shape finds categories, in the other feed too, and color finds styles; each does nothing else."""
    judge = Judge(*shop(), folds=3)
    shape = judge.measure([None] * 3, Weights(color=0))
    assert shape.category_1 is not None
    assert min(shape.category_1, shape.category_10 or 0, shape.across_5 or 0) > 0.9
    assert (shape.style_1 or 0) < 0.5
    color = judge.measure([None] * 3, Weights(shape=0, color=1))
    assert (color.style_1, color.style_5) == (1.0, 1.0)
    assert (color.category_10 or 0) < 0.6


def test_each_fold_has_its_own_heads() -> None:
    """A fold's photos are asked with that fold's heads and no other."""
    judge = Judge(*shop(), folds=3)
    good, blind = heads(np.eye(8, dtype=np.float32)), heads(np.ones((8, 1), dtype=np.float32))
    weights = Weights(color=0)
    all_good = judge.measure([good] * 3, weights).category_10 or 0
    one_blind = judge.measure([good, good, blind], weights).category_10 or 0
    share = float(np.mean(judge.fold == 2))
    assert all_good > one_blind > all_good - share


def test_weights_are_measured() -> None:
    """Where both shape and color tell something, both count; noise is left out."""
    weights, scores = Judge(*shop(), folds=3).weigh([None] * 3)
    assert weights.color >= 0.3
    assert (weights.texture, weights.aspect) == (0.0, 0.0)
    assert scores.overall > 0.9


def test_nothing_to_measure() -> None:
    """Feeds without categories or further photos have no such measures, and the mean is over what there is."""
    assert Scores(None, None, None, None, None).overall == 0
    assert Scores(0.5, 1.0, None, None, None).overall == 0.75
