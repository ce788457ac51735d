"""Exact comparisons give the nearest rows and all that tie with the last of them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.index.segments.flat import nearest_rows
from support.vectors import brute_force, lattice_units


@settings(max_examples=40, deadline=None)
@given(count=st.integers(0, 200), k=st.integers(1, 60), share=st.none() | st.floats(0, 1), seed=st.integers(0, 999))
def test_the_nearest_and_all_ties_are_found(count: int, k: int, share: float | None, seed: int) -> None:
    """By slots or by bitmap, whatever is allowed: nothing at the last distance is left out."""
    rows = lattice_units(count, 6, seed=seed).astype(np.float16)
    vector = lattice_units(1, 6, seed=seed + 1)[0]
    allowed = np.random.default_rng(seed).random(count) < (1.0 if share is None else share)
    slots = np.flatnonzero(allowed)
    _, far = brute_force(slots, rows[slots].astype(np.float32), vector, count + 1)
    last = far[min(k, far.size) - 1] if far.size else 0.0
    by_slots = nearest_rows(rows, vector, k, slots=None if share is None else slots)
    by_bits = nearest_rows(rows, vector, k, bits=None if share is None else np.packbits(allowed, bitorder="little"))
    for found, distances in (by_slots, by_bits):
        assert set(found.tolist()) <= set(slots.tolist())
        np.testing.assert_allclose(np.sort(distances)[:k], far[:k], atol=2.0**-22)
        assert int(np.count_nonzero(distances <= last + 2.0**-22)) >= int(np.count_nonzero(far <= last))
