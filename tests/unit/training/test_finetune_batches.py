"""Batches: drawn from seed and number alone, pairs of groups in them, each photo a little otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nitari.errors import DataError, UsageError
from nitari.images.decode import ImageDecoder
from nitari.models.card import InputSpec
from nitari.raster import encode
from nitari.regions.whole import WholeFinder
from nitari.training.finetune_batches import Batches, Tuning, seen
from nitari.training.finetune_shots import Shot, Shots
from nitari.training.head_fit import Lessons
from nitari.types import Box

SPEC = InputSpec(size=(32, 32), fit="letterbox", trim=8)
TUNING = Tuning(steps=7, batch=12)
PHOTOS = 20


def lessons(group: np.ndarray[tuple[int], np.dtype[np.intp]], category: int = 0) -> Lessons:
    """Photos of these groups."""
    none = np.zeros((2, len(group), 4), np.float32)
    alike = np.full(len(group), category)
    return Lessons(none, none, np.array([0, 1]), 2, alike, group, alike, np.zeros(len(group), np.intp))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shots, list[str]]:
    """Photos of noise."""
    draws = np.random.default_rng(0)
    shots = Shots(tmp_path_factory.mktemp("shots"), decoder=ImageDecoder(), regions=WholeFinder(), side=32)
    return shots, [shots.keep(encode(draws.integers(0, 255, (40, 60, 3)).astype(np.uint8))) for _ in range(PHOTOS)]


def test_the_same_whatever_was_drawn_before(kept: tuple[Shots, list[str]]) -> None:
    """Batch 5 is batch 5: by itself, in a row, from a later step on, with one thread or three."""
    batches = Batches(*kept, lessons(np.arange(PHOTOS) // 2), SPEC, TUNING)
    alone = batches.draw(5)
    for start, workers in ((0, 1), (4, 3)):
        *_, fifth, last = batches.after(start, workers=workers)
        for one, other in ((alone, fifth), (batches.draw(6), last)):
            assert np.array_equal(one.images, other.images)
            assert np.array_equal(one.rows, other.rows)
            assert np.array_equal(one.color_views, other.color_views)
    assert len(list(batches.after(2, workers=2))) == 5
    assert not np.array_equal(alone.images, batches.draw(4).images)
    other_seed = Batches(*kept, lessons(np.arange(PHOTOS) // 2), SPEC, replace(TUNING, seed=1))
    assert not np.array_equal(alone.images, other_seed.draw(5).images)


def test_pairs_and_singles(kept: tuple[Shots, list[str]]) -> None:
    """A third of a batch are pairs of a group; images are as large as the network's input, white and all."""
    group = np.arange(PHOTOS) // 2
    batch = Batches(*kept, lessons(group), SPEC, TUNING).draw(0)
    assert batch.images.shape == (12, 3, 32, 32)
    assert batch.images.dtype == np.float32
    pairs = group[batch.rows[:8]].reshape(-1, 2)
    assert (pairs[:, 0] == pairs[:, 1]).all()
    assert len(set(pairs[:, 0])) == 4
    assert set(batch.color_views) <= {0, 1}


def test_stopped_early(kept: tuple[Shots, list[str]]) -> None:
    """Whoever has enough closes the iterator; nothing is waited for."""
    coming = Batches(*kept, lessons(np.arange(PHOTOS)), SPEC, TUNING).after(0, workers=2)
    next(coming)
    coming.close()
    with pytest.raises(StopIteration):
        next(coming)


def test_nothing_alike(kept: tuple[Shots, list[str]]) -> None:
    """Photos without category or company are nothing to learn from; nor are none."""
    shots, digests = kept
    with pytest.raises(DataError, match="20 photos are left"):
        Batches(shots, digests, lessons(np.arange(PHOTOS), category=-1), SPEC, TUNING)
    with pytest.raises(DataError, match="0 photos are left"):
        Batches(shots, [], lessons(np.arange(0)), SPEC, TUNING)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"layers": 0}, {"rate": 0.0}, {"batch": 5}])
def test_wrong_tuning(wrong: dict[str, float]) -> None:
    """Fine-tuning of nothing is refused."""
    with pytest.raises(UsageError):
        Tuning(**{"steps": 5, **wrong})  # type: ignore[arg-type]  # whole numbers and a rate


def test_the_rate_rises_and_falls() -> None:
    """Up within a twentieth of the steps, then along a cosine to nearly nothing."""
    shares = [Tuning(steps=100).share(step) for step in range(100)]
    assert shares[0] == pytest.approx(0.2)
    assert max(shares) == shares[4] == 1
    assert shares[-1] < 0.01


def test_how_photos_are_seen() -> None:
    """Views differ in their frame; light, place and side vary; before another ground only the product stays."""
    pixels = np.full((40, 80, 3), 250, np.uint8)
    pixels[10:30, 30:50] = (200, 20, 20)
    mask = np.zeros((40, 80), np.uint8)
    mask[10:30, 30:50] = 255
    spec = replace(SPEC, trim=0)

    def shown(view: int, seed: int, *, masked: bool = False) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
        shot = Shot(pixels, Box(0.375, 0.25, 0.625, 0.75), mask if masked else None)
        return seen(shot, view, spec, np.random.default_rng(seed))

    def red(image: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]) -> float:
        return float(((image[..., 0] > 120) & (image[..., 1] < 90)).mean())

    whole, square, box = ([red(shown(view, seed)) for seed in range(20)] for view in (2, 0, 1))
    assert np.mean(whole) < np.mean(square) < np.mean(box)
    assert len({shown(0, seed).tobytes() for seed in range(20)}) == 20
    assert np.array_equal(shown(0, 3), shown(0, 3))
    # Of white there is always some to see in the square's rim; on another ground it is darker.
    changed = [not np.array_equal(shown(0, seed), shown(0, seed, masked=True)) for seed in range(60)]
    assert 4 < sum(changed) < 24
