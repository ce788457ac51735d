"""Two runs beside each other: numbers by hand, what a report says, marks that count, drops that are told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nitari.errors import UsageError
from nitari.evaluate.compare import as_dict, compare, drops
from nitari.evaluate.compare_run import SavedQuery, SavedRun, small
from nitari.evaluate.measures import MEASURES
from support.comparing import A, run, runs


def many(first: str, *, count: int = 30, name: str = "a") -> SavedRun:
    """Queries that are all answered by this ranking, of which ``r1`` is right."""
    rankings = {f"q{i}": first for i in range(count)}
    return run(rankings, name=name, judgments={query_id: {"r1": 1} for query_id in rankings})


def test_numbers_by_hand() -> None:
    """One query won, one lost, one tied at Success@1; four compared, three of them judged."""
    found = compare(*runs())
    one = found.measures["Success@1"]
    assert (one.queries, one.won, one.lost, one.tied) == (3, 1, 1, 1)
    assert (one.a, one.b, one.difference, one.p) == (pytest.approx(2 / 3), pytest.approx(2 / 3), 0.0, 1.0)
    assert list(found.measures) == list(MEASURES)
    assert found.primary == ("nDCG@10",)
    assert found.measures["mAP"].a == pytest.approx((1 / 3 + 1 + 1) / 3)
    assert found.measures["mAP"].b == pytest.approx((1 + (1 / 2 + 2 / 3) / 2 + 1) / 3)
    assert [pair.overlap for pair in found.pairs] == [1.0, 1.0, 1.0, pytest.approx(2 / 3)]
    assert (found.agreement.queries, found.agreement.same_first, found.agreement.same_ten) == (4, 0.25, 0.0)
    assert list(found.categories) == ["Tops > Tees", "Hats"]
    assert found.categories["Hats"]["Success@1"].p_holm == 1.0
    assert found.agreements["Hats"].queries == 1


def test_measures_are_those_that_were_saved() -> None:
    """Nothing is computed anew while the judgments are those of the runs, even where a run was cut."""
    a, b = runs()
    assert compare(small(a, 1), small(b, 1)).measures == compare(a, b).measures
    told = as_dict(compare(a, b), details=True)
    assert told["measures"]["mAP"]["a"] == round(sum(q.measures["mAP"] for q in a.queries if q.measures) / 3, 4)
    assert told["recut"] == 0
    assert told["per_query"]["unjudged"]["entered"] == ["w"]
    assert told["per_query"]["unjudged"]["left"] == ["y"]
    assert told["per_query"]["unjudged"]["moved"] == {"z": [3, 1], "x": [1, 2]}
    assert told["per_query"]["won"]["measures"]["Success@1"] == [0.0, 1.0]


def test_a_run_beside_itself() -> None:
    """No difference, no p below 1, everything in agreement."""
    a, _ = runs()
    found = compare(a, a)
    assert {one.p for one in found.measures.values()} == {1.0}
    assert {result.p_holm for by in found.categories.values() for result in by.values()} == {1.0}
    assert (found.agreement.overlap, found.agreement.same_ten) == (1.0, 1.0)
    assert found.agreement.rbo == pytest.approx(1.0)
    assert drops(found, alpha=1.0) == []


def test_marks_count() -> None:
    """A mark gives a query without judgments its measures, changes another's, and touches no other query."""
    a, b = runs()
    found = compare(a, b, marks={"unjudged": {"w": 1}, "tied": {"r1": 0, "y": 1}, "elsewhere": {"x": 1}})
    by_id = {pair.query_id: pair for pair in found.pairs}
    assert by_id["unjudged"].values["Success@5"] == (0.0, 1.0)
    assert by_id["tied"].values["mAP"] == (pytest.approx(1 / 3), pytest.approx(1 / 2))
    assert by_id["tied"].grades == {"r1": 0, "x9": 0, "y": 1}
    assert by_id["won"].values == {pair.query_id: pair for pair in compare(a, b).pairs}["won"].values
    assert found.measures["Success@1"].queries == 4
    assert found.recut == 1000


def test_a_query_whose_last_relevant_item_is_marked_wrong_is_no_longer_measured() -> None:
    """Nothing could be right for it, so no number speaks of it."""
    a, b = runs()
    assert compare(a, b, marks={"won": {"r1": 0}}).measures["Success@1"].queries == 2


def test_runs_that_were_judged_differently_are_measured_by_b() -> None:
    """As B's judgments are the newer ones, they count for both."""
    a, b = runs()
    won = b.by_id()["won"]
    judged = replace(won, grades={"y": 1}, measures=dict.fromkeys(MEASURES, 0.0))
    found = compare(a, replace(b, queries=(judged,)))
    assert found.pairs[0].values["mAP"] == (pytest.approx(1 / 2), pytest.approx(1 / 3))
    assert found.left_out == 3


def test_a_drop_is_told_and_a_gain_is_not() -> None:
    """Thirty queries lost at Success@1 are a significant drop, thirty won are none, and three lost are too few."""
    good, bad = many("r1xy"), many("xr1y", name="b")
    dropped = compare(good, bad, primary=("Success@1", "Success@5"))
    assert [one.measure for one in drops(dropped, alpha=0.05)] == ["Success@1"]
    assert drops(compare(bad, good, primary=("Success@1",)), alpha=0.05) == []
    few = many("r1xy", count=3), many("xr1y", count=3, name="b")
    assert drops(compare(*few, primary=("Success@1",)), alpha=0.05) == []


def test_what_cannot_be_compared_is_said() -> None:
    """Another protocol, no common query, an unknown measure, no judgment to drop from."""
    a, b = runs()
    with pytest.raises(UsageError, match="protocol qrels"):
        compare(a, replace(b, protocol="luma"))
    with pytest.raises(UsageError, match="no query in common"):
        compare(a, replace(b, queries=(SavedQuery("other"),)))
    with pytest.raises(UsageError, match="P@3"):
        compare(a, b, primary=("P@3",))
    blind = run(A, judgments={})
    with pytest.raises(UsageError, match="no judgment"):
        drops(compare(blind, blind), alpha=0.05)
    assert as_dict(compare(blind, blind))["measures"] == {}
