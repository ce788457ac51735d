"""Training heads: it learns, it is reproducible, and it can be killed at any step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nitari.training.head_fit import Lessons, Plan, Trainer
from nitari.training.head_losses import unit_rows
from nitari.types import FloatArray

PLAN = Plan(dim=16, color_dim=4, steps=120, groups=6, singles=12, rate=3e-2)


def lessons(photos: int = 48, seed: int = 5) -> Lessons:
    """Photos of styles (two photos each) and kinds, in two feeds, with much that has nothing to do with either."""
    draws = np.random.default_rng(seed)
    group = np.arange(photos) // 2
    category = group % 4
    kind, style = draws.normal(size=(4, 12)), draws.normal(size=(photos // 2, 12))
    noise = 2 * draws.normal(size=(photos, 12))
    base = np.concatenate((kind[category] + 0.5 * style[group], noise), axis=1)
    views = [unit_rows((base + 0.1 * draws.normal(size=base.shape)).astype(np.float32))[0] for _ in range(3)]
    colors = np.abs(draws.normal(size=(photos // 2, 10)))[group]
    color = [unit_rows((colors + 0.05 * draws.random(colors.shape)).astype(np.float32))[0] for _ in range(2)]
    return Lessons(
        shape=np.stack(views),
        color=np.stack(color),
        color_view=np.array([0, 1, 0]),
        plain_views=2,
        category=np.where(np.arange(photos) % 7 == 0, -1, category),
        group=group,
        tint=np.where(group % 3 == 0, -1, group % 5),
        feed=(np.arange(photos) >= photos // 2).astype(np.intp),
    )


def precision(vectors: FloatArray, labels: np.ndarray[tuple[int], np.dtype[np.intp]]) -> float:
    """How often the nearest other row has the same label."""
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2)
    return float((labels[cosines.argmax(axis=1)] == labels).mean())


def test_gradients() -> None:
    """The gradients of all parameters together are those of finite differences, along a random direction each."""
    trainer = Trainer(lessons(), PLAN)
    batch = trainer._batch()
    _, gradients = trainer.gradients(*batch)
    draws = np.random.default_rng(1)
    for place, gradient in enumerate(gradients):
        parameter = trainer._parameters[place]
        along = draws.normal(size=parameter.shape).astype(np.float32)
        along /= np.linalg.norm(along)
        step = np.float32(2e-3)
        kept = parameter.copy()
        parameter += step * along
        above, _ = trainer.gradients(*batch)
        parameter -= 2 * step * along
        below, _ = trainer.gradients(*batch)
        parameter[...] = kept
        assert float((gradient * along).sum()) == pytest.approx((above - below) / (2 * float(step)), rel=0.05, abs=0.02)


def test_learns() -> None:
    """Categories are found better than by the features themselves; colors stay where they are."""
    taught = lessons()
    heads = Trainer(taught, PLAN).run()
    known = taught.category >= 0
    before, after = taught.shape[0][known], heads.shape(taught.shape[0])[known]
    assert precision(after, taught.category[known]) > precision(before, taught.category[known]) + 0.2
    assert precision(heads.color(taught.color[0]), taught.group) > 0.9


def test_the_same_again() -> None:
    """One seed makes one model; another seed another."""
    first, second = Trainer(lessons(), PLAN).run(), Trainer(lessons(), PLAN).run()
    np.testing.assert_array_equal(first.shape.matrix, second.shape.matrix)
    other = Trainer(lessons(), replace(PLAN, seed=1)).run()
    assert np.abs(first.shape.matrix - other.shape.matrix).max() > 1e-4


def test_interrupted(tmp_path: Path) -> None:
    """Killed and taken up again, it ends where it would have ended."""
    taught = lessons()
    whole = Trainer(taught, PLAN).run()
    checkpoint = tmp_path / "work" / "fit.npz"
    killed = Trainer(taught, PLAN, checkpoint=checkpoint)

    def die(step: int, steps: int, loss: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed.run(die)
    told: list[int] = []
    heads = Trainer(taught, PLAN, checkpoint=checkpoint).run(lambda step, steps, loss: told.append(step))
    assert told == [120]  # the first hundred were not done again
    np.testing.assert_array_equal(heads.shape.matrix, whole.shape.matrix)
    np.testing.assert_array_equal(heads.color.matrix, whole.color.matrix)


@pytest.mark.parametrize("spoiled", [b"", b"PK\x03\x04 half of a file", b"nothing of the kind"])
def test_useless_checkpoint(tmp_path: Path, spoiled: bytes) -> None:
    """A checkpoint that cannot be read is begun anew."""
    checkpoint = tmp_path / "fit.npz"
    checkpoint.write_bytes(spoiled)
    plan = replace(PLAN, steps=3)
    heads = Trainer(lessons(), plan, checkpoint=checkpoint).run()
    np.testing.assert_array_equal(heads.shape.matrix, Trainer(lessons(), plan).run().shape.matrix)


def test_checkpoint_of_something_else(tmp_path: Path) -> None:
    """What another plan or other photos left is not gone on with."""
    checkpoint = tmp_path / "fit.npz"
    plan = replace(PLAN, steps=4)
    Trainer(lessons(), plan, checkpoint=checkpoint).run()
    heads = Trainer(lessons(seed=6), plan, checkpoint=checkpoint).run()
    np.testing.assert_array_equal(heads.shape.matrix, Trainer(lessons(seed=6), plan).run().shape.matrix)


def test_one_feed_without_groups() -> None:
    """Photos that are each a style of their own, of one feed without colors, still teach their categories."""
    taught = lessons()
    alone = replace(
        taught, group=np.arange(len(taught.group)), feed=np.zeros_like(taught.feed), tint=np.full_like(taught.tint, -1)
    )
    heads = Trainer(alone, PLAN).run()
    assert np.isfinite(heads.shape.matrix).all()
    assert heads.shape.dim == 16
