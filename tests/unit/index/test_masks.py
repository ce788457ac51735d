"""Masks are remembered by token, a few of them."""

from __future__ import annotations

import numpy as np

from nitari.index.masks import MaskCache
from support.vectors import KeyFilter


def test_the_least_recently_used_mask_is_forgotten() -> None:
    """A filter is asked once while it is among the last few, and again after ``clear``."""
    cache, keys = MaskCache(remembered=2), np.arange(5, dtype=np.int64)
    filters = [KeyFilter([number]) for number in range(3)]
    for number in (0, 1, 0, 2, 0, 1):
        assert cache.get(filters[number], keys).count == 1
    assert [one.asked for one in filters] == [1, 2, 1]
    cache.clear()
    assert cache.get(filters[0], keys).bits.tolist() == [True, False, False, False, False]
    assert filters[0].asked == 2
