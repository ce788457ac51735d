"""Wilson's interval, and harder efforts."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nitari.index.segments.recall import RecallWatch, wilson_low


@example(hits=0, more=11)
@given(hits=st.integers(0, 500), more=st.integers(0, 500))
def test_the_lower_end_is_below_the_share(hits: int, more: int) -> None:
    """And comes nearer to it with more trials."""
    trials = hits + more
    low = wilson_low(hits, trials)
    assert 0.0 <= low <= (hits / trials if trials else 0.0)
    assert wilson_low(10 * hits, 10 * trials) >= low


def test_the_interval_is_wilsons() -> None:
    """An example by hand: 95 of 100."""
    assert wilson_low(95, 100) == pytest.approx(0.8882, abs=1e-4)


def test_nothing_is_said_before_anything_was_compared() -> None:
    """All is exact as far as one knows."""
    watch = RecallWatch(0.98)
    assert not watch.check([])
    assert (watch.recall().value, watch.recall().queries) == (1.0, 0)
