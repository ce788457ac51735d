"""Candidates never miss a true neighbor, whatever float32 did to the scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.index.ranking import best, candidates, true_distances
from support.vectors import brute_force, lattice_units


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    dim=st.sampled_from([1, 3, 64]),
    count=st.integers(1, 120),
    k=st.integers(1, 130),
    radius=st.none() | st.floats(0, 2),
)
def test_worst_case_rounding_of_scores_does_not_show(
    seed: int, dim: int, count: int, k: int, radius: float | None
) -> None:
    """Scores moved by as much as rounding may move them lead to the same answer as exact ones, ties included."""
    rows = lattice_units(count, dim, seed=seed)
    query = lattice_units(1, dim, seed=seed + 1)[0]
    keys = np.random.default_rng(seed).permutation(count).astype(np.int64)
    noise = np.random.default_rng(seed).choice([-1.0, 0.0, 1.0], count) * dim * 2.0**-24
    scores = (rows.astype(np.float64) @ query + noise).astype(np.float32)
    near = candidates(scores, k, dim, radius)
    found = best(keys[near], true_distances(query, rows[near]), k, radius)
    wanted, distances = brute_force(keys, rows, query, k, radius)
    assert found.keys.tolist() == wanted.tolist()
    assert found.distances.tolist() == distances.tolist()


@pytest.mark.parametrize("k", [1, 2, 5])
def test_rows_that_must_not_be_returned_are_no_candidates(k: int) -> None:
    """Minus infinity marks a row as banned, also where fewer than ``k`` are left."""
    scores = np.array([-np.inf, 0.5, -np.inf, 0.25, -np.inf], np.float32)
    assert candidates(scores, k, 8, None).tolist() == [1, 3][:k]
    assert candidates(scores, k, 8, 2.0).tolist() == [1, 3][:k]


def test_rows_a_little_too_long_tie_at_distance_zero() -> None:
    """Lengths within the tolerance may give cosines above 1; all of them mean distance 0."""
    scores = np.array([1.0015, 1.0005, 1.0, 0.5], np.float32)
    assert candidates(scores, 1, 8, None).tolist() == [0, 1, 2]
