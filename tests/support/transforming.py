"""Vectors of worn and of flat garments as a model could give them, drawn."""

from __future__ import annotations

import numpy as np

from nitari.training.transform import Samples

DIM = 24
KINDS = ("shirt", "skirt", "trousers")


def drawn_samples(*, styles: int = 30, seed: int = 0, gap: float = 2.0, bags: int = 30) -> Samples:
    """Styles of three kinds, worn (two photos each) and flat, whose sort moves them along one axis, and bags.

    The first axis tells worn from flat; three tell kinds, weakly; the others are the style's own, and noise.
    """
    random = np.random.default_rng(seed)
    vectors, worn, studio, kinds, keys, groups, main = [], [], [], [], [], [], []

    def add(center: object, is_worn: bool, is_studio: bool, kind: str, key: str, is_main: bool) -> None:
        vector = np.asarray(center) + 0.15 * random.standard_normal(DIM)
        vectors.append(vector / np.linalg.norm(vector))
        worn.append(is_worn)
        studio.append(is_studio)
        kinds.append(kind)
        keys.append(key)
        groups.append(key)
        main.append(is_main)

    for number in range(styles * len(KINDS)):
        kind = KINDS[number % len(KINDS)]
        for is_worn in (True, False):
            own = 0.6 * random.standard_normal(DIM)
            own[:4] = 0
            own[0] = gap if is_worn else 0.0
            own[1 + number % len(KINDS)] = 0.9
            key = f"{'style' if is_worn else 'seller'} {number}"
            for photo in range(2 if is_worn else 1):
                add(own, is_worn, is_worn, kind, key, photo == 0)
    for number in range(bags):
        bag = 0.3 * random.standard_normal(DIM)
        bag[0], bag[4] = gap / 2, 3.0
        add(bag, False, True, "", f"bag {number}", True)
    return Samples(
        vectors=np.array(vectors, dtype=np.float32),
        worn=np.array(worn),
        studio=np.array(studio),
        kinds=np.array(kinds, dtype=np.str_),
        keys=np.array(keys, dtype=np.str_),
        groups=np.array(groups, dtype=np.str_),
        main=np.array(main),
    )
