"""Losses of heads: their gradients agree with finite differences, and they say what their names say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nitari.training.head_losses import agreement, contrast, proxies, through_unit, unit_rows
from nitari.types import FloatArray

_DRAWS = np.random.default_rng(3)
ROWS, _ = unit_rows(_DRAWS.normal(size=(7, 5)).astype(np.float32))
BEFORE, _ = unit_rows(_DRAWS.normal(size=(7, 9)).astype(np.float32))
CENTERS = _DRAWS.normal(size=(3, 5)).astype(np.float32)
LABELS = np.array([0, 1, 1, 2, -1, 0, 0])
ALIKE = (LABELS[:, None] == LABELS) & ~np.eye(7, dtype=bool)
AMONG = np.array([0, 0, 1, 1, 0, 1, 1])
APART = AMONG[:, None] != AMONG


def differences(loss: Callable[[FloatArray], float], at: FloatArray, step: float = 1e-2) -> FloatArray:
    """The gradient by central differences."""
    found = np.zeros(at.shape)
    for place in np.ndindex(at.shape):
        moved = at.astype(np.float64).copy()
        moved[place] += step
        above = loss(moved.astype(np.float32))
        moved[place] -= 2 * step
        found[place] = (above - loss(moved.astype(np.float32))) / (2 * step)
    return found.astype(np.float32)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(lambda rows: contrast(rows, ALIKE, 0.5), id="contrast"),
        pytest.param(lambda rows: contrast(rows, ALIKE, 0.5, among=APART), id="contrast between feeds"),
        pytest.param(lambda rows: proxies(rows, CENTERS, LABELS, 4.0)[:2], id="proxies"),
        pytest.param(lambda rows: agreement(rows, BEFORE), id="agreement"),
    ],
)
def test_gradients(told: Callable[[FloatArray], tuple[float, FloatArray]]) -> None:
    """The gradient by hand is that by finite differences."""
    np.testing.assert_allclose(told(ROWS)[1], differences(lambda rows: told(rows)[0], ROWS), atol=2e-3)


def test_gradient_of_centers() -> None:
    """So is that with respect to the centers, whatever their length."""
    found = differences(lambda centers: proxies(ROWS, centers, LABELS, 4.0)[0], CENTERS)
    np.testing.assert_allclose(proxies(ROWS, CENTERS, LABELS, 4.0)[2], found, atol=2e-3)


def test_gradient_through_unit_length() -> None:
    """Scaling to unit length is led back through as finite differences say."""
    raw = 3 * CENTERS
    weights = _DRAWS.normal(size=raw.shape).astype(np.float32)
    unit, lengths = unit_rows(raw)
    found = differences(lambda rows: float((unit_rows(rows)[0] * weights).sum()), raw)
    np.testing.assert_allclose(through_unit(weights, unit, lengths), found, atol=2e-3)


def test_nothing_alike() -> None:
    """Where no row is like another, or has a label, there is nothing to learn: no loss, no gradient, no warning."""
    alone = np.zeros((7, 7), dtype=bool)
    for loss, gradient in (contrast(ROWS, alone, 0.1), contrast(ROWS, ALIKE, 0.1, among=alone)):
        assert loss == 0
        assert not gradient.any()
    loss, gradient, centers = proxies(ROWS, CENTERS, np.full(7, -1), 4.0)
    assert loss == 0
    assert not gradient.any()
    assert not centers.any()


def test_contrast_falls_as_alike_rows_meet() -> None:
    """Rows that are alike and close cost less than rows that are alike and far apart."""
    pairs = np.eye(4)[[0, 0, 1, 1]].astype(np.float32)
    right = np.array([0, 0, 1, 1])[:, None] == np.array([0, 0, 1, 1])
    wrong = np.array([0, 1, 0, 1])[:, None] == np.array([0, 1, 0, 1])
    eye = np.eye(4, dtype=bool)
    assert contrast(pairs, right & ~eye, 0.1)[0] < 0.1 < contrast(pairs, wrong & ~eye, 0.1)[0]


def test_agreement_of_the_same() -> None:
    """Cosines that did not move cost nothing."""
    assert agreement(ROWS, ROWS)[0] == pytest.approx(0, abs=1e-9)
