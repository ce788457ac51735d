"""TREC files: judgments (qrels) in, runs in and out.

Fields are written with tabs between them: every TREC tool takes tabs for white space, and item ids that hold spaces
(photos in a folder of one's own) stay whole. Lines without a tab are split at white space.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from nitari.errors import DataError, UsageError

Judgments: TypeAlias = Mapping[str, Mapping[str, int]]
"""For each query id, the judged item ids with their grade: 0 not relevant, 1 relevant, larger is more so."""

Ranking: TypeAlias = Sequence[tuple[str, float]]
"""Item ids with scores, best first, scores strictly falling."""

Rankings: TypeAlias = Mapping[str, Ranking]
"""For each query id, its ranking; empty where the query found nothing or failed."""

SCORE_UNIT = 1_000_000
"""Scores in a run are whole millionths: apart even as 32-bit floats, which trec_eval reads them into."""


def strictly_falling(ranking: Ranking) -> tuple[tuple[str, float], ...]:
    """The ranking with each score a whole number of millionths and below the one before it.

    TREC tools sort a run by score and settle ties by item id, which would undo the searcher's own order (Cabanac et
    al., "Tie-breaking bias: effect of an uncontrolled parameter on information retrieval evaluation", CLEF 2010). With
    no ties left, the order in the file is the order that was measured.
    """
    out = []
    last = math.inf
    for item_id, score in ranking:
        last = min(float(round(score * SCORE_UNIT)), last - 1)
        out.append((item_id, last / SCORE_UNIT))
    return tuple(out)


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Read judgments: lines of ``query_id iteration item_id grade``; blank lines are skipped.

    Raises:
        DataError: naming the line, for one that is not such a line or that judges a pair a second time differently.
    """
    judgments: dict[str, dict[str, int]] = {}
    for number, fields in _lines(path, 4, "query_id 0 item_id grade"):
        query_id, _, item_id, text = fields
        try:
            grade = int(text)
        except ValueError:
            raise _bad_line(
                path, number, f"the grade is {text!r}, not a whole number", "query_id 0 item_id 1"
            ) from None
        judged = judgments.setdefault(query_id, {})
        if judged.get(item_id, grade) != grade:
            found = f"item {item_id!r} of query {query_id!r} was graded {judged[item_id]} before, now {grade}"
            raise _bad_line(path, number, found, "one grade for one query and item")
        judged[item_id] = grade
    if not judgments:
        raise DataError(
            f"{path} holds no judgment", remedy="delete the file to get a run without measures", code="qrels"
        )
    return judgments


def write_qrels(path: Path, judgments: Judgments) -> None:
    """Write judgments, in the order of the mapping."""
    path.write_text(qrels_text(judgments), encoding="utf-8", newline="\n")


def qrels_text(judgments: Judgments) -> str:
    """The content of a file of judgments, in the order of the mapping."""
    return "".join(
        f"{query_id}\t0\t{item_id}\t{grade}\n"
        for query_id, judged in judgments.items()
        for item_id, grade in judged.items()
    )


def write_run(path: Path, rankings: Rankings, *, tag: str = "nitari") -> None:
    """Write a TREC run: ``query_id Q0 item_id rank score tag``, best first, scores strictly falling.

    Queries that found nothing leave no line behind, as the format has it.

    Raises:
        UsageError: where the file cannot be written.
    """
    try:
        with path.open("w", encoding="utf-8", newline="\n") as out:
            for query_id, ranking in rankings.items():
                for rank, (item_id, score) in enumerate(strictly_falling(ranking), start=1):
                    out.write(f"{query_id}\tQ0\t{item_id}\t{rank}\t{score:.6f}\t{tag}\n")
    except OSError as exc:
        raise UsageError(f"the run cannot be written to {path}: {exc.strerror}", remedy="name another file") from exc


def read_run(path: Path) -> dict[str, tuple[tuple[str, float], ...]]:
    """Read a TREC run; the score decides the order and the rank column settles ties, whatever the order of the lines.

    Raises:
        DataError: naming the line, for one that is not a line of a run or that ranks an item a second time.
    """
    form = "query_id Q0 item_id rank score tag"
    found: dict[str, dict[str, tuple[float, int]]] = {}
    for number, fields in _lines(path, 6, form):
        query_id, _, item_id, rank, score, _ = fields
        try:
            place = (-float(score), int(rank))
        except ValueError:
            raise _bad_line(path, number, f"rank {rank!r} or score {score!r} is not a number", form) from None
        if not math.isfinite(place[0]):
            raise _bad_line(path, number, f"the score is {score!r}", "a finite score")
        ranked = found.setdefault(query_id, {})
        if item_id in ranked:
            raise _bad_line(path, number, f"item {item_id!r} is ranked twice for query {query_id!r}", "each item once")
        ranked[item_id] = place
    return {
        query_id: tuple((item_id, -ranked[item_id][0]) for item_id in sorted(ranked, key=ranked.__getitem__))
        for query_id, ranked in found.items()
    }


def _lines(path: Path, width: int, form: str) -> Iterator[tuple[int, list[str]]]:
    """The fields of each line that is not blank, with its number from 1."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as exc:
        raise DataError(f"{path} cannot be read: {exc.strerror}", remedy="check the path", code="trec") from exc
    except UnicodeDecodeError as exc:
        raise DataError(f"{path} is not UTF-8: {exc}", remedy="save it as UTF-8", code="trec") from exc
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        fields = [part.strip() for part in line.split("\t")] if "\t" in line else line.split()
        if len(fields) != width or not all(fields):
            raise _bad_line(path, number, f"{line.strip()[:120]!r} has {len(fields)} fields", form)
        yield number, fields


def _bad_line(path: Path, number: int, found: str, expected: str) -> DataError:
    return DataError(
        f"{path.name} line {number}: {found}; expected {expected}",
        remedy=f"correct line {number} of {path}",
        code="trec",
    )
