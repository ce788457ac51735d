"""Measures against values worked out by hand, and what intervals promise."""

from __future__ import annotations

import subprocess
import sys
from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.errors import UsageError
from nitari.evaluate.measures import MEASURES, bootstrap, by_category, estimates, per_query

TEN = tuple((name, 1.0 - number / 100) for number, name in enumerate("abcdefghij"))


def test_values_by_hand() -> None:
    """Every measure of one ranking, computed by hand."""
    values = per_query({"q": {"b": 1, "d": 1, "never": 1, "a": 0}}, {"q": TEN})["q"]
    assert values["Success@1"] == values["P@1"] == 0
    assert values["Success@5"] == values["Success@10"] == 1
    assert values["P@10"] == pytest.approx(0.2)
    assert values["mAP"] == pytest.approx((1 / 2 + 2 / 4) / 3)
    best = 1 + 1 / log2(3) + 1 / log2(4)
    assert values["nDCG@10"] == pytest.approx((1 / log2(3) + 1 / log2(5)) / best)


def test_only_ndcg_looks_at_grades() -> None:
    """A better grade lower down costs nDCG and nothing else; the gain is the grade itself."""
    values = per_query({"q": {"a": 1, "b": 3}}, {"q": TEN})["q"]
    assert values["mAP"] == 1
    assert values["nDCG@10"] == pytest.approx((1 + 3 / log2(3)) / (3 + 1 / log2(3)))


def test_precision_divides_by_k_for_short_rankings() -> None:
    """P@10 of a ranking of one relevant item is a tenth."""
    assert per_query({"q": {"a": 1}}, {"q": (("a", 0.5),)})["q"]["P@10"] == pytest.approx(0.1)


def test_ties_are_settled_by_the_ranking() -> None:
    """Equal scores do not let a library reorder by item id."""
    for first, second in (("a", "z"), ("z", "a")):
        values = per_query({"q": {first: 1}}, {"q": ((first, 0.7), (second, 0.7))})
        assert values["q"]["Success@1"] == 1, first


def test_queries_without_an_answer_count_zero_and_unjudged_ones_do_not_count() -> None:
    """An empty or missing ranking is worth 0; a query for which nothing is relevant is left out."""
    judged = {"empty": {"a": 1}, "absent": {"a": 1}, "hopeless": {"a": 0}, "good": {"a": 1}}
    values = per_query(judged, {"empty": (), "good": TEN, "unasked": TEN})
    assert set(values) == {"empty", "absent", "good"}
    assert values["empty"] == values["absent"] == dict.fromkeys(MEASURES, 0.0)
    assert estimates(values)["Success@1"].value == pytest.approx(1 / 3)
    assert per_query({"empty": {"a": 1}}, {}) == {"empty": dict.fromkeys(MEASURES, 0.0)}


def test_measures_are_asked_for_by_name() -> None:
    """Any cut-off will do; another name is an error that says what there is."""
    ranked = {"q": TEN}
    assert per_query({"q": {"c": 1, "z": 1}}, ranked, ["P@3", "Success@2", "Success@1000"])["q"] == {
        "P@3": pytest.approx(1 / 3),
        "Success@2": 0,
        "Success@1000": 1,
    }
    for name in ("P@0", "P@", "Recall@5", "map"):
        with pytest.raises(UsageError, match="there is no measure"):
            per_query({"q": {"c": 1}}, ranked, [name])


def test_a_measure_is_about_the_subjects_that_have_it() -> None:
    """Where some subjects are looked at in another way, each mean is over its own."""
    found = estimates({"a": {"x": 1.0}, "b": {"x": 0.0}, "c": {"y": 1.0}})
    assert {name: estimate.value for name, estimate in found.items()} == {"x": 0.5, "y": 1.0}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_intervals_hold_the_mean(column: list[float]) -> None:
    """The interval lies within the values, and around the mean."""
    table = np.array([column], dtype=np.float64).T
    low, high = bootstrap(table, resamples=200)
    assert min(column) - 1e-9 <= low[0] <= high[0] <= max(column) + 1e-9


def test_intervals_are_those_of_the_binomial() -> None:
    """Of 400 coin tosses, the interval is about 1.96 standard errors to each side, and the same every time."""
    table = np.array([[0.0], [1.0]] * 200)
    low, high = bootstrap(table)
    error = 1.96 * 0.5 / np.sqrt(400)
    assert low[0] == pytest.approx(0.5 - error, abs=0.008)
    assert high[0] == pytest.approx(0.5 + error, abs=0.008)
    assert np.array_equal(bootstrap(table), (low, high))


def test_estimates_of_no_query_are_empty() -> None:
    """There is no mean of nothing."""
    assert estimates({}) == {}


def test_categories_are_ordered_by_size() -> None:
    """The largest first, then by name; no category, no line."""
    values = {name: {} for name in "abcdef"}
    groups = by_category(values, {"a": "y", "b": "x", "c": "z", "d": "z", "e": ""})
    assert list(groups.items()) == [("z", ["c", "d"]), ("x", ["b"]), ("y", ["a"])]


def test_the_library_is_loaded_when_needed_only() -> None:
    """Importing the module does not load ir_measures; ir_measures does not warn when it is."""
    code = "import sys, nitari.evaluate.measures as m; assert 'ir_measures' not in sys.modules; m.success(1)"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
