"""Rocchio's formula, with and without a question of its own."""

from __future__ import annotations

import numpy as np
import pytest

from nitari.errors import UsageError
from nitari.extract import unit
from nitari.search.feedback import DISLIKED_WEIGHT, LIKED_WEIGHT, bent
from nitari.types import FloatArray


def _axes(*numbers: int) -> FloatArray:
    return np.eye(4, dtype=np.float32)[list(numbers)]


def test_without_feedback() -> None:
    """A question stays as it is."""
    asked = _axes(0, 1)
    assert bent(asked) is asked


def test_bends_every_vector() -> None:
    """Each query vector moves towards the mean of the liked items and away from that of the disliked ones."""
    moved = bent(_axes(0, 1), [_axes(2, 3), _axes(2)], [_axes(3)])
    like = np.array([0, 0, 0.75, 0.25])
    push = LIKED_WEIGHT * like - DISLIKED_WEIGHT * np.array([0, 0, 0, 1])
    np.testing.assert_allclose(moved, unit((_axes(0, 1) + push).astype(np.float32)), atol=1e-6)
    assert moved.dtype == np.float32


def test_liked_alone() -> None:
    """Without a question of its own, the liked items are the question, each with the same weight."""
    np.testing.assert_allclose(bent(None, [_axes(0, 1), _axes(0)]), unit(np.array([[0.75, 0.25, 0, 0]], np.float32)))


def test_disliked_alone() -> None:
    """Dislikes bend a question by themselves."""
    (moved,) = bent(_axes(0), [], [unit(_axes(0) + _axes(1))])
    assert moved[0] > 0 > moved[1]


def test_nothing_left() -> None:
    """Terms that cancel each other out leave no direction, which is reported."""
    with pytest.raises(UsageError, match="cancel each other out") as caught:
        bent(None, [_axes(0), -_axes(0)])
    assert caught.value.remedy
