"""Paired statistics: known values, and what holds for any two runs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nitari.evaluate.compare_stats import holm, overlap, paired, randomization_test, rank_biased_overlap

VALUES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.sampled_from([0.0, 0.25, 0.5, 1.0])), min_size=1, max_size=40
)
RANKINGS = st.lists(st.sampled_from("abcdefghijkl"), unique=True, max_size=12)


def column(values: list[float]) -> NDArray[np.float64]:
    """One measure of several queries."""
    return np.array(values, dtype=np.float64)[:, None]


def by_hand(differences: list[float]) -> float:
    """The exact p-value, by looking at every way to swap."""
    observed = abs(sum(differences))
    signs = list(itertools.product((-1, 1), repeat=len(differences)))
    sums = [abs(sum(s * d for s, d in zip(way, differences, strict=True))) for way in signs]
    return sum(one >= observed - 1e-9 for one in sums) / len(signs)


@pytest.mark.parametrize("differences", [[1.0], [1.0, 1.0, 1.0, 1.0, 1.0], [0.5, -0.25, 1.0, 0.0], [0.1, 0.2, -0.3]])
def test_few_queries_are_tested_exactly(differences: list[float]) -> None:
    """Where all swaps can be looked at, p is the share of those that are as extreme."""
    assert randomization_test(column(differences))[0] == pytest.approx(by_hand(differences))


def test_many_queries_are_drawn() -> None:
    """The drawn p is close to the exact one (by the binomial distribution), and never 0."""
    won, lost = 20, 8
    differences = column([1.0] * won + [-1.0] * lost + [0.0] * 70)
    count = won + lost
    ways = np.array([1.0])
    for _ in range(count):
        ways = np.convolve(ways, [0.5, 0.5])
    exact = sum(ways[k] for k in range(count + 1) if abs(2 * k - count) >= won - lost)
    assert randomization_test(differences)[0] == pytest.approx(exact, abs=0.006)
    assert 0 < randomization_test(column([1.0] * 500))[0] < 2e-4


@given(VALUES)
def test_a_run_beside_itself_does_not_differ(values: list[tuple[float, float]]) -> None:
    """A against A: p is 1, the difference 0, every query tied."""
    a = column([one for one, _ in values])
    (found,) = paired(a, a.copy())
    assert (found.p, found.difference, found.low, found.high) == (1.0, 0.0, 0.0, 0.0)
    assert (found.won, found.lost, found.tied) == (0, 0, len(values))


@given(VALUES)
def test_the_other_way_round_everything_is_mirrored(values: list[tuple[float, float]]) -> None:
    """B against A has the same p, and differences, intervals and counts with the signs changed."""
    a, b = column([one for one, _ in values]), column([two for _, two in values])
    (there,), (back,) = paired(a, b), paired(b, a)
    assert 0.0 < there.p <= 1.0
    assert back.p == there.p
    assert (back.a, back.b, back.won, back.lost, back.tied) == (there.b, there.a, there.lost, there.won, there.tied)
    assert back.difference == pytest.approx(-there.difference)
    assert (back.low, back.high) == (pytest.approx(-there.high), pytest.approx(-there.low))
    assert there.difference == pytest.approx(there.b - there.a)


def test_measures_do_not_disturb_each_other() -> None:
    """A column of a table has about the p that it has alone; one without a difference has 1."""
    first = [1.0, 0.5, 0.25, 0.0, 1.0, 1.0]
    table = np.array([first, [0.0] * 6, [-value for value in first]]).T
    found = randomization_test(table)
    assert found[1] == 1.0
    assert found[0] == found[2] == pytest.approx(by_hand(first))


def test_tables_of_different_queries_are_refused() -> None:
    """Nothing is paired that does not fit, and nothing at all is no comparison."""
    with pytest.raises(ValueError, match="cannot be paired"):
        paired(np.zeros((2, 1)), np.zeros((3, 1)))
    with pytest.raises(ValueError, match="cannot be paired"):
        paired(np.zeros((0, 1)), np.zeros((0, 1)))


def test_holm_by_hand() -> None:
    """The smallest p counts n times, the next n - 1 times, and none falls below the one before it."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.7, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_keeps_the_order_and_only_raises(p_values: list[float]) -> None:
    """A correction makes no p smaller, nor turns two around."""
    corrected = holm(p_values)
    assert all(before <= after <= 1 for before, after in zip(p_values, corrected, strict=True))
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    assert [corrected[i] for i in order] == sorted(corrected)


def test_overlap_by_hand() -> None:
    """Items in both first tens over the longer one."""
    assert overlap("abcd", "badx", depth=4) == 0.75
    assert overlap("abcd", "ab") == 0.5
    assert overlap("abcdef", "bxxxxa", depth=2) == 0.5
    assert overlap("", "") == 1.0
    assert overlap("a", "") == 0.0


def test_rank_biased_overlap_by_hand() -> None:
    """Worked out term by term from equation 32 of Webber et al."""
    # Depths 1-3: 0, 2 and 3 items in common.
    p = 0.9
    expected = (1 - p) / p * (0 * p + 1 * p**2 + 1 * p**3) + p**3
    assert rank_biased_overlap("abc", "bac") == pytest.approx(expected)
    # The shorter one is "a": everything below is taken to agree as far as depth 1 does, that is fully.
    assert rank_biased_overlap("a", "abc", p=0.5) == pytest.approx(1.0)
    # One of two agrees at depth 2 in both orders, nothing at depth 1.
    assert rank_biased_overlap("ab", "bc", p=0.5) == pytest.approx(1 * (0 + 0.5 * 0.25) + 0.5 * 0.25)
    assert rank_biased_overlap("", "") == 1.0
    assert rank_biased_overlap("a", "") == 0.0


@given(RANKINGS, RANKINGS)
def test_rank_biased_overlap_is_a_similarity(a: list[str], b: list[str]) -> None:
    """It lies in 0-1, is the same both ways round, 1 for the same ranking, and 0 exactly without a common item."""
    found = rank_biased_overlap(a, b)
    assert -1e-12 <= found <= 1.0
    assert found == pytest.approx(rank_biased_overlap(b, a))
    assert rank_biased_overlap(a, a) == pytest.approx(1.0)
    if a and b:
        assert (found < 1e-12) == (not set(a) & set(b))
