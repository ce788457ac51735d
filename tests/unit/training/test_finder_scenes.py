"""Made-up pictures: what is said to be on them is on them."""

from __future__ import annotations

import numpy as np
import pytest

from nitari.training.finder_scenes import Pool, Pools, compose, cut_out, joined, scene, surroundings, usable
from nitari.training.finder_shots import BELOW, SIDE, Shot, known_regions, tight_box
from support.shots import flat_shot, lower_photo, upper_photo


def worn_shot(worn: str) -> Shot:
    """Somebody who wears a top (label 0) or pants (label 1; shoes are 2)."""
    pixels, mask = upper_photo() if worn == "upper" else lower_photo(shorts=False)
    box = tight_box(mask) or (0, 0, 1, 1)
    regions, is_worn = known_regions(pixels, mask, label=int(worn == "lower"), shoes=2, worn=worn, box=box)
    assert is_worn == worn
    return Shot(pixels, mask, 0.75, regions, is_worn)


@pytest.fixture(scope="module")
def pools() -> Pools:
    """Two garments and two people."""
    return Pools.of([flat_shot(0), flat_shot(1, color=(200, 40, 40)), worn_shot("upper"), worn_shot("lower")])


def test_pools(pools: Pools) -> None:
    """Photos are sorted by who wears what is on them."""
    assert [len(pool) for pool in (pools.every, pools.flat, pools.upper, pools.lower, pools.ground)] == [4, 2, 1, 1, 2]


def test_rare_labels_are_drawn_oftener() -> None:
    """A label with a sixteenth of the photos is drawn a fourth as often as the other, or as often as is asked for."""
    shots = [flat_shot(0)] * 16 + [flat_shot(1)]
    for leveling, share in ((0.5, 1 / 5), (0.0, 1 / 17), (1.0, 1 / 2)):
        pool, rng = Pools.of(shots, leveling=leveling).flat, np.random.default_rng(1)
        drawn = [int(pool.draw(rng).regions[0, 4]) for _ in range(2000)]
        assert np.mean(drawn) == pytest.approx(share, abs=0.03)
    assert Pool(shots).draw(np.random.default_rng(1)) is Pool(shots, leveling=0.5).draw(np.random.default_rng(1))


def test_same_seed_same_picture(pools: Pools) -> None:
    """Pictures depend on the seed and on nothing else."""
    for seed in range(12):
        one, same, other = (compose(np.random.default_rng(s), pools, side=96) for s in (seed, seed, seed + 100))
        np.testing.assert_array_equal(one.pixels, same.pixels)
        np.testing.assert_array_equal(one.regions, same.regions)
        assert one.pixels.shape == (96, 96, 3)
        assert not np.array_equal(one.pixels, other.pixels)


def test_regions_are_inside_and_marked(pools: Pools) -> None:
    """Every region lies inside the picture, has an inside, and holds product."""
    for seed in range(40):
        picture = compose(np.random.default_rng(seed), pools, side=96)
        for x1, y1, x2, y2, label in picture.regions:
            assert 0 <= x1 < x2 <= 1
            assert 0 <= y1 < y2 <= 1
            assert label in (BELOW, 0, 1, 2)
            rows, columns = slice(int(y1 * 96), int(np.ceil(y2 * 96))), slice(int(x1 * 96), int(np.ceil(x2 * 96)))
            assert (picture.mask[rows, columns] >= 128).mean() > 0.2


def test_a_cut_out_is_trimmed() -> None:
    """A cut-out is what its mask marks, with its regions in its own coordinates and its shape kept."""
    made = cut_out(flat_shot())
    assert made.regions[0, :4].tolist() == pytest.approx([0, 0, 1, 1], abs=0.02)
    assert made.pixels.shape[:2] == made.opacity.shape == (154, 128)
    assert made.aspect == pytest.approx(0.75 * 0.5 / 0.6, rel=0.02)


def test_head_to_toe() -> None:
    """Two halves make one figure: top, pants, shoes, from above to below, as wide as each other."""
    made = joined(worn_shot("upper"), worn_shot("lower"))
    assert made.regions[:, 4].tolist() == [0, 1, 2]
    top, pants, shoes = made.regions
    assert top[3] == pytest.approx(pants[1], abs=0.02)
    assert pants[3] == pytest.approx(shoes[1], abs=0.04)
    assert pants[2] - pants[0] == pytest.approx(top[2] - top[0], rel=0.35)
    assert 0.2 < made.aspect < 0.6


def test_no_room() -> None:
    """Cut-outs for which there is no room are left out; one there always is."""
    picture = scene([cut_out(flat_shot())] * 30, np.zeros((64, 64, 3), np.uint8), np.random.default_rng(0), side=64)
    assert 1 <= len(picture.regions) < 30


def test_usable() -> None:
    """A product that is cut off at the photo's rim, hardly there or nearly all of it makes no cut-out."""
    assert usable(flat_shot())
    assert not usable(flat_shot(box=(0.0, 0.2, 0.6, 0.8)))
    assert not usable(flat_shot(box=(0.4, 0.4, 0.5, 0.5)))
    assert not usable(flat_shot(box=(0.02, 0.02, 0.98, 0.98)))


@pytest.mark.parametrize("box", [(0.3, 0.3, 0.7, 0.7), (0.0, 0.0, 1.0, 1.0), (0.01, 0.01, 0.99, 0.6)])
def test_surroundings(box: tuple[float, ...]) -> None:
    """What surrounds a product becomes a ground without it, also where there is next to nothing."""
    ground = surroundings(flat_shot(box=box), np.random.default_rng(0), side=48)
    assert ground.shape == (48, 48, 3)
    if box[3] < 1:
        assert np.abs(ground.astype(int) - (190, 180, 160)).max() < 12
    assert SIDE == 256
