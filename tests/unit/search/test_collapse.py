"""Listings of one photo are found, and nothing else is."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.search.collapse import SAME, SAME_IN_GROUP, twins
from nitari.types import FloatArray
from support.catalogs import vector_of


def _beside(vector: FloatArray, cosine: float, name: str) -> FloatArray:
    """A unit vector at this cosine from ``vector``."""
    other = vector_of(name) - (vector_of(name) @ vector) * vector
    other /= np.linalg.norm(other)
    return (cosine * vector + np.sqrt(1 - cosine**2) * other).astype(np.float32)


def test_the_same_photo_is_shown_once() -> None:
    """The best listing stands for the others, in their order; other photos stay."""
    same, other = vector_of("same"), vector_of("other")
    vectors = np.stack([other, same, _beside(same, SAME + 0.002, "saved again"), vector_of("third"), same])
    assert twins(vectors, np.arange(5, dtype=np.int32)) == {1: (2, 4)}


def test_another_photo_of_the_same_thing_stays() -> None:
    """What is a little less alike than a photo that was saved anew is shown."""
    same = vector_of("same")
    vectors = np.stack([same, _beside(same, SAME - 0.002, "from the side")])
    assert twins(vectors, np.arange(2, dtype=np.int32)) == {}


def test_colors_of_one_style_stay() -> None:
    """In one group only the very same photo is the same: sizes share it, colors do not."""
    same = vector_of("same")
    vectors = np.stack([same, _beside(same, SAME + 0.002, "navy"), _beside(same, SAME_IN_GROUP + 3e-4, "size L")])
    assert twins(vectors, np.zeros(3, np.int32)) == {0: (2,)}


def test_a_chain_does_not_collapse_into_one() -> None:
    """Each is compared with what is shown, not with what was left out for it."""
    first = vector_of("first")
    second = _beside(first, 0.996, "step")
    third = _beside(first, 0.985, "step")
    vectors = np.stack([first, second, third])
    assert float(second @ third) > SAME
    assert twins(vectors, np.arange(3, dtype=np.int32)) == {0: (1,)}


def test_more_than_are_compared_at_a_time() -> None:
    """Wherever two of many stand, they are found."""
    vectors = np.random.default_rng(0).standard_normal((300, 128)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[299] = vectors[130] = vectors[1]
    vectors[200] = vectors[199]
    assert twins(vectors, np.arange(300, dtype=np.int32)) == {1: (130, 299), 199: (200,)}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=25), st.data())
def test_each_is_shown_or_stands_behind_one_that_is(names: list[int], data: st.DataObject) -> None:
    """Of equal photos exactly the first is shown, and stands for all others of them."""
    vectors = np.stack([vector_of(str(name)) for name in names]) if names else np.empty((0, 16), np.float32)
    groups = np.asarray(data.draw(st.lists(st.integers(0, 3), min_size=len(names), max_size=len(names))), np.int32)
    found = twins(vectors, groups)
    expected: dict[int, list[int]] = {}
    for at, name in enumerate(names):
        if names.index(name) != at:
            expected.setdefault(names.index(name), []).append(at)
    assert found == {first: tuple(others) for first, others in expected.items()}
