"""Judgments that people make beside those of a protocol: a qrels file, merged over what the protocol says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from threading import Lock

from nitari.disk import write_whole
from nitari.errors import DataError, DependencyError
from nitari.evaluate.qrels import Judgments, qrels_text, read_qrels
from nitari.evaluate.runner import Run


def merged(own: Judgments | None, marks: Judgments) -> dict[str, dict[str, int]]:
    """Judgments with marks over them: where both judge a pair, the mark counts."""
    both = {query_id: dict(grades) for query_id, grades in (own or {}).items()}
    for query_id, grades in marks.items():
        both.setdefault(query_id, {}).update(grades)
    return both


def with_marks(run: Run, path: Path) -> Run:
    """A run whose protocol's judgments are joined by those of a qrels file; the rankings stay what they are.

    Judgments of queries that the protocol does not ask are left aside.

    Raises:
        DataError: a file that cannot be read, or that judges none of the protocol's queries.
    """
    asked = {query.query_id for query in run.protocol.queries}
    marks = {query_id: grades for query_id, grades in read_qrels(path).items() if query_id in asked}
    if not marks:
        raise DataError(
            f"{path} judges none of the {len(asked)} queries of protocol {run.protocol.name}",
            remedy="give the judgments that were made for this protocol",
            code="qrels",
        )
    return replace(run, protocol=replace(run.protocol, judgments=merged(run.protocol.judgments, marks)))


class MarksFile:
    """A qrels file that is kept up mark by mark. Safe for several threads; two processes must not share one.

    Each change writes the file whole beside its place and renames it, flushed to the disk: who is killed at any moment
    leaves a file with all marks that were acknowledged, which every TREC tool can read.

    Args:
        path: Read now, if it is there.

    Raises:
        DataError: it is there and holds something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self._marks: dict[str, dict[str, int]] = {}
        if path.exists() and path.stat().st_size:
            self._marks = read_qrels(path)

    @property
    def marks(self) -> Mapping[str, Mapping[str, int]]:
        """All marks, as of now."""
        with self._lock:
            return {query_id: dict(grades) for query_id, grades in self._marks.items()}

    def set(self, query_id: str, item_id: str, grade: int | None) -> int:
        """Judge an item for a query, or take a judgment back (``None``). It lasts when this returns.

        Returns:
            How many marks there are now.

        Raises:
            DependencyError: the file cannot be written; the mark is not made then.
        """
        with self._lock:
            changed = {known: dict(grades) for known, grades in self._marks.items()}
            grades = changed.setdefault(query_id, {})
            if grade is None:
                grades.pop(item_id, None)
            else:
                grades[item_id] = grade
            if not grades:
                del changed[query_id]
            try:
                write_whole(self.path, qrels_text(changed).encode())
            except OSError as exc:
                raise DependencyError(
                    f"judgments cannot be written to {self.path}: {exc.strerror or exc}",
                    remedy="make room, or let this user write there",
                    code="disk",
                ) from exc
            self._marks = changed
            return sum(map(len, changed.values()))
