"""TREC files: what is written is read back, and bad lines are named."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.errors import DataError, UsageError
from nitari.evaluate.qrels import read_qrels, read_run, strictly_falling, write_qrels, write_run


def test_qrels_are_read_with_spaces_or_tabs(tmp_path: Path) -> None:
    """White space of any kind parts the fields; with tabs, item ids may hold spaces; a BOM does no harm."""
    path = tmp_path / "qrels.txt"
    path.write_bytes("\ufeffq1 0 a 1\r\n\nq1\t0\tred shirts/one.jpg\t2\nq2  0   b 0\n".encode())
    assert read_qrels(path) == {"q1": {"a": 1, "red shirts/one.jpg": 2}, "q2": {"b": 0}}


def test_qrels_are_written_and_read(tmp_path: Path) -> None:
    """Judgments survive a file."""
    judgments = {"q": {"an item": 2, "b": 0}, "p": {"c": 1}}
    write_qrels(tmp_path / "qrels.txt", judgments)
    assert read_qrels(tmp_path / "qrels.txt") == judgments


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("q1 0 a 1\nq1 0 b\n", "line 2.*3 fields.*query_id 0 item_id grade"),
        ("q1 0 a yes\n", "line 1.*'yes', not a whole number"),
        ("q1 0 a 1\nq1 0 a 0\n", "line 2.*'a' of query 'q1' was graded 1 before, now 0"),
        ("\n \n", "holds no judgment"),
    ],
)
def test_bad_qrels_are_named(tmp_path: Path, text: str, said: str) -> None:
    """A bad line is an error that says which and what was expected."""
    path = tmp_path / "qrels.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        read_qrels(path)


def test_unreadable_qrels_are_named(tmp_path: Path) -> None:
    """A missing file and one in another encoding are errors that name the file."""
    with pytest.raises(DataError, match=r"none\.txt cannot be read"):
        read_qrels(tmp_path / "none.txt")
    (tmp_path / "latin.txt").write_bytes(b"q 0 \xe9 1\n")
    with pytest.raises(DataError, match=r"latin\.txt is not UTF-8"):
        read_qrels(tmp_path / "latin.txt")


@given(st.lists(st.floats(0, 1, width=32), max_size=40).map(lambda scores: sorted(scores, reverse=True)))
def test_scores_fall_strictly(scores: list[float]) -> None:
    """Whatever the ties, every score is below the one before, no item moves, and untied scores stay what they were."""
    ranking = [(f"item{number}", score) for number, score in enumerate(scores)]
    falling = strictly_falling(ranking)
    assert [item_id for item_id, _ in falling] == [item_id for item_id, _ in ranking]
    assert all(after < before for (_, before), (_, after) in pairwise(falling))
    if scores:
        assert falling[0][1] == pytest.approx(scores[0], abs=1e-6)


def test_runs_keep_the_order_of_ties(tmp_path: Path) -> None:
    """A run is read back in the order it was ranked in, ties and spaces and all; empty rankings leave no line."""
    path = tmp_path / "run.txt"
    write_run(path, {"q1": (("z", 0.5), ("a", 0.5), ("my item", 0.1)), "q2": ()}, tag="t")
    assert path.read_text().splitlines()[1] == "q1\tQ0\ta\t2\t0.499999\tt"
    found = read_run(path)
    assert list(found) == ["q1"]
    assert [item_id for item_id, _ in found["q1"]] == ["z", "a", "my item"]


def test_runs_are_ordered_by_score(tmp_path: Path) -> None:
    """The score decides, then the rank column, whatever the order of the lines."""
    path = tmp_path / "run.txt"
    path.write_text("q Q0 low 1 0.1 x\nq Q0 second 3 0.9 x\nq Q0 first 2 0.9 x\n")
    assert [item_id for item_id, _ in read_run(path)["q"]] == ["first", "second", "low"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("q Q0 a 1 much x", "'much' is not a number"),
        ("q Q0 a 1 nan x", "'nan'"),
        ("q Q0 a 1 .5", "5 fields"),
        ("q Q0 a 1 .5 x\nq Q0 a 2 .4 x", "line 2.*ranked twice"),
    ],
)
def test_bad_runs_are_named(tmp_path: Path, line: str, said: str) -> None:
    """A bad line of a run is an error that says which."""
    path = tmp_path / "run.txt"
    path.write_text(line)
    with pytest.raises(DataError, match=said):
        read_run(path)


def test_a_run_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(UsageError, match=r"no/run\.txt"):
        write_run(tmp_path / "no" / "run.txt", {"q": (("a", 1.0),)})
