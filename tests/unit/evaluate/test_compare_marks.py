"""Judgments made by people: merged over a protocol's own, and kept through kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.errors import DataError, DependencyError
from nitari.evaluate.compare_marks import MarksFile, merged, with_marks
from nitari.evaluate.measures import per_query
from nitari.evaluate.protocols import EvalProtocol, EvalQuery, GalleryFeed
from nitari.evaluate.qrels import read_qrels, write_qrels
from nitari.evaluate.runner import Run
from nitari.ingest.worker import ImportReport

EDITS = st.lists(
    st.tuples(st.sampled_from(["q1", "q 2", "色"]), st.sampled_from(["a", "b b"]), st.sampled_from([0, 1, None])),
    max_size=20,
)


def answered(folder: Path) -> Run:
    """A run of two queries, the first judged."""
    asked = (EvalQuery("q1", "1.jpg"), EvalQuery("q2", "2.jpg"))
    protocol = EvalProtocol("qrels", GalleryFeed("f", str(folder), ()), asked, {"q1": {"a": 1, "b": 0}})
    return Run(protocol, {"q1": [("b", 0.9)], "q2": [("c", 0.8)]}, {}, 10, ImportReport("f", 0), 1.0)


def test_marks_count_more_than_what_was_there(tmp_path: Path) -> None:
    """Merged by pair; a run measures by both; other protocols' queries are left aside."""
    assert merged({"q": {"a": 1, "b": 0}}, {"q": {"b": 2}, "r": {"c": 1}}) == {"q": {"a": 1, "b": 2}, "r": {"c": 1}}
    assert merged(None, {"q": {"a": 1}}) == {"q": {"a": 1}}
    write_qrels(tmp_path / "marks.txt", {"q1": {"b": 1}, "q2": {"c": 1}, "elsewhere": {"d": 1}})
    joined = with_marks(answered(tmp_path), tmp_path / "marks.txt").protocol.judgments
    assert joined == {"q1": {"a": 1, "b": 1}, "q2": {"c": 1}}
    assert per_query(joined, {"q1": [("b", 0.9)], "q2": [("c", 0.8)]})["q2"]["P@1"] == 1.0


def test_marks_of_another_protocol_are_refused(tmp_path: Path) -> None:
    """A file that judges none of the queries is the wrong file."""
    write_qrels(tmp_path / "marks.txt", {"elsewhere": {"d": 1}})
    with pytest.raises(DataError, match="none of the 2 queries"):
        with_marks(answered(tmp_path), tmp_path / "marks.txt")


@given(edits=EDITS)
def test_the_file_always_holds_what_was_marked_last(
    edits: list[tuple[str, str, int | None]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """After every mark the file is one that ``read_qrels`` reads, and says the last grade of each pair."""
    path = tmp_path_factory.mktemp("marks") / "deep" / "marks.txt"
    file, expected = MarksFile(path), {}
    for query_id, item_id, grade in edits:
        count = file.set(query_id, item_id, grade)
        expected[query_id, item_id] = grade
        kept = {pair: one for pair, one in expected.items() if one is not None}
        found = read_qrels(path) if path.stat().st_size else {}
        assert {(query, item): one for query, by in found.items() for item, one in by.items()} == kept
        assert count == len(kept)
        assert MarksFile(path).marks == file.marks == found


def test_a_file_of_something_else_is_not_written_over(tmp_path: Path) -> None:
    """It is refused when it is opened."""
    (tmp_path / "notes.txt").write_text("buy milk\n", "utf-8")
    with pytest.raises(DataError, match="line 1"):
        MarksFile(tmp_path / "notes.txt")


def test_a_mark_that_cannot_be_written_is_not_made(tmp_path: Path) -> None:
    """The error names the file, and the marks stay what they were."""
    (tmp_path / "file").write_text("")
    file = MarksFile(tmp_path / "file" / "marks.txt")
    with pytest.raises(DependencyError, match=r"marks\.txt"):
        file.set("q", "a", 1)
    assert file.marks == {}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_writer_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """Killed while it marks as fast as it can, all that it reported is in the file, which is whole."""
    path = tmp_path / "marks.txt"
    code = (
        "import sys; from pathlib import Path; from nitari.evaluate.compare_marks import MarksFile\n"
        "file = MarksFile(Path(sys.argv[1]))\n"
        "for i in range(100_000):\n"
        "    file.set(f'q{i % 7}', f'item {i}', i % 2); print(i, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 40:
                os.kill(process.pid, signal.SIGKILL)
                break
        acknowledged = max([40, *(int(rest) for rest in process.stdout if rest.endswith("\n"))])
    found = read_qrels(path)
    for i in range(acknowledged + 1):
        assert found[f"q{i % 7}"][f"item {i}"] == i % 2
    assert sum(map(len, found.values())) <= acknowledged + 2
