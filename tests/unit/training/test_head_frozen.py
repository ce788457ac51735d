"""The frozen projection and its gate: what they keep, and what they tell apart."""

from __future__ import annotations

import numpy as np
import pytest

from nitari.embeddings.head import Head
from nitari.training.head_frozen import frozen_head, gate_for, inside_share, narrowed
from nitari.training.head_losses import unit_rows
from nitari.types import FloatArray

WIDTH, SPANNED = 100, 30


def familiar(count: int, seed: int = 0) -> FloatArray:
    """Features that fill 30 of 100 directions, with some of all others."""
    draws = np.random.default_rng(seed)
    rows = np.zeros((count, WIDTH))
    rows[:, :SPANNED] = draws.normal(size=(count, SPANNED))
    return unit_rows((rows + 0.3 * draws.normal(size=rows.shape)).astype(np.float32))[0]


def anything(count: int) -> FloatArray:
    """Features that fill all directions."""
    return unit_rows(np.random.default_rng(9).normal(size=(count, WIDTH)).astype(np.float32))[0]


@pytest.mark.parametrize("known", [True, False])
def test_a_projection(known: bool) -> None:
    """Its directions are orthonormal, so that dot products are kept as far as they go; the first are the feed's."""
    directions = np.eye(WIDTH, dtype=np.float32)[:, 60:] if known else None
    head = frozen_head(familiar(400), directions, 80)
    np.testing.assert_allclose(head.matrix.T @ head.matrix, np.eye(80), atol=1e-5)
    assert not head.bias.any()
    held_out = familiar(50, seed=1)
    np.testing.assert_allclose(np.linalg.norm(held_out @ head.matrix[:, :64], axis=1), 1, atol=0.15)
    if known:  # the others are those that the classifier tells apart
        assert np.square(head.matrix[60:, 64:]).sum() > np.square(head.matrix[:60, 64:]).sum()


def test_the_same_features_make_the_same() -> None:
    """To the bit: signs are fixed."""
    first, second = (frozen_head(familiar(200), None, 50).matrix for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_narrowed() -> None:
    """Fewer numbers that keep what can be kept; a head that is as narrow already stays itself."""
    features = familiar(300)
    draws = np.random.default_rng(3)
    low = draws.normal(size=(WIDTH, 5)) @ draws.normal(size=(5, 40))
    wide = Head(low.astype(np.float32), np.zeros(40, np.float32))
    narrow = narrowed(wide, features, 5)
    assert narrow.dim == 5
    np.testing.assert_allclose(narrow(features) @ narrow(features).T, wide(features) @ wide(features).T, atol=1e-3)
    assert narrowed(wide, features, 64) is wide


def test_the_gate_knows_its_feed() -> None:
    """98 of 100 photos of the feed, held out, are more familiar than not; of anything else none is."""
    head = frozen_head(familiar(400), None, 80)
    own = inside_share(head, np.stack([familiar(500, seed=1)] * 2))
    gate = gate_for(own, 80, {"shape": 1.0, "frozen": 0.3, "color": 0.9})
    assert (gate.part, gate.directions, gate.familiar) == (1, 64, (1.0, 0.0, 0.9))
    assert gate.unfamiliar == (0.0, 1.0, 0.2)
    assert np.mean(own >= gate.middle) == pytest.approx(0.98, abs=0.01)
    other = inside_share(head, np.stack([anything(500)] * 2))
    assert np.mean(other >= gate.middle) < 0.02
